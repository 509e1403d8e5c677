//! Opens files for reading, without waiting for the writer of a pipe.
//!
//! Source: `open(2)`, `O_NONBLOCK`; `fifo(7)`.

use std::fs::File;
use std::io;
use std::path::Path;

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file cannot be opened.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is a folder.
    #[error("a folder, not a file")]
    Folder,
    /// It is a pipe or a device, so its length is not known.
    #[error("not a regular file")]
    NotAFile,
    /// The file is longer than its limit.
    #[error("the file has {len} bytes, which are too many")]
    TooLong {
        /// The file's length in bytes.
        len: u64,
    },
}

/// Opens a regular file of at most `most` bytes, and returns its length. Follows links.
///
/// # Errors
///
/// [`OpenError`].
pub fn open_regular(path: &Path, most: u64) -> Result<(File, u64), OpenError> {
    let file = open_to_read(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(OpenError::Folder);
    }
    if !metadata.is_file() {
        return Err(OpenError::NotAFile);
    }
    match metadata.len() {
        len if len > most => Err(OpenError::TooLong { len }),
        len => Ok((file, len)),
    }
}

/// Opens a file, a pipe or a device, and returns its length. A pipe has length 0. It must already
/// have a writer, as `<(command)` has; a pipe without a writer counts as empty. Follows links.
///
/// # Errors
///
/// The system's error; [`io::ErrorKind::IsADirectory`] for a folder.
pub fn open_stream(path: &Path) -> io::Result<(File, u64)> {
    let file = open_to_read(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    wait_for_bytes(&file)?;
    Ok((file, metadata.len()))
}

/// Without this flag, opening a pipe would wait for a writer.
#[cfg(unix)]
fn open_to_read(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, open};
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    Ok(open(path, flags, Mode::empty())?.into())
}

#[cfg(not(unix))]
fn open_to_read(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// From now on, reads wait for the bytes of a writer that exists.
#[cfg(unix)]
fn wait_for_bytes(file: &File) -> io::Result<()> {
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    Ok(fcntl_setfl(file, fcntl_getfl(file)? - OFlags::NONBLOCK)?)
}

#[cfg(not(unix))]
fn wait_for_bytes(_: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_of_a_bounded_length_are_regular() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(5).unwrap();
        assert_eq!(open_regular(file.path(), 5).unwrap().1, 5);
        let error = open_regular(file.path(), 4).unwrap_err();
        assert!(matches!(error, OpenError::TooLong { len: 5 }));
        let folder = tempfile::tempdir().unwrap();
        let error = open_regular(folder.path(), 5).unwrap_err();
        assert!(matches!(error, OpenError::Folder));
        let error = open_regular(&folder.path().join("missing"), 5).unwrap_err();
        assert!(matches!(error, OpenError::Io(_)));
        let error = open_stream(folder.path()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
    }

    #[cfg(unix)]
    #[test]
    fn a_device_is_no_regular_file() {
        let error = open_regular(Path::new("/dev/null"), 5).unwrap_err();
        assert!(matches!(error, OpenError::NotAFile));
        assert_eq!(open_stream(Path::new("/dev/null")).unwrap().1, 0);
    }
}
