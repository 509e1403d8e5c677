//! Files: read with a bound, written whole or not at all.

mod folders;
mod output;
mod replace;
mod secret;
mod way;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use zeroize::Zeroizing;

use crate::failure::{Exit, Failure};
use crate::file_kind::{Wanted, is_about_signatures};
use crate::key_material::looks_like;
use crate::signals;

use replace::Placed;

pub(crate) use folders::{NewFolders, create_private};
pub(crate) use output::{
    refuse_dash, refuse_existing, refuse_other, refuse_stdin_twice, refuse_unwritable, same, spare,
    spare_inputs,
};
use secret::{MAX_SECRET_LEN, key_variable, variable};
pub(crate) use secret::{Sensitive, look_at_key, read_secret, refuse_shared_secret};
pub(crate) use way::remedy_of_way;

/// The longest input that is read, in bytes (1 GiB).
const MAX_LEN: u64 = 1 << 30;

/// The longest key or policy file that is read, in bytes (1 MiB).
const MAX_TEXT_LEN: u64 = 1 << 20;

/// The longest log that is read, in bytes (64 MiB).
const MAX_LOG_LEN: u64 = 64 << 20;

/// The name that means standard input.
pub(crate) const STDIN: &str = "-";

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
            .hint("keys are named with --key"));
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
        None => read_text(path),
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
fn stdin_once() -> io::Result<io::StdinLock<'static>> {
    static READ: AtomicBool = AtomicBool::new(false);
    match READ.swap(true, Ordering::Relaxed) {
        true => Err(io::Error::other(ReadBefore)),
        false => Ok(io::stdin().lock()),
    }
}

/// Standard input is named for several things. Most verbs see that before they read anything.
#[derive(Debug)]
struct ReadBefore;

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

/// Writes a file of this kind under a temporary name beside its own and renames it: a reader sees
/// the old file or the new one, and a failure leaves the old one.
pub(crate) fn write(path: &Path, bytes: &[u8], kind: Wanted) -> Result<(), Failure> {
    signals::uninterrupted(|| stage(path, bytes, kind)?.commit())
}

/// A file that is complete on disk and has not replaced its predecessor yet.
pub(crate) struct Staged {
    path: PathBuf,
    kind: Wanted,
    file: tempfile::NamedTempFile,
}

/// Writes the new file beside the old one. A private key is for its owner only, other files are for
/// those whom the process's umask lets. What lies at `path` is looked at when the new file takes
/// its place.
pub(crate) fn stage(path: &Path, bytes: &[u8], kind: Wanted) -> Result<Staged, Failure> {
    let stage = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".edgec-");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let replaced = fs::metadata(path).map(|old| old.permissions().mode() & 0o777);
            let mode = match kind {
                Wanted::PrivateKey => 0o600,
                _ => replaced.unwrap_or(0o666),
            };
            builder.permissions(fs::Permissions::from_mode(mode));
        }
        let mut file = builder.tempfile_in(folder(path))?;
        edgec_loader::write_sparse(bytes, file.as_file_mut())?;
        file.as_file().set_len(bytes.len() as u64)?;
        file.as_file().sync_all()?;
        Ok(file)
    };
    match stage() {
        Ok(file) => Ok(Staged {
            path: path.to_owned(),
            kind,
            file,
        }),
        Err(error) => Err(cannot("write", path, &error)),
    }
}

impl Staged {
    /// Puts the new file in the old one's place.
    pub(crate) fn commit(self) -> Result<(), Failure> {
        commit_all(vec![self])
    }

    /// Puts the new file in place unless there is one already; `false` then.
    pub(crate) fn commit_if_absent(self) -> Result<bool, Failure> {
        let folder = folder(&self.path).to_owned();
        match self.file.persist_noclobber(&self.path) {
            Ok(_) => match sync(&folder) {
                Ok(()) => Ok(true),
                Err(error) => Err(cannot("write", &self.path, &error)),
            },
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(cannot("write", &self.path, &error.error)),
        }
    }
}

/// Puts all new files in the places of the old ones, then syncs each folder once. If one of the old
/// files must not be replaced, or one of the new ones cannot take its place, all old files are where
/// they were.
pub(crate) fn commit_all(staged: Vec<Staged>) -> Result<(), Failure> {
    for it in &staged {
        refuse_other(&it.path, it.kind)?;
    }
    let mut changed = BTreeMap::new();
    let mut placed = Vec::new();
    let mut failed = None;
    let mut left = staged.len();
    for Staged { path, file, .. } in staged {
        left -= 1;
        // After the last one, nothing can fail for which its old file would have to come back.
        let put = match left {
            0 => replace::put(file, &path),
            _ => Placed::put(file, &path).map(|it| placed.push(it)),
        };
        if let Err(error) = put {
            failed = Some(put_back(placed, cannot("write", &path, &error)));
            placed = Vec::new();
            break;
        }
        changed.entry(folder(&path).to_owned()).or_insert(path);
    }
    // The old files go.
    drop(placed);
    let synced = changed.into_iter().try_for_each(|(folder, path)| {
        sync(&folder).map_err(|error| cannot("write", &path, &error))
    });
    failed.map_or(synced, Err)
}

/// Puts the old files back. What is not as it was, the failure says.
fn put_back(placed: Vec<Placed>, failure: Failure) -> Failure {
    let undone = placed.into_iter().rev().map(Placed::undo);
    let other: Vec<String> = undone.filter_map(Result::err).collect();
    match other.is_empty() {
        true => failure,
        false => failure.hint(other.join("\n")),
    }
}

/// The folder that a path's last component lies in.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(unix)]
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}

pub(crate) fn cannot(verb: &str, path: &Path, error: &io::Error) -> Failure {
    let inner = error.get_ref();
    if inner.is_some_and(<dyn std::error::Error + Send + Sync>::is::<ReadBefore>) {
        return Failure::usage("stdin", ReadBefore.to_string()).about(path.display());
    }
    if verb == "read" && error.kind() == io::ErrorKind::IsADirectory {
        return folder_named(path);
    }
    // The innermost cause is the system's; what is around it names temporary files.
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let cause = cause.to_string();
    // The name of the temporary file, which `tempfile` adds.
    let cause = cause.split(" at path ").next().unwrap_or_default();
    let failure = Failure::environment(
        "io",
        &io::Error::new(error.kind(), format!("cannot {verb}: {cause}")),
    )
    .about(path.display());
    match remedy(error.kind()).filter(|_| verb != "read") {
        Some(remedy) => failure.hint(remedy),
        None => failure,
    }
}

/// What to do if a file cannot be written.
pub(crate) fn remedy(kind: io::ErrorKind) -> Option<&'static str> {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Some("the disk is full: make room, or name another place")
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            Some("nothing may be written there: name another place")
        }
        io::ErrorKind::FileTooLarge => Some(
            "this is more than a file may have here: raise the limit where edgec is started (ulimit -f unlimited)",
        ),
        _ => None,
    }
}

/// What to do if a folder is named instead of a file.
pub(crate) const NAME_THE_FILES: &str = "this is a folder: name the files in it";

/// The failure of a folder where a file should be named.
fn folder_named(path: &Path) -> Failure {
    Failure::new(Exit::Rejected, "not-a-file", "not a regular file")
        .about(path.display())
        .hint(NAME_THE_FILES)
}
