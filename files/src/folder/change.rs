//! Changes to a folder: files are written in another folder, and then renamed into this one.

use std::fs::File;
use std::io::Write as _;

use rustix::fs::{AtFlags, FileType, fchmod, fsync, renameat, statat, syncfs, unlinkat};
use rustix::io::Errno;

use super::temporary::{Temporary, unused_name};
use super::{FINISHED, Folder};
use crate::folder_error::FolderError;

impl Folder {
    /// Gives a file the mode of finished files.
    pub(crate) fn close(&self, name: &str, file: &File) -> Result<(), FolderError> {
        fchmod(file, FINISHED).map_err(|error| self.fails(name, error))
    }

    /// Gives a file the mode of finished files, and waits until it is on disk.
    pub(crate) fn finish(&self, name: &str, file: &File) -> Result<(), FolderError> {
        self.close(name, file)?;
        fsync(file).map_err(|error| self.fails(name, error))
    }

    /// Moves `from` in `other` to `to` in this folder, and replaces the file that is there.
    pub(crate) fn take(&self, other: &Self, from: &str, to: &str) -> Result<(), FolderError> {
        renameat(&other.fd, from, &self.fd, to).map_err(|error| self.fails(to, error))
    }

    /// Replaces a file with a short finished file, which is first written in `temporary`. Waits
    /// until the new file is on disk.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn replace(&self, temporary: &Self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        self.put(temporary, name, bytes)?;
        self.sync()
    }

    /// Like [`Self::replace`], but the file's name is on disk only after a sync of this folder.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn put(&self, temporary: &Self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        let aside = Temporary::new(temporary)?;
        let written = aside.file().write_all(bytes);
        written.map_err(|error| FolderError::io(self.name(name), error))?;
        aside.finish()?;
        aside.moved_to(self, name)
    }

    /// Removes a file, if it exists.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn remove(&self, name: &str) -> Result<(), FolderError> {
        match unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(self.fails(name, error)),
        }
    }

    /// Removes a folder and the files in it. It moves the folder to `temporary` first, so other
    /// processes see either all files or none.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn remove_folder(&self, temporary: &Self, name: &str) -> Result<(), FolderError> {
        let aside = unused_name();
        match renameat(&self.fd, name, &temporary.fd, &aside) {
            Ok(()) => {
                self.sync()?;
                temporary.sync()?;
                // If a file cannot be removed now, a later collection removes it.
                let _ = temporary.clear(&aside);
                Ok(())
            }
            // On an overlay file system, a folder of a lower layer cannot be moved.
            Err(Errno::XDEV) => {
                self.clear(name)?;
                self.sync()
            }
            Err(error) => Err(self.fails(name, error)),
        }
    }

    /// Removes a file, or a folder of files. A folder inside that folder was not made by this
    /// program, and stays. Returns whether everything was removed.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn clear(&self, name: &str) -> Result<bool, FolderError> {
        match unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => return Ok(true),
            Err(Errno::ISDIR | Errno::PERM) => {}
            Err(error) => return Err(self.fails(name, error)),
        }
        let folder = self.folder(name)?;
        for file in folder.names()? {
            match unlinkat(&folder.fd, &*file, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT | Errno::ISDIR) => {}
                Err(error) => return Err(folder.fails(&file, error)),
            }
        }
        match unlinkat(&self.fd, name, AtFlags::REMOVEDIR) {
            Ok(()) => Ok(true),
            Err(Errno::NOTEMPTY) => Ok(false),
            Err(error) => Err(self.fails(name, error)),
        }
    }

    /// How many bytes it frees to remove the file: 0 if the file has another name. `None` if it is
    /// not a regular file.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn freed_without(&self, name: &str) -> Result<Option<u64>, FolderError> {
        let facts = statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW);
        let facts = facts.map_err(|error| self.fails(name, error))?;
        if !FileType::from_raw_mode(facts.st_mode).is_file() {
            return Ok(None);
        }
        let blocks = u64::try_from(facts.st_blocks).unwrap_or(0);
        Ok(Some(if facts.st_nlink == 1 { blocks * 512 } else { 0 }))
    }

    /// Waits until all changes of names in this folder are on disk.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn sync(&self) -> Result<(), FolderError> {
        fsync(&self.fd).map_err(|error| self.fails(".", error))
    }

    /// Waits until the whole file system of this folder is on disk.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn sync_all(&self) -> Result<(), FolderError> {
        syncfs(&self.fd).map_err(|error| self.fails(".", error))
    }
}
