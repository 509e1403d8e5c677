//! The way to a file: only this user and root may be able to change the folders and links on it.
//! Another user who can change one of them can replace the file with a rename, whatever the file's
//! own mode.
//!
//! The mode of a folder limits its POSIX access control list as well: the group bits are the most
//! that a user or group in the list may do. The list is read only if these bits may be set.
//!
//! Source: `path_resolution(7)`; for the sticky bit `inode(7)`; for the lists `acl(5)`.

use std::io;
use std::path::{Path, PathBuf};

/// Why a way is refused: other users can lead it elsewhere, or it cannot be checked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WayError {
    /// A folder or a link on the way does not exist, or cannot be examined.
    #[error("cannot examine `{}`", at.display())]
    Io {
        /// The folder or link.
        at: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Other users may change a folder, and its sticky bit is not set.
    #[error(
        "users other than its owner can replace what is in the folder `{}` (mode {mode:04o})",
        at.display()
    )]
    Writable {
        /// The folder.
        at: PathBuf,
        /// The folder's mode, without its type.
        mode: u32,
    },
    /// The access control list of a folder lets another user or group change it.
    #[error(
        "its access control list lets {who} replace what is in the folder `{}`",
        at.display()
    )]
    List {
        /// The folder.
        at: PathBuf,
        /// The first such user or group, with its number.
        who: String,
    },
    /// A folder or a link belongs to another user, who is not root.
    #[error("`{}`, which leads to it, belongs to another user ({uid})", at.display())]
    Owner {
        /// The folder or link.
        at: PathBuf,
        /// The owner.
        uid: u32,
    },
}

/// The folder or file that `path` leads to, after each part of the way was judged. Follows links.
/// The end of the way is not judged.
///
/// # Errors
///
/// [`WayError`].
pub fn end(path: &Path) -> Result<PathBuf, WayError> {
    system::walk(path, Purpose::Trust)
}

/// The place that `path` names, after its folder and the way to that folder were judged. The last
/// part is not followed. If something is there, the caller must judge it.
///
/// # Errors
///
/// [`WayError`].
pub fn place(path: &Path) -> Result<PathBuf, WayError> {
    system::place(path)
}

/// Judges the way to the file of a secret, and the folder that contains it. Follows links.
///
/// Folders that their group may write to are accepted, because many systems give each user a group
/// of their own. Folders that others may write to by an access control list are refused. An open
/// file of a process (`/dev/stdin`, `/proc/self/fd/3`) has no way, because the process that opened
/// it chose it.
///
/// # Errors
///
/// [`WayError`].
pub fn judge_secret(path: &Path) -> Result<(), WayError> {
    system::walk(path, Purpose::Secret).map(|_| ())
}

/// Like [`judge_secret`], for a file that does not exist yet. Folders above it may be missing too.
/// The folders that exist are judged.
///
/// # Errors
///
/// [`WayError`].
pub fn judge_place_of_secret(path: &Path) -> Result<(), WayError> {
    match judge_secret(path) {
        // The way ends here. Everything up to this point was judged.
        Err(WayError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(()),
        judged => judged,
    }
}

/// What a file is for, which decides what is accepted on the way to it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// It decides what is trusted.
    Trust,
    /// It holds a key, a passphrase or a PIN.
    Secret,
}

#[cfg(unix)]
mod system {
    use std::collections::VecDeque;
    use std::ffi::OsString;
    use std::io;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::{Component, Path, PathBuf};

    use super::{Purpose, WayError};

    /// The number of links that Linux follows at most (`path_resolution(7)`).
    const MOST_LINKS: usize = 40;

    pub(super) fn place(path: &Path) -> Result<PathBuf, WayError> {
        let whole = absolute(path)?;
        let (Some(above), Some(name)) = (whole.parent(), whole.file_name()) else {
            return walk(&whole, Purpose::Trust);
        };
        let folder = walk(above, Purpose::Trust)?;
        judge_folder(&folder, Purpose::Trust)?;
        Ok(folder.join(name))
    }

