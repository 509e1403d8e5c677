//! The way to a file: every folder and every link on it must be this user's or root's to change. A
//! user who can change one of them puts another file in the place of this one, with a rename,
//! whatever the mode of the file itself.
//!
//! A folder's mode says enough also where it has a POSIX access control list: its group's bits are
//! then the most that any user or group may do whom the list names. Where these bits may be set,
//! the list is read.
//!
//! Source: `path_resolution(7)`; for the sticky bit `inode(7)`; for the lists `acl(5)`.

use std::io;
use std::path::{Path, PathBuf};

/// Why other users can lead a path elsewhere.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WayError {
    /// A folder or a link on the way cannot be looked at, or is not there.
    #[error("cannot examine `{}`", at.display())]
    Io {
        /// The folder or link.
        at: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder that other users may change, and whose sticky bit is not set.
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
    /// A folder whose access control list lets another user, or a group that it names, change it.
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
    /// A folder or a link of another user, who is not root.
    #[error("`{}`, which leads to it, belongs to another user ({uid})", at.display())]
    Owner {
        /// The folder or link.
        at: PathBuf,
        /// The owner.
        uid: u32,
    },
}

/// The folder or file that `path` leads to, by a way that was judged part by part. Links are
/// followed. What lies at its end is not judged.
///
/// # Errors
///
/// [`WayError`].
pub fn end(path: &Path) -> Result<PathBuf, WayError> {
    system::walk(path, Purpose::Trust)
}

/// The place that `path` names. The folder in which it is was judged, and the way to that folder.
/// The last part is not followed: what lies there, if anything, is the caller's to judge.
///
/// # Errors
///
/// [`WayError`].
pub fn place(path: &Path) -> Result<PathBuf, WayError> {
    system::place(path)
}

/// Judges the way to the file of a secret, and the folder in which it lies. Links are followed.
///
/// Folders that their group may write to pass, since many systems give each user a group of their
/// own. Those whom an access control list names may not. An open file of a process (`/dev/stdin`,
/// `/proc/self/fd/3`) has no way: the process that opened it chose it.
///
/// # Errors
///
/// [`WayError`].
pub fn judge_secret(path: &Path) -> Result<(), WayError> {
    system::walk(path, Purpose::Secret).map(|_| ())
}

/// As [`judge_secret`], for a file that is still to be made, and perhaps some folders above it. The
/// folders that are there are judged.
///
/// # Errors
///
/// [`WayError`].
pub fn judge_place_of_secret(path: &Path) -> Result<(), WayError> {
    match judge_secret(path) {
        // The way ends there. All of it up to there was judged.
        Err(WayError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(()),
        judged => judged,
    }
}

/// What a file is for, which decides what passes on the way to it.
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

    /// As many links as Linux follows (`path_resolution(7)`).
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
            // The text of such a link is a description: the file may have no name any more.
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

    /// A user who can write the folder could replace what is in it, unless only owners may move
    /// what is theirs (the sticky bit).
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

    /// The bits of the folder's group are those of all groups and users that its access control
    /// list names, if it has one.
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

    /// The owner must be this user or root, who could replace this program as well.
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
