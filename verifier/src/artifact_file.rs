//! The file of an artifact, opened to be read from beginning to end.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use edgec_artifact::MAX_ARTIFACT_LEN;
use edgec_files::{OpenError, open_regular};

/// Why the file of an artifact cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtifactFileError {
    /// The file cannot be opened or read, or there is no memory for it.
    #[error("cannot read `{}`", path.display())]
    Io {
        /// The path of the file, as the caller gave it.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is a folder, a pipe or a device, which has no known length. Copy it to a file
    /// first.
    #[error("not a regular file")]
    NotAFile,
    /// The file is longer than any artifact.
    #[error("the file has {len} bytes, an artifact has at most {MAX_ARTIFACT_LEN}")]
    TooLong {
        /// The file's length in bytes.
        len: u64,
    },
}

impl ArtifactFileError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "io",
            Self::NotAFile => "not-a-file",
            Self::TooLong { .. } => "too-long",
        }
    }

    /// The error of a system that does not read the file.
    pub fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        Self::Io { path, source }
    }
}

/// Opens the file of an artifact, to read it from beginning to end. Returns the file and its length
/// in bytes. The file may change while it is read: verify the bytes that were read, and do not read
/// it again.
///
/// # Errors
///
/// [`ArtifactFileError`].
pub fn open_artifact(path: impl AsRef<Path>) -> Result<(File, u64), ArtifactFileError> {
    let path = path.as_ref();
    open_regular(path, MAX_ARTIFACT_LEN).map_err(|error| match error {
        OpenError::Io(error) => ArtifactFileError::io(path, error),
        OpenError::Folder | OpenError::NotAFile => ArtifactFileError::NotAFile,
        OpenError::TooLong { len } => ArtifactFileError::TooLong { len },
        error => ArtifactFileError::io(path, io::Error::other(error)),
    })
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn an_error_of_a_file_names_it_and_does_not_repeat_its_source() {
        let error = open_artifact("/nonexistent/app.cwasm").unwrap_err();
        assert_eq!(error.code(), "io");
        assert_eq!(error.to_string(), "cannot read `/nonexistent/app.cwasm`");
        assert!(error.source().is_some());
    }
}
