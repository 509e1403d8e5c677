//! Files that decide what a host trusts. They are read only if no other user can have written them.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::bounded::{BoundError, read_bounded};
use crate::way::{self, WayError};

/// The maximum length of such a file, in bytes (1 MiB).
pub const MAX_GUARDED_LEN: u64 = 1 << 20;

/// Why such a file is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuardError {
    /// The file cannot be read.
    #[error("cannot read the file")]
    Io(#[source] io::Error),
    /// It is a folder, a pipe or a device.
    #[error("not a regular file")]
    NotAFile,
    /// It is a symbolic link, which another user may point elsewhere.
    #[error("a symbolic link, which another user may point elsewhere")]
    SymbolicLink,
    /// Its group or others may change it.
    #[error("users other than its owner can write it (mode {mode:04o})")]
    Writable {
        /// The file's mode, without its type.
        mode: u32,
    },
    /// It belongs to another user, who is not root.
    #[error("it belongs to another user ({uid})")]
    Owner {
        /// The owner.
        uid: u32,
    },
    /// Users other than its owner can open it, so they could hold a lock on it.
    #[error("users other than its owner can open it (mode {mode:04o})")]
    Readable {
        /// The file's mode, without its type.
        mode: u32,
    },
    /// Other users can put another file in its place.
    #[error(transparent)]
    Way(WayError),
    /// It is longer than [`MAX_GUARDED_LEN`].
    #[error("more than {MAX_GUARDED_LEN} bytes")]
    TooLong,
}

impl GuardError {
    /// A short name for the error, which is the same in all releases: `trust-folder` if a folder
    /// above the file is at fault, `trust-file` if the file itself is, `io` if it cannot be read.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "io",
            Self::Way(_) => "trust-folder",
            _ => "trust-file",
        }
    }
}

impl From<WayError> for GuardError {
    fn from(error: WayError) -> Self {
        match error {
            WayError::Io { source, .. } => Self::Io(source),
            error => Self::Way(error),
        }
    }
}

/// Reads a whole file through one descriptor, and checks that descriptor. It also checks the
/// folders above the file, up to the root.
///
/// # Errors
///
/// [`GuardError`], also for a symbolic link, for a file that its group or others may write or
/// replace, and for a file of another user who is not root.
pub fn read_guarded(path: &Path) -> Result<Vec<u8>, GuardError> {
    let file = open(&way::place(path)?)?;
    let metadata = file.metadata().map_err(GuardError::Io)?;
    if !metadata.is_file() {
        return Err(GuardError::NotAFile);
    }
    refuse_if_others_may_write(&metadata)?;
    match read_bounded(file, MAX_GUARDED_LEN, metadata.len().min(MAX_GUARDED_LEN)) {
        Ok(bytes) => Ok(bytes),
        Err(BoundError::Io(error)) => Err(GuardError::Io(error)),
        Err(BoundError::TooLong { .. }) => Err(GuardError::TooLong),
    }
}

#[cfg(unix)]
fn open(path: &Path) -> Result<File, GuardError> {
    use rustix::fs::{Mode, OFlags};
    // A pipe without a writer would block `open`.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    match rustix::fs::open(path, flags | OFlags::NOCTTY, Mode::empty()) {
        Ok(descriptor) => Ok(File::from(descriptor)),
        Err(rustix::io::Errno::LOOP) => Err(GuardError::SymbolicLink),
        Err(errno) => Err(GuardError::Io(errno.into())),
    }
}

/// Checks by its metadata, read without following links, that a file belongs to this user or root,
/// and that no other user can open it. A user who can open a file can hold a lock on it forever.
///
/// # Errors
///
/// [`GuardError`].
pub(crate) fn refuse_unless_private(metadata: &std::fs::Metadata) -> Result<(), GuardError> {
    if metadata.is_symlink() {
        return Err(GuardError::SymbolicLink);
    }
    if !metadata.is_file() {
        return Err(GuardError::NotAFile);
    }
    refuse_if_others_may_write(metadata)?;
    refuse_if_others_may_open(metadata)
}

#[cfg(unix)]
fn refuse_if_others_may_open(metadata: &std::fs::Metadata) -> Result<(), GuardError> {
    use std::os::unix::fs::MetadataExt as _;
    match metadata.mode() & 0o7777 {
        mode if mode & 0o077 != 0 => Err(GuardError::Readable { mode }),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn refuse_if_others_may_write(metadata: &std::fs::Metadata) -> Result<(), GuardError> {
    use std::os::unix::fs::MetadataExt as _;
    let (mode, uid) = (metadata.mode() & 0o7777, metadata.uid());
    if mode & 0o022 != 0 {
        return Err(GuardError::Writable { mode });
    }
    if uid != 0 && uid != rustix::process::geteuid().as_raw() {
        return Err(GuardError::Owner { uid });
    }
    Ok(())
}

#[cfg(not(unix))]
fn open(path: &Path) -> Result<File, GuardError> {
    File::open(path).map_err(GuardError::Io)
}

#[cfg(not(unix))]
fn refuse_if_others_may_open(_: &std::fs::Metadata) -> Result<(), GuardError> {
    Ok(())
}

#[cfg(not(unix))]
fn refuse_if_others_may_write(_: &std::fs::Metadata) -> Result<(), GuardError> {
    Ok(())
}
