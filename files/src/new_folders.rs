//! Folders for new files. They are removed again if no files follow.
//!
//! Source for private folders: XDG Base Directory Specification, "Referencing this specification".

use std::fs::{self, DirBuilder};
use std::io;
use std::path::{Path, PathBuf};

use crate::sync::sync_above;

/// The mode of a folder that only its owner may change.
#[cfg(unix)]
pub(crate) const FOLDER_MODE: u32 = 0o755;

/// What a new folder is for, which decides its mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderKind {
    /// Outputs: the process's umask decides the mode.
    Outputs,
    /// Trusted files: others cannot write it, whatever the umask. Each folder is on disk before the
    /// next is made.
    Durable,
    /// Secrets: only this user can read it.
    Private,
}

/// The folders that were made, outer ones first. When this is dropped, it removes those that are
/// empty, unless they were kept.
#[derive(Debug, Default)]
pub struct NewFolders(Vec<PathBuf>);

impl NewFolders {
    /// Makes a folder, and the missing folders above it.
    ///
    /// # Errors
    ///
    /// The system's error. Dropping this value removes the folders that were made until then.
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

    /// Keeps the folders, because the files are there.
    pub fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for NewFolders {
    fn drop(&mut self) {
        for folder in self.0.iter().rev() {
            // A folder that cannot be removed stays: it may hold files of another process.
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
        // The folder existed before, so it stays.
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