    /// Where the path leads. The way to a secret ends at an open file of a process.
    pub(super) fn walk(path: &Path, purpose: Purpose) -> Result<PathBuf, WayError> {
        let whole = absolute(path)?;
        let mut left: VecDeque<OsString> = parts(&whole);
        let mut at = PathBuf::from("/");
        let mut links = 0;
        while let Some(part) = left.pop_front() {
            if part == ".." {
                at.pop();
                continue;
            }
            judge_folder(&at, purpose)?;
            let next = at.join(&part);
            let metadata = next
                .symlink_metadata()
                .map_err(|error| fails(&next, error))?;
            if !metadata.is_symlink() {
                at = next;
                continue;
            }
            judge_owner(&next, metadata.uid())?;
            // The target of such a link is a description: the file may have no name any more.
            let is_open = left.is_empty() && at.starts_with("/proc") && at.ends_with("fd");
            if purpose == Purpose::Secret && is_open {
                return Ok(next);
            }
            links += 1;
            if links > MOST_LINKS {
                return Err(fails(&next, io::Error::other("too many symbolic links")));
            }
            let target = next.read_link().map_err(|error| fails(&next, error))?;
            if target.is_absolute() {
                at = PathBuf::from("/");
            }
            let mut parts = parts(&target);
            parts.append(&mut left);
            left = parts;
        }
        Ok(at)
    }

    fn absolute(path: &Path) -> Result<PathBuf, WayError> {
        std::path::absolute(path).map_err(|error| fails(path, error))
    }

    /// The parts of a path below its root.
    fn parts(path: &Path) -> VecDeque<OsString> {
        let named = path.components();
        let named =
            named.filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
        named.map(|part| part.as_os_str().to_owned()).collect()
    }

    /// A user who can write to the folder could replace the files in it, unless its sticky bit is
    /// set.
    fn judge_folder(at: &Path, purpose: Purpose) -> Result<(), WayError> {
        let metadata = at.symlink_metadata().map_err(|error| fails(at, error))?;
        judge_owner(at, metadata.uid())?;
        let mode = metadata.mode() & 0o7777;
        let others = match purpose {
            Purpose::Trust => 0o022,
            Purpose::Secret => 0o002,
        };
        if mode & 0o1000 != 0 {
            return Ok(());
        }
        if mode & others != 0 {
            let at = at.to_owned();
            return Err(WayError::Writable { at, mode });
        }
        match mode & 0o020 {
            0 => Ok(()),
            _ => judge_list(at),
        }
    }

    /// If the folder has an access control list, its group bits limit all groups and users in the
    /// list.
    #[cfg(target_os = "linux")]
    fn judge_list(at: &Path) -> Result<(), WayError> {
        match crate::access_list::other_writer(at).map_err(|error| fails(at, error))? {
            None => Ok(()),
            Some(who) => {
                let at = at.to_owned();
                Err(WayError::List { at, who })
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn judge_list(_: &Path) -> Result<(), WayError> {
        Ok(())
    }

    /// The owner must be this user or root. Both could replace this program as well.
    fn judge_owner(at: &Path, uid: u32) -> Result<(), WayError> {
        if uid == 0 || uid == rustix::process::geteuid().as_raw() {
            return Ok(());
        }
        let at = at.to_owned();
        Err(WayError::Owner { at, uid })
    }

    fn fails(at: &Path, source: io::Error) -> WayError {
        let at = at.to_owned();
        WayError::Io { at, source }
    }
}

#[cfg(not(unix))]
mod system {
    use std::path::{Path, PathBuf};

    use super::{Purpose, WayError};

    pub(super) fn place(path: &Path) -> Result<PathBuf, WayError> {
        Ok(path.to_owned())
    }

    pub(super) fn walk(path: &Path, _: Purpose) -> Result<PathBuf, WayError> {
        Ok(path.to_owned())
    }
}
