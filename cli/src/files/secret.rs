//! Reads keys, passphrases and PINs into memory that is wiped, from files that only their owner can
//! read and change.

use std::fs::{self, File};
use std::io;
use std::path::Path;

#[cfg(unix)]
use edgec_files::way::{self, WayError};
use edgec_files::{BoundError, read_bounded_into};
use zeroize::Zeroizing;

use super::cannot;
#[cfg(unix)]
use super::remedy_of_way;
#[cfg(unix)]
use super::way::remedy_of_place;
use crate::failure::Failure;
#[cfg(unix)]
use crate::failure::chain;
use crate::shield::shield;
use crate::stdin::{STDIN, stdin_once};

/// The prefix before a variable's name, if the variable's content is the key.
pub(crate) const VARIABLE_PREFIX: &str = "env:";

/// The kinds of secrets that only their owner may read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sensitive {
    /// A private key.
    Key,
    /// A passphrase or a PIN.
    Passphrase,
}

/// The maximum length of a secret, in bytes (64 KiB).
pub(super) const MAX_SECRET_LEN: usize = 1 << 16;

/// Reads a secret's file, and refuses one that others may read or change. The file of a public key
/// is accepted as a key's. A key may also come from standard input (`-`) or from a variable's
/// content (`env:NAME`).
pub(crate) fn read_secret(path: &Path, kind: Sensitive) -> Result<Zeroizing<String>, Failure> {
    shield();
    if let Some(variable) = variable(path).filter(|_| kind == Sensitive::Key) {
        return key_variable(variable);
    }
    // Allocated for everything at once: a growing buffer would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SECRET_LEN + 64));
    let mut read = |source: &mut dyn io::Read| match read_bounded_into(
        source,
        MAX_SECRET_LEN as u64,
        &mut bytes,
    ) {
        Err(BoundError::TooLong { .. }) => Err(io::Error::from(io::ErrorKind::FileTooLarge)),
        read => Ok(read?),
    };
    let mut metadata = None;
    if path.as_os_str() == STDIN {
        stdin_once().and_then(|mut stdin| read(&mut stdin))
    } else {
        File::open(path).and_then(|mut file| {
            metadata = Some(file.metadata()?);
            read(&mut file)
        })
    }
    .map_err(|error| cannot_read_key(path, &error))?;
    if path.as_os_str() == STDIN && bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Failure::usage("stdin", "standard input is empty").about(path.display()));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        let failure = Failure::rejected("not-text", &NotText).about(path.display());
        match bytes.as_slice() {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => failure.hint("it is UTF-16: save it as UTF-8"),
            // A sequence, of 46 bytes or with a longer form of the length.
            [0x30, 0x2e | 0x81 | 0x82, ..] if kind == Sensitive::Key => failure
                .hint("a key in DER? `openssl pkey -inform DER -in OLD -out NEW.pem` writes PEM"),
            _ => failure,
        }
    })?;
    // A file without a private key is not secret. The caller says that it is the wrong file.
    let public = kind == Sensitive::Key && !text.contains("PRIVATE KEY");
    if let Some(metadata) = metadata.filter(|_| !public) {
        refuse_if_shared(path, &metadata, kind)?;
    }
    Ok(Zeroizing::new(text.to_owned()))
}

/// Finds early what is wrong with a private key's file, as far as possible without its content: it
/// is missing, unreadable, a folder, or too long. Does not open the file, because a pipe gives its
/// content only once. Returns whether others may read or change the file. Such a key is no longer
/// secret, and [`read_secret`] says why it is refused.
pub(crate) fn look_at_key(path: &Path) -> Result<bool, Failure> {
    if let Some(variable) = variable(path) {
        return key_variable(variable).map(|_| false);
    }
    if path.as_os_str() == STDIN {
        return Ok(false);
    }
    let metadata = readable(path).map_err(|error| cannot_read_key(path, &error))?;
    let wrong = if metadata.is_dir() {
        io::ErrorKind::IsADirectory
    } else if metadata.is_file() && metadata.len() > MAX_SECRET_LEN as u64 {
        io::ErrorKind::FileTooLarge
    } else {
        return Ok(refuse_if_shared(path, &metadata, Sensitive::Key).is_err());
    };
    Err(cannot_read_key(path, &wrong.into()))
}

