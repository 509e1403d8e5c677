//! Files that belong to this user alone, locked and replaced as a whole. The path to their folder
//! must have been judged ([`way::place`](crate::way::place)).

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::guarded::{GuardError, refuse_unless_private};
use crate::lock::{Hold, wait_for_lock};
use crate::sync::{folder_of, sync_folder};

/// How often a lock file is looked for, if another process makes or removes it at the same time.
const TRIES: usize = 8;

/// Why a file was not locked or replaced.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrivateError {
    /// The file cannot be made, locked or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Another user's file is there. It is neither waited for nor written to.
    #[error("`{}`", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: GuardError,
    },
}

/// Opens or makes a lock file, and waits for the lock. The lock is held until the file is dropped.
///
/// A lock file of another user is refused before it is opened, and checked again afterwards. That
/// user could hold the lock forever, and opening a pipe would wait.
///
/// # Errors
///
/// [`PrivateError`].
pub fn lock_private(path: &Path) -> Result<File, PrivateError> {
    let file = open_or_create(path)?;
    wait_for_lock(&file, Hold::Exclusive)?;
    Ok(file)
}

/// Writes a file for this user alone under the name `aside`, in the same folder, and then renames
/// it to `path`. So a reader sees either the old file or the new one. If a process stopped in the
/// middle of this earlier, its file `aside` is removed first.
///
/// # Errors
///
/// [`PrivateError`]. In that case, the old file is unchanged.
pub fn replace_private(path: &Path, aside: &Path, bytes: &[u8]) -> Result<(), PrivateError> {
    remove_left(aside)?;
    let file = create(aside)?;
    let written = write(file, bytes).and_then(|()| fs::rename(aside, path));
    if let Err(error) = written {
        // If it cannot be removed now, the next change removes it.
        let _ = fs::remove_file(aside);
        return Err(error.into());
    }
    Ok(sync_folder(folder_of(path))?)
}

fn write(mut file: File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}

/// Removes the file of a process that stopped, but not a file of another user.
fn remove_left(aside: &Path) -> Result<(), PrivateError> {
    match aside.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        found => {
            refuse_unless_private(&found?).map_err(|error| is_not_ours(aside, error))?;
            Ok(fs::remove_file(aside)?)
        }
    }
}

fn open_or_create(path: &Path) -> Result<File, PrivateError> {
    let missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let not_ours = |error| is_not_ours(path, error);
    for _ in 0..TRIES {
        match create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return Ok(made?),
        }
        let file = match path.symlink_metadata() {
            Err(error) if missing(&error) => continue,
            found => {
                refuse_unless_private(&found?).map_err(not_ours)?;
                open(path)
            }
        };
        match file {
            Err(error) if missing(&error) => {}
            file => {
                let file = file?;
                refuse_unless_private(&file.metadata()?).map_err(not_ours)?;
                return Ok(file);
            }
        }
    }
    Err(io::Error::from(io::ErrorKind::ResourceBusy).into())
}

fn is_not_ours(path: &Path, source: GuardError) -> PrivateError {
    let path = path.to_owned();
    PrivateError::NotOurs { path, source }
}

/// Creates a file of this user alone. Fails if the path exists, even as a link.
#[cfg(unix)]
fn create(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, open};
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(open(path, flags, Mode::RUSR | Mode::WUSR)?.into())
}

/// Opens an existing file, without following a link and without waiting.
#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, open};
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let flags = flags | OFlags::NONBLOCK | OFlags::NOCTTY;
    Ok(open(path, flags, Mode::empty())?.into())
}

#[cfg(not(unix))]
fn create(path: &Path) -> io::Result<File> {
    File::options().create_new(true).write(true).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    File::options().write(true).open(path)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn readable_by_others(path: &Path) {
        fs::write(path, "").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    }

    #[test]
    fn a_file_that_others_can_open_is_neither_locked_nor_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        readable_by_others(&path("lock"));
        let error = lock_private(&path("lock")).unwrap_err();
        assert!(matches!(
            error,
            PrivateError::NotOurs {
                source: GuardError::Readable { mode: 0o644 },
                ..
            }
        ));
        readable_by_others(&path("aside"));
        let error = replace_private(&path("file"), &path("aside"), b"new").unwrap_err();
        assert!(matches!(error, PrivateError::NotOurs { .. }));
        assert!(!path("file").exists());
    }

    #[test]
    fn what_was_left_aside_makes_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let lock = lock_private(&path("lock")).unwrap();
        replace_private(&path("aside"), &path("new"), b"left").unwrap();
        replace_private(&path("file"), &path("aside"), b"new").unwrap();
        assert_eq!(fs::read(path("file")).unwrap(), b"new");
        assert!(!path("aside").exists());
        drop(lock);
        lock_private(&path("lock")).unwrap();
    }

    #[test]
    fn without_a_folder_there_is_no_lock() {
        let folder = tempfile::tempdir().unwrap();
        let error = lock_private(&folder.path().join("missing/lock")).unwrap_err();
        assert!(matches!(error, PrivateError::Io(_)));
    }
}
