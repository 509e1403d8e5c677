//! Temporary files: written aside, then moved into place.

use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use super::Folder;
use crate::folder_error::FolderError;

/// A temporary file that only this process's user can open. If it is not moved, it is removed.
#[derive(Debug)]
pub struct Temporary<'a> {
    folder: &'a Folder,
    name: String,
    file: File,
}

impl<'a> Temporary<'a> {
    /// Makes a file under an unused name in a folder.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn new(folder: &'a Folder) -> Result<Self, FolderError> {
        let name = unused_name();
        let file = folder.create(&name)?;
        Ok(Self { folder, name, file })
    }

    /// The file's name in the folder in which it was made.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The file as `&mut`, for a buffered writer.
    pub fn file_mut(&mut self) -> &mut File {
        &mut self.file
    }

    /// Opens the file again for reading, and closes the descriptor that writes.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn reopened(mut self) -> Result<Self, FolderError> {
        self.file = self.folder.open_unjudged(&self.name)?;
        Ok(self)
    }

    /// Gives the file the mode of finished files. It may be lost or damaged if the machine stops.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn close(&self) -> Result<(), FolderError> {
        self.folder.close(&self.name, &self.file)
    }

    /// Gives the file the mode of finished files, and waits until it is on disk.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn finish(&self) -> Result<(), FolderError> {
        self.folder.finish(&self.name, &self.file)
    }

    /// Moves the file into place. A sync of `folder` waits until it is there on disk.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn moved_to(self, folder: &Folder, name: &str) -> Result<(), FolderError> {
        folder.take(self.folder, &self.name, name)
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        // A moved file is no longer there. If a file cannot be removed now, a later collection
        // removes it.
        let _ = self.folder.remove(&self.name);
    }
}

/// A name that is derived from this process and moment. Creating the file fails if the name is
/// taken.
pub(crate) fn unused_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let moment = since.map_or(0, |since| since.as_nanos());
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{}.{moment}.{count}", std::process::id())
}

/// Whether a name is the name of a [`Temporary`].
pub fn is_temporary_name(name: &str) -> bool {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    name.split('.').count() == 3 && name.split('.').all(number)
}
