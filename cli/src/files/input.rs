//! Reads inputs, artifacts and short texts, each with a bound. A pipe that has no writer counts as
//! empty: no verb waits for one.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use zeroize::Zeroizing;

use super::secret::{MAX_SECRET_LEN, cannot_read_key, key_variable, variable};
use super::{STDIN, cannot, folder_named};
use crate::failure::{Exit, Failure};
use crate::file_kind::is_about_signatures;
use crate::key_material::looks_like;

/// The longest input that is read, in bytes (1 GiB).
const MAX_LEN: u64 = 1 << 30;

/// The longest key or policy file that is read, in bytes (1 MiB).
const MAX_TEXT_LEN: u64 = 1 << 20;

/// The longest log that is read, in bytes (64 MiB).
const MAX_LOG_LEN: u64 = 64 << 20;

/// Reads a file, or standard input for `-`.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = if path.as_os_str() == STDIN {
        stdin_once().and_then(|stdin| read_bounded(stdin, MAX_LEN))
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

/// Why [`read`] would fail before the first byte: there is no such file, or it is a folder.
pub(crate) fn unreadable(path: &Path) -> Option<Failure> {
    let error: io::Error = match path.metadata() {
        _ if path.as_os_str() == STDIN => return None,
        Ok(found) if found.is_dir() => io::ErrorKind::IsADirectory.into(),
        Ok(_) => return None,
        Err(error) => error,
    };
    Some(cannot("read", path, &error))
}

/// Whether an input is a key instead of a program. The text parser's error would show a line of it.
fn is_key(input: &[u8]) -> bool {
    let text = std::str::from_utf8(input).map_or("", str::trim_start);
    let program = text.is_empty() || text.starts_with(['(', ';', '\0']);
    !program
        && input.len() <= MAX_SECRET_LEN
        && !is_about_signatures(input)
        && looks_like(input).is_some()
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let (file, len) = open_input(path)?;
    if len > MAX_LEN {
        let message = format!("{len} bytes are more than the {MAX_LEN} that an input may have");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    read_sized(file, MAX_LEN, len)
}

/// Opens an input, and gives its length. A pipe has length 0, and must have a writer by now, as
/// `<(command)` has: otherwise reading would wait without end.
fn open_input(path: &Path) -> io::Result<(File, u64)> {
    let file = open_without_waiting(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    wait_for_bytes(&file)?;
    Ok((file, metadata.len()))
}

/// Reads from now on wait for bytes, where they come from a writer that is there.
#[cfg(unix)]
fn wait_for_bytes(file: &File) -> io::Result<()> {
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    Ok(fcntl_setfl(file, fcntl_getfl(file)? - OFlags::NONBLOCK)?)
}

#[cfg(not(unix))]
fn wait_for_bytes(_: &File) -> io::Result<()> {
    Ok(())
}

/// Reads an artifact: a regular file of a length that an artifact may have, or standard
/// input. A pipe or a device under another name would block, or never end.
pub(crate) fn read_artifact(path: &Path) -> Result<Vec<u8>, Failure> {
    if path.as_os_str() == STDIN {
        return read(path);
    }
    let open = || {
        let file = open_without_waiting(path)?;
        let metadata = file.metadata()?;
        Ok((file, metadata))
    };
    let (file, metadata) = open().map_err(|error| cannot("read", path, &error))?;
    let len = metadata.len();
    if metadata.is_dir() {
        return Err(folder_named(path));
    }
    if !metadata.is_file() {
        let failure = Failure::new(Exit::Rejected, "not-a-file", "not a regular file");
        return Err(failure
            .about(path.display())
            .hint("an artifact is read from a file, or from standard input (`-`)"));
    }
    if len > MAX_LEN {
        let message = format!("{len} bytes are more than an artifact may have");
        return Err(Failure::new(Exit::Rejected, "too-long", message).about(path.display()));
    }
    read_sized(file, MAX_LEN, len).map_err(|error| cannot("read", path, &error))
}

/// Opening a pipe would wait for a writer.
#[cfg(unix)]
fn open_without_waiting(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, open};
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    Ok(open(path, flags, Mode::empty())?.into())
}

#[cfg(not(unix))]
fn open_without_waiting(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Reads a public key's text: a file, standard input, or a variable's content.
pub(crate) fn read_public(path: &Path) -> Result<String, Failure> {
    match variable(path) {
        Some(name) => key_variable(name).map(|text| text.to_string()),
        None => {
            // A name that is no file's may be a secret.
            if path.as_os_str() != STDIN
                && let Err(error) = path.metadata()
            {
                return Err(cannot_read_key(path, &error));
            }
            read_text(path)
        }
    }
}

/// Reads a short text file: a policy, say.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    let text = String::from_utf8(read_short(path)?);
    text.map_err(|error| Failure::rejected("not-text", &error.utf8_error()).about(path.display()))
}

/// Reads a log from standard input. A program writes into it what it likes: it need not be UTF-8.
pub(crate) fn read_log() -> Result<Vec<u8>, Failure> {
    let bytes = stdin_once().and_then(|stdin| read_bounded(stdin, MAX_LOG_LEN));
    bytes.map_err(|error| cannot("read", Path::new(STDIN), &error))
}

/// Reads a short binary file, such as a signature.
pub(crate) fn read_short(path: &Path) -> Result<Vec<u8>, Failure> {
    match path.as_os_str() == STDIN {
        true => stdin_once().and_then(|stdin| read_bounded(stdin, MAX_TEXT_LEN)),
        false => open_input(path).and_then(|(file, _)| read_bounded(file, MAX_TEXT_LEN)),
    }
    .map_err(|error| cannot("read", path, &error))
}

/// Standard input, which can be read only once.
pub(super) fn stdin_once() -> io::Result<io::StdinLock<'static>> {
    static READ: AtomicBool = AtomicBool::new(false);
    match READ.swap(true, Ordering::Relaxed) {
        true => Err(io::Error::other(ReadBefore)),
        false => Ok(io::stdin().lock()),
    }
}

/// Standard input is named for several things. Most verbs see that before they read anything.
#[derive(Debug)]
pub(super) struct ReadBefore;

impl std::fmt::Display for ReadBefore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("standard input was read before: `-` is named twice")
    }
}

impl std::error::Error for ReadBefore {}

fn read_bounded(source: impl io::Read, most: u64) -> io::Result<Vec<u8>> {
    read_sized(source, most, 0)
}

/// Makes room once for the length that a file says it has, and a byte to see its end: growing
/// by doubling would take twice the memory.
fn read_sized(source: impl io::Read, most: u64, expected: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(usize::try_from(expected).unwrap_or(0).saturating_add(1))?;
    source.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let message = format!("it has more than {most} bytes, which is the limit");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}
