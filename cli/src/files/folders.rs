//! Folders for new files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::cannot;
use crate::failure::Failure;

/// Folders that were made, each before those in it. They are removed again if the files do not
/// come.
#[derive(Default)]
pub(crate) struct NewFolders(Vec<PathBuf>);

impl NewFolders {
    /// Makes a folder and those above it.
    pub(crate) fn make(&mut self, path: &Path) -> Result<(), Failure> {
        let made = self.make_each(path);
        made.map_err(|error| cannot("create", path, &error))
    }

    fn make_each(&mut self, path: &Path) -> io::Result<()> {
        if path.as_os_str().is_empty() {
            return Ok(());
        }
        let made = match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.make_each(path.parent().ok_or(error)?)?;
                fs::create_dir(path)
            }
            made => made,
        };
        match made {
            Ok(()) => self.0.push(path.to_owned()),
            Err(_) if path.is_dir() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The files are there.
    pub(crate) fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for NewFolders {
    fn drop(&mut self) {
        for folder in self.0.iter().rev() {
            // One that is not empty is in use.
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Makes a folder and those above it, if there are none, for this user alone: a key is not read
/// from where others can put another in its place.
///
/// Source: XDG Base Directory Specification, "Referencing this specification".
pub(crate) fn create_private(path: &Path) -> Result<(), Failure> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    let created = builder.create(path);
    created.map_err(|error| cannot("create", path, &error))
}
