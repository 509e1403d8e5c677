//! The way to a store: every folder and every link on it must be this user's or root's to change. A
//! user who can change one of them chooses which store is opened: an older one, or one whose images
//! were never hashed.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use edgec_verifier::way::{self, WayError};

use super::StoreError;
use super::folder::FOLDER;

/// The folder that `path` leads to, by a way that was judged part by part.
pub(super) fn judged(path: &Path) -> Result<PathBuf, StoreError> {
    way::end(path).map_err(|error| match error {
        WayError::Io { at, source } => StoreError::io(name(&at), source),
        WayError::Owner { at, uid } => StoreError::Owner {
            name: name(&at),
            uid,
        },
        WayError::Writable { at, mode } => StoreError::Writable {
            name: name(&at),
            mode,
            expected: FOLDER.bits(),
        },
        error => StoreError::io(name(path), io::Error::other(error)),
    })
}

fn name(at: &Path) -> String {
    at.display().to_string()
}

/// Makes a folder and those above it, each on the disk before the next, or none. Gives those that
/// were made, each before those in it. Whatever the process's mask of modes, others cannot write
/// them.
pub(super) fn make(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut made = Vec::new();
    match make_each(path, &mut made) {
        Ok(()) => Ok(made),
        Err(error) => {
            remove(&made);
            Err(error)
        }
    }
}

/// Removes folders that [`make`] made, as far as they are empty.
pub(super) fn remove(made: &[PathBuf]) {
    for folder in made.iter().rev() {
        // One that cannot be removed stays. It is empty, or holds what another process put there.
        let _ = fs::remove_dir(folder);
    }
}

fn make_each(path: &Path, made: &mut Vec<PathBuf>) -> io::Result<()> {
    let create = || DirBuilder::new().mode(FOLDER.bits()).create(path);
    let created = match (create(), path.parent()) {
        (Err(error), Some(above))
            if error.kind() == io::ErrorKind::NotFound && above != Path::new("") =>
        {
            make_each(above, made)?;
            create()
        }
        (created, _) => created,
    };
    match created {
        Ok(()) => {
            made.push(path.to_owned());
            sync_above(path)
        }
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
        // A user who may not read it has made nothing in it, but was given a folder.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        above => above?.sync_all(),
    }
}
