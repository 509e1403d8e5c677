//! The content of a layout: `blobs/sha256/` and the digest.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use edgec_artifact::Sha256Digest;
use edgec_files::{Durability, NewMode, OpenError, open_regular, read_bounded, write_aside};

use super::io as failed;
use crate::checked::Incoming;
use crate::{BlobSource, Descriptor, RegistryError};

fn path(folder: &Path, digest: Sha256Digest) -> PathBuf {
    folder.join("blobs").join("sha256").join(digest.to_string())
}

/// A blob of at most `most` bytes. `None` if there is none.
pub(super) fn read(
    folder: &Path,
    digest: Sha256Digest,
    most: u64,
) -> Result<Option<Vec<u8>>, RegistryError> {
    let path = path(folder, digest);
    match open(&path, most)? {
        None => Ok(None),
        Some((file, length)) => {
            let bytes = read_bounded(file, most, length);
            bytes.map(Some).map_err(|error| failed(&path, error))
        }
    }
}

/// The length of a blob. `None` if there is none.
pub(super) fn length(folder: &Path, digest: Sha256Digest) -> Result<Option<u64>, RegistryError> {
    let path = path(folder, digest);
    match fs::metadata(&path) {
        Ok(found) if found.is_file() => Ok(Some(found.len())),
        Ok(_) => Err(not_a_file(&path)),
        Err(error) if is_absence(&error) => Ok(None),
        Err(error) => Err(failed(&path, error)),
    }
}

/// Passes a blob on. Returns `false` if there is none.
pub(super) fn stream(folder: &Path, into: &mut Incoming<'_>) -> Result<bool, RegistryError> {
    let path = path(folder, into.digest());
    let Some((mut file, length)) = open(&path, u64::MAX)? else {
        return Ok(false);
    };
    if length != into.size() {
        return Err(into.wrong_size(length));
    }
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(true),
            Ok(read) => into.take(buffer.get(..read).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(&path, error)),
        }
    }
}

/// Puts a blob in place. Its bytes have this digest.
pub(super) fn write(
    folder: &Path,
    digest: Sha256Digest,
    bytes: &[u8],
) -> Result<(), RegistryError> {
    let path = path(folder, digest);
    // A file of the same name may be damaged. So it is replaced, unless it has these bytes.
    if read(folder, digest, bytes.len() as u64).is_ok_and(|it| it.as_deref() == Some(bytes)) {
        return Ok(());
    }
    let aside = write_aside(&path, bytes, NewMode::AsBefore, Durability::OnDisk);
    let aside = aside.map_err(|error| failed(&path, error))?;
    edgec_files::put_all(vec![aside]).map_err(|error| failed(&path, error.source))
}

/// What is to be written. The content of a file may not be longer than its descriptor says.
pub(super) fn source(
    source: &BlobSource<'_>,
    descriptor: &Descriptor,
) -> Result<Vec<u8>, RegistryError> {
    let wrong = |found| RegistryError::Size {
        what: format!("blob {}", descriptor.digest),
        expected: descriptor.size,
        found,
    };
    let bytes = match source {
        BlobSource::Bytes(bytes) => bytes.to_vec(),
        BlobSource::File(path) => {
            let opened = open_regular(path, descriptor.size);
            let (file, length) = opened.map_err(|error| match error {
                OpenError::TooLong { len } => wrong(len),
                error => failed(path, io::Error::other(error)),
            })?;
            let bytes = read_bounded(file, descriptor.size, length);
            bytes.map_err(|error| failed(path, error))?
        }
    };
    match bytes.len() as u64 == descriptor.size {
        true => Ok(bytes),
        false => Err(wrong(bytes.len() as u64)),
    }
}

/// Opens a file of at most `most` bytes. `None` if there is none.
pub(super) fn open(path: &Path, most: u64) -> Result<Option<(fs::File, u64)>, RegistryError> {
    match open_regular(path, most) {
        Ok(opened) => Ok(Some(opened)),
        Err(OpenError::Io(error)) if is_absence(&error) => Ok(None),
        Err(OpenError::Io(error)) => Err(failed(path, error)),
        Err(OpenError::TooLong { .. }) => Err(RegistryError::TooLong {
            what: format!("`{}`", path.display()),
            limit: most,
        }),
        Err(_) => Err(not_a_file(path)),
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn not_a_file(path: &Path) -> RegistryError {
    RegistryError::Layout {
        path: path.to_owned(),
        what: "it is not a regular file".to_owned(),
    }
}
