//! Several files take the places of old ones together. If one cannot, the old ones come back.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, PathPersistError, TempPath};

/// A new file in its place. The old one can come back, and goes when this is dropped.
pub(super) struct Placed {
    path: PathBuf,
    old: Old,
}

/// Where the old file is.
enum Old {
    /// There was none.
    Absent,
    /// Under a temporary name.
    Kept(TempPath),
    /// Nowhere: the file system neither exchanges two files nor gives one a second name.
    Gone,
}

impl Placed {
    pub(super) fn put(file: NamedTempFile, path: &Path) -> io::Result<Self> {
        let placed = |old| {
            let path = path.to_owned();
            Self { path, old }
        };
        if path.symlink_metadata().is_err() {
            put(file, path)?;
            return Ok(placed(Old::Absent));
        }
        if exchange(file.path(), path).is_ok() {
            return Ok(placed(Old::Kept(file.into_temp_path())));
        }
        // Why that failed, if not for the file system, the renaming tells.
        let kept = second_name(path, file.path());
        put(file, path)?;
        Ok(placed(kept.map_or(Old::Gone, Old::Kept)))
    }

    /// Puts the old file back. If that fails, says what is there instead.
    pub(super) fn undo(self) -> Result<(), String> {
        let Self { path, old } = self;
        let shown = path.display();
        match old {
            Old::Absent => fs::remove_file(&path)
                .map_err(|error| format!("the new {shown} cannot be removed again: {error}")),
            Old::Kept(old) => old
                .persist(&path)
                .map_err(|PathPersistError { error, path }| match path.keep() {
                    Ok(kept) => format!("the old {shown} is now {}: {error}", kept.display()),
                    Err(_) => format!("the old {shown} is lost: {error}"),
                }),
            Old::Gone => Err(format!("{shown} is new, and the old file is gone")),
        }
    }
}

/// Puts a new file in the place of an old one, for good.
pub(super) fn put(file: NamedTempFile, path: &Path) -> io::Result<()> {
    match file.persist(path) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.error),
    }
}

/// Each file gets the other's name, at once.
#[cfg(target_os = "linux")]
fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

#[cfg(not(target_os = "linux"))]
fn exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Gives a file a second name, derived from that of a temporary file.
fn second_name(path: &Path, temporary: &Path) -> Option<TempPath> {
    let mut name = temporary.as_os_str().to_owned();
    name.push(".old");
    fs::hard_link(path, &name).ok()?;
    TempPath::try_from_path(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new_file(folder: &Path) -> NamedTempFile {
        let file = NamedTempFile::new_in(folder).unwrap();
        fs::write(file.path(), "new").unwrap();
        file
    }

    fn names(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn the_old_file_comes_back_or_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "old").unwrap();
        let placed = Placed::put(new_file(folder.path()), &path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        placed.undo().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names(folder.path()), 1);

        drop(Placed::put(new_file(folder.path()), &path).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(names(folder.path()), 1);
    }

    #[test]
    fn where_there_was_none_there_is_none_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let placed = Placed::put(new_file(folder.path()), &path).unwrap();
        placed.undo().unwrap();
        assert_eq!(names(folder.path()), 0);
    }

    /// What file systems do that cannot exchange two files.
    #[test]
    fn a_second_name_keeps_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "old").unwrap();
        let file = new_file(folder.path());
        let kept = second_name(&path, file.path()).unwrap();
        put(file, &path).unwrap();
        assert_eq!(fs::read_to_string(&kept).unwrap(), "old");
        let placed = Placed {
            path: path.clone(),
            old: Old::Kept(kept),
        };
        placed.undo().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names(folder.path()), 1);
    }

    /// What cannot come back is told, and no other file is taken for it.
    #[test]
    fn what_does_not_come_back_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let undone = |old| {
            Placed {
                path: path.clone(),
                old,
            }
            .undo()
            .unwrap_err()
        };
        assert!(undone(Old::Gone).contains("the old file is gone"));
        assert!(undone(Old::Absent).contains("cannot be removed again"));
    }
}
