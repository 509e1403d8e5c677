//! Makes a store, and removes it again if nothing is admitted to it.

use std::path::Path;

use edgec_files::{Folder, Hold, NewFolders, sync_above};

use super::clock::CLOCK;
use super::statements::RELEASES;
use super::{CHANGES, FOLDERS, FORMAT, FORMAT_FILE, LOCKS, StoreError};

/// The files of a new store. If this value is dropped, they are removed, unless something was
/// admitted or another process uses the store.
#[derive(Debug)]
#[must_use = "the store is removed again unless it is kept"]
pub struct NewStore {
    root: Folder,
    /// The store's own folder and the folders above it that were made.
    folders: NewFolders,
    /// Whether the folder was empty before, so everything in it belongs to a store.
    empty: bool,
    kept: bool,
}

impl NewStore {
    /// Keeps the store.
    pub fn keep(mut self) {
        self.kept = true;
        std::mem::take(&mut self.folders).keep();
    }

    /// Makes the missing parts of a store; `None` if the store existed.
    pub(super) fn make(path: &Path) -> Result<Option<Self>, StoreError> {
        let (root, folders) = Folder::root_or_new(path)?;
        let mut new = Self {
            root,
            folders,
            empty: false,
            kept: false,
        };
        let made = new.fill(path)?;
        // The process that made the store may have ended before it was on the disk.
        new.root.sync()?;
        if made {
            return Ok(Some(new));
        }
        new.keep();
        Ok(None)
    }

    fn fill(&mut self, path: &Path) -> Result<bool, StoreError> {
        if self.root.has(FORMAT_FILE) {
            return Ok(false);
        }
        let before = self.root.names()?;
        let ours = |name: &String| FOLDERS.contains(&&**name) || LOCKS.contains(&&**name);
        // This is checked again, because another process may have made the store since, and
        // admitted something.
        if !before.iter().all(ours) && !self.root.has(FORMAT_FILE) {
            let name = path.display().to_string();
            return Err(StoreError::NotAStore { name });
        }
        self.empty = before.is_empty();
        let root = &self.root;
        let _changes = root.locked(CHANGES, Hold::Exclusive)?;
        if root.has(FORMAT_FILE) {
            return Ok(false);
        }
        sync_above(path).map_err(|error| StoreError::io(path.display().to_string(), error))?;
        for name in FOLDERS {
            root.folder_or_new(name)?;
        }
        let temporary = root.folder("temporary")?;
        root.replace(&temporary, FORMAT_FILE, FORMAT)?;
        Ok(true)
    }

    /// Removes the folder's content, unless something was admitted or another process uses the
    /// store.
    fn clear(&self) -> Result<(), StoreError> {
        let root = &self.root;
        let mut held = Vec::new();
        for name in LOCKS {
            match root.try_locked(name, Hold::Exclusive) {
                Ok(Some(lock)) => held.push(lock),
                Ok(None) => return Ok(()),
                // If there is no space for the file, no other process has the file either.
                Err(_) => {}
            }
        }
        if root.has("names") {
            let names = root.folder("names")?;
            let applications = names.names()?;
            for application in &applications {
                if !names.folder(application)?.names()?.is_empty() {
                    return Ok(());
                }
            }
            // This file is removed first, so that no process opens an incomplete store.
            root.remove(FORMAT_FILE)?;
            for application in &applications {
                names.clear(application)?;
            }
        }
        if root.has(RELEASES) {
            let releases = root.folder(RELEASES)?;
            for application in releases.names()? {
                releases.clear(&application)?;
            }
        }
        root.remove(FORMAT_FILE)?;
        for name in FOLDERS.iter().chain(&LOCKS).chain(&[RELEASES, CLOCK]) {
            root.clear(name)?;
        }
        Ok(())
    }
}

impl Drop for NewStore {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        if self.empty {
            // The next process that makes a store here reuses the files that could not be removed.
            let _ = self.clear();
        }
        // Dropping `folders` removes the folders themselves.
    }
}