/// Refuses early a file with a passphrase or a PIN that others may read or change. The caller has
/// checked that the file exists.
pub(crate) fn refuse_shared_secret(path: &Path) -> Result<(), Failure> {
    match path.metadata() {
        Ok(metadata) if path.as_os_str() != STDIN => {
            refuse_if_shared(path, &metadata, Sensitive::Passphrase)
        }
        _ => Ok(()),
    }
}

/// Whether only its owner can read a file.
#[cfg(unix)]
pub(crate) fn is_for_owner(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = path.metadata();
    metadata.is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o077 == 0)
}

#[cfg(not(unix))]
pub(crate) fn is_for_owner(_: &Path) -> bool {
    false
}

/// The metadata of a file that this user may read.
fn readable(path: &Path) -> io::Result<fs::Metadata> {
    let metadata = path.metadata()?;
    #[cfg(unix)]
    rustix::fs::access(path, rustix::fs::Access::READ_OK)?;
    Ok(metadata)
}

/// The variable that `env:NAME` names.
pub(super) fn variable(path: &Path) -> Option<&str> {
    path.to_str()?.strip_prefix(VARIABLE_PREFIX)
}

/// The content of a variable, which holds a key.
pub(super) fn key_variable(name: &str) -> Result<Zeroizing<String>, Failure> {
    let usage = |message: &str| Failure::usage("key-variable", message);
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let other = |c: char| first(c) || c.is_ascii_digit();
    // Any other text may be the key itself.
    if !name.starts_with(first) || !name.chars().all(other) {
        let failure = usage("`env:` is not followed by the name of a variable (not shown)");
        return Err(failure.hint("write env:NAME; `./env:NAME` is a file"));
    }
    let about = |failure: Failure| failure.about(format!("env:{name}"));
    let hint = "a CI system may keep secrets from builds of forks and of unprotected branches";
    let value = std::env::var_os(name).ok_or_else(|| match is_usual(name) {
        true => about(usage("the variable is not set")).hint(hint),
        false => usage("the variable that `env:` names is not set")
            .hint("its name is not shown: it may be a secret\nwrite env:NAME, without `$`"),
    })?;
    let value = value.into_string();
    let value = value.map_err(|_| about(usage("the variable is not UTF-8 text")))?;
    let value = Zeroizing::new(value);
    match value.trim().is_empty() {
        true => Err(about(usage("the variable is empty")).hint(hint)),
        false => Ok(value),
    }
}

/// Whether a variable's name has the usual form, in capitals: `[A-Z_][A-Z0-9_]*`. Otherwise it may
/// be a secret, from `env:$NAME` in a shell.
fn is_usual(name: &str) -> bool {
    let usual = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(usual)
}

/// The endings of files that hold keys or passphrases.
const ENDINGS: [&str; 7] = ["pem", "key", "pub", "txt", "der", "p8", "pk8"];

/// Shows the name of a missing file only if it looks like a file's name: otherwise it may be a
/// secret.
pub(super) fn cannot_read_key(path: &Path, error: &io::Error) -> Failure {
    match path.as_os_str() == STDIN || looks_like_a_file(path) {
        true => cannot("read", path, error),
        false => cannot("read", Path::new("the key's file"), error)
            .hint("its name is not shown: it may be a secret"),
    }
}

/// Whether the file or its folder exists, or the name has a usual ending. A dot alone does not
/// count.
fn looks_like_a_file(path: &Path) -> bool {
    let parent = path.parent().filter(|parent| parent.parent().is_some());
    let ending = path.extension().and_then(std::ffi::OsStr::to_str);
    let known = |ending: &str| ENDINGS.iter().any(|it| ending.eq_ignore_ascii_case(it));
    path.symlink_metadata().is_ok() || ending.is_some_and(known) || parent.is_some_and(Path::is_dir)
}

