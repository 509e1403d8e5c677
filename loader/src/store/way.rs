//! The way to a store: every folder and every link on it must be this user's or root's to change. A
//! user who can change one of them chooses which store is opened: an older one, or one whose images
//! were never hashed.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Component, Path, PathBuf};

use super::StoreError;
use super::folder::{FOLDER, judge_owner};

/// As many links as Linux follows (`path_resolution(7)`).
const MOST_LINKS: usize = 40;

/// The folder that `path` leads to, by a way that was judged part by part.
pub(super) fn judged(path: &Path) -> Result<PathBuf, StoreError> {
    let whole = std::path::absolute(path).map_err(|error| fails(path, error))?;
    let mut left: VecDeque<OsString> = parts(&whole);
    let mut at = PathBuf::from("/");
    let mut links = 0;
    while let Some(part) = left.pop_front() {
        if part == ".." {
            at.pop();
            continue;
        }
        judge_folder(&at)?;
        let next = at.join(&part);
        let metadata = next
            .symlink_metadata()
            .map_err(|error| fails(&next, error))?;
        if !metadata.is_symlink() {
            at = next;
            continue;
        }
        judge_owner(|| next.display().to_string(), metadata.uid())?;
        links += 1;
        if links > MOST_LINKS {
            return Err(fails(&next, io::Error::other("too many symbolic links")));
        }
        let target = next.read_link().map_err(|error| fails(&next, error))?;
        if target.is_absolute() {
            at = PathBuf::from("/");
        }
        let mut parts = parts(&target);
        parts.append(&mut left);
        left = parts;
    }
    Ok(at)
}

/// The parts of a path below its root.
fn parts(path: &Path) -> VecDeque<OsString> {
    let named = path.components();
    let named = named.filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
    named.map(|part| part.as_os_str().to_owned()).collect()
}

/// A folder above the store: who can write it could put another store there, unless only
/// owners may move what is in it (the sticky bit).
fn judge_folder(at: &Path) -> Result<(), StoreError> {
    let name = || at.display().to_string();
    let metadata = at.symlink_metadata().map_err(|error| fails(at, error))?;
    judge_owner(name, metadata.uid())?;
    let mode = metadata.mode() & 0o7777;
    if mode & 0o022 != 0 && mode & 0o1000 == 0 {
        return Err(StoreError::Writable {
            name: name(),
            mode,
            expected: FOLDER.bits(),
        });
    }
    Ok(())
}

fn fails(at: &Path, error: io::Error) -> StoreError {
    StoreError::io(at.display().to_string(), error)
}

/// Makes a folder and those above it, each on the disk before the next. Whatever the process's mask
/// of modes, others cannot write them.
pub(super) fn make(path: &Path) -> io::Result<()> {
    let create = || DirBuilder::new().mode(FOLDER.bits()).create(path);
    let made = match (create(), path.parent()) {
        (Err(error), Some(above))
            if error.kind() == io::ErrorKind::NotFound && above != Path::new("") =>
        {
            make(above)?;
            create()
        }
        (made, _) => made,
    };
    match made {
        Ok(()) => sync_above(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Waits until a folder's name is on the disk.
pub(super) fn sync_above(path: &Path) -> io::Result<()> {
    let above = match path.parent() {
        Some(above) if above != Path::new("") => above,
        _ => Path::new("."),
    };
    match File::open(above) {
        // Who may not read it has made nothing in it, but was given a folder.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        above => above?.sync_all(),
    }
}
