//! When names are on the disk: a file's name is in its folder, and that is synced apart from the
//! file.
//!
//! Source: `fsync(2)`.

#[cfg(unix)]
use std::fs::File;
use std::io;
use std::path::Path;

/// The folder that a path's last component lies in.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Waits until what was named, renamed or removed in a folder is on the disk.
///
/// # Errors
///
/// What the system says.
#[cfg(unix)]
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Does nothing: this system has no such wish.
///
/// # Errors
///
/// None.
#[cfg(not(unix))]
pub fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Waits until the name of a folder is on the disk. A user who may not read the folder above it has
/// made nothing there, but was given the folder.
///
/// # Errors
///
/// What the system says.
pub fn sync_above(path: &Path) -> io::Result<()> {
    match sync_folder(folder_of(path)) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        synced => synced,
    }
}
