//! Syncing names to disk. A file's name is in its folder, which is synced separately from the file.
//!
//! Source: `fsync(2)`.

#[cfg(unix)]
use std::fs::File;
use std::io;
use std::path::Path;

/// The folder that contains a path's last component.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Waits until all changes of names in a folder are on disk.
///
/// # Errors
///
/// The system's error.
#[cfg(unix)]
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Does nothing: this system has no such call.
///
/// # Errors
///
/// None.
#[cfg(not(unix))]
pub fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Waits until the name of a folder is on disk. If the user may not read the folder above it, the
/// user did not make the name, so nothing is synced.
///
/// # Errors
///
/// The system's error.
pub fn sync_above(path: &Path) -> io::Result<()> {
    match sync_folder(folder_of(path)) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        synced => synced,
    }
}
