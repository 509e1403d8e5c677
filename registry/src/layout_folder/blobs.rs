//! The content of a layout: `blobs/sha256/` and the digest.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use edgec_artifact::Sha256Digest;
use edgec_files::{
    Aside, Durability, NewMode, OpenError, Unnamed, folder_of, open_regular, put_all, read_bounded,
    write_aside,
};

use super::io as failed;
use crate::checked::{Incoming, digest_of};
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
    let Some((file, length)) = open(&path, u64::MAX)? else {
        return Ok(false);
    };
    if length != into.size() {
        return Err(into.wrong_size(length));
    }
    pass_on(file, &path, into)?;
    Ok(true)
}

/// Passes on what is left of a file.
fn pass_on(mut file: fs::File, path: &Path, into: &mut Incoming<'_>) -> Result<(), RegistryError> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => into.take(buffer.get(..read).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(path, error)),
        }
    }
}

/// Puts bytes in place that have this digest.
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
    placed(&path, aside)
}

/// Puts a blob of any length in place. It is compared with its descriptor while it is written.
pub(super) fn put(
    folder: &Path,
    descriptor: &Descriptor,
    source: &BlobSource<'_>,
) -> Result<(), RegistryError> {
    let path = path(folder, digest_of(descriptor)?);
    let written = |error| failed(&path, error);
    let mut file = Unnamed::new_in(folder_of(&path)).map_err(written)?;
    let place = folder.display().to_string();
    let mut incoming = Incoming::new(descriptor, &place, &mut file)?;
    let passed = match source {
        BlobSource::Bytes(bytes) => incoming.take(bytes),
        BlobSource::File(from) => {
            let opened = open_regular(from, u64::MAX);
            let (source, _) = opened.map_err(|error| failed(from, io::Error::other(error)))?;
            pass_on(source, from, &mut incoming)
        }
    };
    passed.map_err(|error| match error {
        RegistryError::Sink(source) => failed(&path, source),
        error => error,
    })?;
    incoming.finish()?;
    placed(
        &path,
        file.aside(&path, NewMode::AsBefore, Durability::OnDisk),
    )
}

fn placed(path: &Path, aside: io::Result<Aside>) -> Result<(), RegistryError> {
    let aside = aside.map_err(|error| failed(path, error))?;
    put_all(vec![aside]).map_err(|error| failed(path, error.source))
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
