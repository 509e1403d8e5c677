//! Folders for new files. They are removed again if the files do not come.
//!
//! Source for private folders: XDG Base Directory Specification, "Referencing this specification".

use std::fs::{self, DirBuilder};
use std::io;
use std::path::{Path, PathBuf};

use crate::sync::sync_above;

/// The mode of a folder that its owner alone may change.
#[cfg(unix)]
pub(crate) const FOLDER_MODE: u32 = 0o755;

/// What a new folder is for, which decides its mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderKind {
    /// Outputs: the process's mask of modes decides.
    Outputs,
    /// Files that are to be relied on: whatever the mask, others cannot write it. Each is on the
    /// disk before the next.
    Durable,
    /// Secrets: for this user alone.
    Private,
}

/// Folders that were made, each before those in it. Unless they are kept, they go when this is
/// dropped, as far as they are empty.
#[derive(Debug, Default)]
pub struct NewFolders(Vec<PathBuf>);

impl NewFolders {
    /// Makes a folder and those above it, where there are none.
    ///
    /// # Errors
    ///
    /// What the system says. The folders that were made until then go with this value.
    pub fn make(&mut self, path: &Path, kind: FolderKind) -> io::Result<()> {
        if path.as_os_str().is_empty() {
            return Ok(());
        }
        let made = match create(path, kind) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.make(path.parent().ok_or(error)?, kind)?;
                create(path, kind)
            }
            made => made,
        };
        match made {
            Ok(()) => self.0.push(path.to_owned()),
            Err(_) if path.is_dir() => return Ok(()),
            Err(error) => return Err(error),
        }
        match kind {
            FolderKind::Durable => sync_above(path),
            FolderKind::Outputs | FolderKind::Private => Ok(()),
        }
    }

    /// The files are there: the folders stay.
    pub fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for NewFolders {
    fn drop(&mut self) {
        for folder in self.0.iter().rev() {
            // One that cannot be removed stays. It is empty, or holds what another process put
            // there.
            let _ = fs::remove_dir(folder);
        }
    }
}

#[cfg(unix)]
fn create(path: &Path, kind: FolderKind) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = DirBuilder::new();
    match kind {
        FolderKind::Outputs => {}
        FolderKind::Durable => {
            builder.mode(FOLDER_MODE);
        }
        FolderKind::Private => {
            builder.mode(0o700);
        }
    }
    builder.create(path)
}

#[cfg(not(unix))]
fn create(path: &Path, _: FolderKind) -> io::Result<()> {
    DirBuilder::new().create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_go_again_unless_they_are_kept_or_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let (above, below) = (folder.path().join("a"), folder.path().join("a/b"));
        let make = |kind| {
            let mut made = NewFolders::default();
            made.make(&below, kind).unwrap();
            made
        };
        drop(make(FolderKind::Outputs));
        assert!(!above.exists());
        let made = make(FolderKind::Durable);
        fs::write(above.join("file"), "").unwrap();
        drop(made);
        assert!(above.exists() && !below.exists());
        make(FolderKind::Private).keep();
        assert!(below.exists());
        // It was there, and stays.
        drop(make(FolderKind::Outputs));
        assert!(below.exists());
    }

    #[test]
    fn a_file_is_no_folder() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let made = NewFolders::default().make(file.path(), FolderKind::Outputs);
        assert_eq!(made.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }

    #[cfg(unix)]
    #[test]
    fn the_kind_decides_the_mode() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        for (name, kind, most) in [
            ("durable", FolderKind::Durable, FOLDER_MODE),
            ("private", FolderKind::Private, 0o700),
        ] {
            let path = folder.path().join(name);
            let mut made = NewFolders::default();
            made.make(&path, kind).unwrap();
            let mode = path.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode & !most, 0, "{name}: {mode:o}");
        }
    }
}