/// The error does not contain the text.
#[derive(Debug)]
struct NotText;

impl std::fmt::Display for NotText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not UTF-8 text")
    }
}

impl std::error::Error for NotText {}

/// Judges the open file, not its name. The mode of a pipe does not matter.
#[cfg(unix)]
fn refuse_if_shared(path: &Path, metadata: &fs::Metadata, kind: Sensitive) -> Result<(), Failure> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let mode = metadata.permissions().mode() & 0o7777;
    if metadata.is_file() && mode & 0o077 != 0 {
        let (code, what) = match kind {
            Sensitive::Key => ("key-permissions", "private key"),
            Sensitive::Passphrase => ("secret-permissions", "secret"),
        };
        let message = format!("others may read or change this {what} (mode {mode:04o})");
        return Err(Failure::usage(code, message)
            .about(path.display())
            .hint(format!("chmod 600 {}", path.display())));
    }
    let (owner, user) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if metadata.is_file() && owner != user && owner != 0 {
        let message = format!("it belongs to another user ({owner}), who may change it");
        return Err(Failure::usage("key-permissions", message)
            .about(path.display())
            .hint("chown it, or copy it"));
    }
    match metadata.is_file() {
        true => refuse_if_replaceable(path, kind),
        false => Ok(()),
    }
}

/// Refuses a secret's file if another user could put another of this user's secrets in its place.
#[cfg(unix)]
fn refuse_if_replaceable(path: &Path, kind: Sensitive) -> Result<(), Failure> {
    let code = match kind {
        Sensitive::Key => "key-folder",
        Sensitive::Passphrase => "secret-folder",
    };
    match way::judge_secret(path) {
        Ok(()) => Ok(()),
        Err(WayError::Io { source, .. }) => Err(cannot("read", path, &source)),
        Err(error) => Err(Failure::usage(code, chain(&error))
            .about(path.display())
            .hint(remedy_of_way(&error))),
    }
}

/// Refuses a place for a new private key if another user could replace the key there, because edgec
/// would never read it. Makes nothing.
#[cfg(unix)]
pub(crate) fn refuse_place_of_key(path: &Path) -> Result<(), Failure> {
    match way::judge_place_of_secret(path) {
        Ok(()) => Ok(()),
        Err(WayError::Io { source, .. }) => Err(cannot("write", path, &source)),
        Err(error) => Err(Failure::usage("key-folder", chain(&error))
            .about(path.display())
            .hint(remedy_of_place(&error))),
    }
}

#[cfg(not(unix))]
pub(crate) fn refuse_place_of_key(_: &Path) -> Result<(), Failure> {
    Ok(())
}

#[cfg(not(unix))]
fn refuse_if_shared(_: &Path, _: &fs::Metadata, _: Sensitive) -> Result<(), Failure> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_like_a_file_is_shown() {
        for name in [
            "missing.pem",
            "missing.pub.pem",
            "missing.KEY",
            "../missing.txt",
            "./missing",
            "src/missing",
            "Cargo.toml",
        ] {
            assert!(looks_like_a_file(Path::new(name)), "{name}");
        }
        for name in [
            "hunter2.secret",
            "hunter2",
            "/hunter2.secret",
            "hunter2.secret/hunter2",
            ".pem",
            "hunter2.",
            "a.b.c",
        ] {
            assert!(!looks_like_a_file(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn only_usual_names_of_variables_are_shown() {
        for name in ["RELEASE_KEY", "_KEY2"] {
            assert!(is_usual(name), "{name}");
        }
        for name in ["hunter2secret", "Release", "2KEY", "RELEASE-KEY", "KEY\n"] {
            assert!(!is_usual(name), "{name}");
        }
    }
}
