//! Checks whether users other than the owner and root can change a store after it was opened. The
//! store's folders stay open, and a program's image stays mapped, while their modes and owners may
//! change.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::time::SystemTime;

use super::application::Application;
use super::version::Entry;
use super::{ArtifactStore, StoreError};

impl ArtifactStore {
    /// Checks modes and owners like an opening does: those of the store's folders, of the
    /// application's folder and of the artifact's envelope. The code that opens the image checks
    /// the image.
    pub(super) fn guard(&self, application: &Application, entry: &Entry) -> Result<(), StoreError> {
        let store = &self.0;
        for folder in [
            &store.root,
            &store.artifacts,
            &store.names,
            &store.temporary,
        ] {
            folder.judge()?;
        }
        store.names.judge_if_there(&application.folder())?;
        Ok(store.artifacts.judge_if_there(&entry.envelope_name())?)
    }

    /// Checks the very file that a program was loaded from, and whether it was written since.
    /// `written` is the value that [`written`] returned at the load. The image's name may lead to
    /// another file now.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn guard_mapped(
        &self,
        file: &File,
        entry: &Entry,
        written: Option<SystemTime>,
    ) -> Result<(), StoreError> {
        let (artifacts, image) = (&self.0.artifacts, entry.image_name());
        let metadata = artifacts.judge_open(&image, file)?;
        match metadata.modified().ok() == written {
            true => Ok(()),
            false => Err(StoreError::damaged(
                artifacts.name(&image),
                "it was written after it was loaded",
            )),
        }
    }

    /// Whether the image's name now leads to another file than the one that a program was loaded
    /// from.
    pub fn is_renewed(&self, mapped: &File, entry: &Entry) -> bool {
        let found = self.0.artifacts.file(&entry.image_name());
        found.is_ok_and(|(file, _)| !is_same(mapped, &file))
    }
}

/// When a file was last written. Only its owner and root can change that time.
pub fn written(file: &File) -> Option<SystemTime> {
    file.metadata().ok()?.modified().ok()
}

/// Whether two open files are the same file. If the system does not say, the answer is yes.
fn is_same(one: &File, other: &File) -> bool {
    match (one.metadata(), other.metadata()) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => true,
    }
}
