//! Files in the making: written aside, then moved into their place.

use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::OFlags;

use super::StoreError;
use super::folder::Folder;

/// A file in the making, which goes when it is not moved.
pub(crate) struct Temporary<'a> {
    folder: &'a Folder,
    name: String,
    pub(crate) file: File,
}

impl<'a> Temporary<'a> {
    pub(crate) fn new(folder: &'a Folder) -> Result<Self, StoreError> {
        let name = unused_name();
        let file = folder.create(&name)?;
        Ok(Self { folder, name, file })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Opens the file again, for reading, and lets go of the descriptor that writes.
    pub(crate) fn reopened(mut self) -> Result<Self, StoreError> {
        self.file = File::from(self.folder.open(&self.name, OFlags::RDONLY)?);
        Ok(self)
    }

    /// Puts the file in its place; a sync of `folder` is what waits until it is there on the disk.
    pub(crate) fn moved_to(self, folder: &Folder, name: &str) -> Result<(), StoreError> {
        folder.take(self.folder, &self.name, name)
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        // Moved, it is not there any more; else a collection takes what cannot be removed now.
        let _ = self.folder.remove(&self.name);
    }
}

/// A name from this process and moment. Creating the file fails if the name is taken.
pub(crate) fn unused_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let moment = since.map_or(0, |since| since.as_nanos());
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{}.{moment}.{count}", std::process::id())
}

/// Whether a name is one that [`unused_name`] made.
pub(crate) fn is_ours(name: &str) -> bool {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    name.split('.').count() == 3 && name.split('.').all(number)
}
