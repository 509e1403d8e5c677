//! Checks that only the owner and root can change a folder and the files in it.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt as _;

use rustix::fs::{AtFlags, FileType, Mode, Stat, fstat, statat};
use rustix::io::Errno;

use super::{FINISHED, FOLDER, Folder, LOCK};
use crate::folder_error::FolderError;

impl Folder {
    /// Checks that only the owner and root can open a lock file, if a file of that name exists.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn judge_lock_if_there(&self, name: &str) -> Result<(), FolderError> {
        match statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(facts) => judge_lock(|| self.name(name), &facts),
            Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(self.fails(name, error)),
        }
    }

    /// Checks that only a trusted user can change a folder in this one.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn judge_inner(&self, name: &str) -> Result<(), FolderError> {
        let facts = statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW);
        let facts = facts.map_err(|error| self.fails(name, error))?;
        judge_folder(|| self.name(name), &facts)
    }

    /// Checks that only the owner and root can change a finished file or a folder in this one, if
    /// one exists. Does not check which of the two it is.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn judge_if_there(&self, name: &str) -> Result<(), FolderError> {
        let facts = match statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(()),
            facts => facts.map_err(|error| self.fails(name, error))?,
        };
        let whole = || self.name(name);
        match FileType::from_raw_mode(facts.st_mode) {
            FileType::Directory => judge_folder(whole, &facts),
            FileType::RegularFile => judge_finished(whole, facts.st_uid, facts.st_mode),
            _ => Ok(()),
        }
    }

    /// Checks that only the owner and root can change an open file. `name` is the name under which
    /// it was opened. Returns the file's metadata.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn judge_open(&self, name: &str, file: &File) -> Result<Metadata, FolderError> {
        let metadata = file.metadata();
        let metadata = metadata.map_err(|error| FolderError::io(self.name(name), error))?;
        judge_finished(|| self.name(name), metadata.uid(), metadata.mode())?;
        Ok(metadata)
    }

    /// Checks that only the owner and root can change this folder.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn judge(&self) -> Result<(), FolderError> {
        let facts = fstat(&self.fd).map_err(|error| FolderError::io(&self.name, error))?;
        judge_folder(|| self.name.clone(), &facts)
    }
}

/// Only the owner may change a folder.
pub(super) fn judge_folder(name: impl Fn() -> String, facts: &Stat) -> Result<(), FolderError> {
    judge_owner(&name, facts.st_uid)?;
    judge_mode(&name, facts.st_mode, 0o022, FOLDER)
}

/// Only the owner may open a lock file.
pub(super) fn judge_lock(name: impl Fn() -> String, facts: &Stat) -> Result<(), FolderError> {
    if !FileType::from_raw_mode(facts.st_mode).is_file() {
        return Err(FolderError::NotAFile { name: name() });
    }
    judge_owner(&name, facts.st_uid)?;
    judge_mode(&name, facts.st_mode, 0o022, LOCK)?;
    match facts.st_nlink {
        0 | 1 => Ok(()),
        _ => Err(FolderError::Linked { name: name() }),
    }
}

/// No user may write a finished file.
pub(super) fn judge_finished(
    name: impl Fn() -> String,
    uid: u32,
    mode: u32,
) -> Result<(), FolderError> {
    judge_owner(&name, uid)?;
    judge_mode(&name, mode, 0o222, FINISHED)
}

/// Checks that a mode has no bit of `forbidden`. The error names the expected mode.
fn judge_mode(
    name: impl Fn() -> String,
    mode: u32,
    forbidden: u32,
    expected: Mode,
) -> Result<(), FolderError> {
    if mode & forbidden == 0 {
        return Ok(());
    }
    Err(FolderError::Writable {
        name: name(),
        mode: mode & 0o7777,
        expected: expected.bits(),
    })
}

/// The owner must be this user or root. Both could replace this program as well.
fn judge_owner(name: impl Fn() -> String, uid: u32) -> Result<(), FolderError> {
    if uid == 0 || uid == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    Err(FolderError::Owner { name: name(), uid })
}
