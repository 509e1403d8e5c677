//! Reads inputs, artifacts and short texts, each with a bound. A pipe without a writer counts as
//! empty, so no verb waits for one.

use std::io;
use std::path::Path;

use edgec_artifact::{MAX_ATTESTATION_LEN, MAX_SBOM_LEN, Sha256Digest};
use edgec_files::{OpenError, open_regular, open_stream, read_bounded};
use zeroize::Zeroizing;

use super::secret::{MAX_SECRET_LEN, cannot_read_key, key_variable, variable};
use super::{cannot, folder_named};
use crate::failure::{Exit, Failure};
use crate::file_kind::is_about_signatures;
use crate::key_material::looks_like;
use crate::stdin::{STDIN, stdin_once};

/// The maximum length of an input, in bytes (1 GiB).
const MAX_LEN: u64 = 1 << 30;

/// The maximum length of a key file or policy, in bytes (1 MiB).
const MAX_TEXT_LEN: u64 = 1 << 20;

/// The maximum length of a log, in bytes (64 MiB).
const MAX_LOG_LEN: u64 = 64 << 20;

/// Reads a file, or standard input for `-`.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = if path.as_os_str() == STDIN {
        stdin_once().and_then(|stdin| Ok(read_bounded(stdin, MAX_LEN, 0)?))
    } else {
        read_file(path)
    };
    let bytes = bytes.map_err(|error| cannot("read", path, &error))?;
    if is_key(&bytes) {
        drop(Zeroizing::new(bytes));
        let message = "this looks like a secret key, not like WebAssembly; it is not shown";
        return Err(Failure::new(Exit::Rejected, "secret-input", message)
            .about(path.display())
            .hint("name keys with --key"));
    }
    Ok(bytes)
}

/// Why [`read`] would fail before the first byte: the file does not exist, or it is a folder.
pub(crate) fn unreadable(path: &Path) -> Option<Failure> {
    let error: io::Error = match path.metadata() {
        _ if path.as_os_str() == STDIN => return None,
        Ok(found) if found.is_dir() => io::ErrorKind::IsADirectory.into(),
        Ok(_) => return None,
        Err(error) => error,
    };
    Some(cannot("read", path, &error))
}

/// Whether an input is a key instead of a program. The error of the text parser would show a line
/// of it.
fn is_key(input: &[u8]) -> bool {
    let text = std::str::from_utf8(input).map_or("", str::trim_start);
    let program = text.is_empty() || text.starts_with(['(', ';', '\0']);
    !program
        && input.len() <= MAX_SECRET_LEN
        && !is_about_signatures(input)
        && looks_like(input).is_some()
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let (file, len) = open_stream(path)?;
    if len > MAX_LEN {
        let message = format!("{len} bytes are more than the {MAX_LEN} that an input may have");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(read_bounded(file, MAX_LEN, len)?)
}

/// Reads an artifact: a regular file with a possible length, or standard input. A pipe or a device
/// under another name might block or never end.
pub(crate) fn read_artifact(path: &Path) -> Result<Vec<u8>, Failure> {
    if path.as_os_str() == STDIN {
        return read(path);
    }
    let rejected = |code, message: &str| {
        Failure::new(Exit::Rejected, code, message.to_owned()).about(path.display())
    };
    let (file, len) = open_regular(path, MAX_LEN).map_err(|error| match error {
        OpenError::Folder => folder_named(path),
        OpenError::NotAFile => rejected("not-a-file", "not a regular file")
            .hint("an artifact is read from a file, or from standard input (`-`)"),
        OpenError::TooLong { len } => {
            let message = format!("{len} bytes are more than an artifact may have");
            rejected("too-long", &message)
        }
        error => cannot("read", path, &open_failed(error)),
    })?;
    let bytes = read_bounded(file, MAX_LEN, len);
    bytes.map_err(|error| cannot("read", path, &error.into()))
}

/// The system's error, if there is one.
fn open_failed(error: OpenError) -> io::Error {
    match error {
        OpenError::Io(error) => error,
        error => io::Error::other(error),
    }
}

/// Reads a public key's text: a file, standard input, or a variable's content.
pub(crate) fn read_public(path: &Path) -> Result<String, Failure> {
    match variable(path) {
        Some(name) => key_variable(name).map(|text| text.to_string()),
        None => {
            // If the name is not a file's, it may be a secret.
            if path.as_os_str() != STDIN
                && let Err(error) = path.metadata()
            {
                return Err(cannot_read_key(path, &error));
            }
            read_text(path)
        }
    }
}

/// Reads a short text file, such as a policy.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    let text = String::from_utf8(read_short(path)?);
    text.map_err(|error| Failure::rejected("not-text", &error.utf8_error()).about(path.display()))
}

/// Reads a log from standard input. A program can write anything into it, so it need not be UTF-8.
pub(crate) fn read_log() -> Result<Vec<u8>, Failure> {
    let bytes = stdin_once().and_then(|stdin| Ok(read_bounded(stdin, MAX_LOG_LEN, 0)?));
    bytes.map_err(|error| cannot("read", Path::new(STDIN), &error))
}

/// Reads a short binary file, such as a signature.
pub(crate) fn read_short(path: &Path) -> Result<Vec<u8>, Failure> {
    read_at_most(path, MAX_TEXT_LEN)
}

/// Reads an attestation.
pub(crate) fn read_attestation(path: &Path) -> Result<Vec<u8>, Failure> {
    read_at_most(path, MAX_ATTESTATION_LEN)
}

/// Reads a bill of materials.
pub(crate) fn read_sbom(path: &Path) -> Result<Vec<u8>, Failure> {
    read_at_most(path, MAX_SBOM_LEN)
}

fn read_at_most(path: &Path, most: u64) -> Result<Vec<u8>, Failure> {
    match path.as_os_str() == STDIN {
        true => stdin_once().and_then(|stdin| Ok(read_bounded(stdin, most, 0)?)),
        false => open_stream(path).and_then(|(file, _)| Ok(read_bounded(file, most, 0)?)),
    }
    .map_err(|error| cannot("read", path, &error))
}

/// The SHA-256 and the length in bytes of a regular file or of standard input. The length has no
/// limit, and the memory has one. A pipe or a device under another name might block or never end.
pub(crate) fn digest(path: &Path) -> Result<(Sha256Digest, u64), Failure> {
    let digested = match path.as_os_str() == STDIN {
        true => stdin_once().and_then(Sha256Digest::of_stream),
        false => match open_regular(path, u64::MAX) {
            Ok((file, _)) => Sha256Digest::of_stream(file),
            Err(OpenError::Folder) => return Err(folder_named(path)),
            Err(OpenError::NotAFile) => {
                let message = "not a regular file";
                let failure = Failure::new(Exit::Rejected, "not-a-file", message);
                return Err(failure
                    .about(path.display())
                    .hint("name a file, or `-` for standard input"));
            }
            Err(error) => Err(open_failed(error)),
        },
    };
    digested.map_err(|error| cannot("read", path, &error))
}
