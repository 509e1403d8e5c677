//! Why an artifact is not admitted, or fails verification in a store.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use edgec_files::{FolderError, OpenError, open_regular};
use edgec_verifier::{ClockError, LoadMode, MAX_ARTIFACT_LEN, TrustPolicy, VerifyError};

use super::StoreError;

/// Why an artifact is not admitted, or what is wrong with an admitted one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdmissionError {
    /// The file cannot be opened or read, or there is no memory.
    #[error("cannot read `{}`", path.display())]
    Io {
        /// The path of the artifact, as the caller gave it.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is a folder, a pipe or a device, which has no known length.
    #[error("not a regular file")]
    NotAFile,
    /// The file is longer than any artifact.
    #[error("the file has {len} bytes, an artifact has at most {MAX_ARTIFACT_LEN}")]
    TooLong {
        /// The file's length in bytes.
        len: u64,
    },
    /// The artifact fails verification under the policy.
    #[error("the artifact is not trusted")]
    Verify(#[from] VerifyError),
    /// The policy requires stronger protection of the bytes.
    #[error("the policy requires load mode {wanted} or better, and this would be {found}")]
    Mode {
        /// The load mode of the artifact.
        found: LoadMode,
        /// The weakest load mode that the policy accepts.
        wanted: LoadMode,
    },
    /// The clock does not know the time, so no validity can be checked.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// The store does not have the artifact, or the artifact has changed since its admission.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AdmissionError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "io",
            Self::NotAFile => "not-a-file",
            Self::TooLong { .. } => "too-long",
            Self::Verify(error) => error.code(),
            Self::Mode { .. } => "load-mode",
            Self::Clock(_) => "clock",
            Self::Store(error) => error.code(),
        }
    }

    pub(crate) fn io(path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Io {
            path: path.to_owned(),
            source: source.into(),
        }
    }
}

impl From<FolderError> for AdmissionError {
    fn from(error: FolderError) -> Self {
        Self::Store(error.into())
    }
}

/// Opens an artifact, to read it from beginning to end. Returns the file and its length in bytes.
///
/// # Errors
///
/// [`AdmissionError`].
pub(crate) fn open_artifact(path: &Path) -> Result<(File, u64), AdmissionError> {
    open_regular(path, MAX_ARTIFACT_LEN).map_err(|error| match error {
        OpenError::Io(error) => AdmissionError::io(path, error),
        OpenError::Folder | OpenError::NotAFile => AdmissionError::NotAFile,
        OpenError::TooLong { len } => AdmissionError::TooLong { len },
        error => AdmissionError::io(path, io::Error::other(error)),
    })
}

/// Checks that the policy accepts the load mode `found`.
///
/// # Errors
///
/// [`AdmissionError::Mode`].
pub(crate) fn demand_mode(policy: &TrustPolicy, found: LoadMode) -> Result<(), AdmissionError> {
    match policy.minimum_load_mode() {
        Some(wanted) if found < wanted => Err(AdmissionError::Mode { found, wanted }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use edgec_verifier::error_chain;

    use super::*;

    #[test]
    fn an_error_of_a_file_names_it_and_does_not_repeat_its_source() {
        let error = open_artifact(Path::new("/nonexistent/app.cwasm")).unwrap_err();
        assert_eq!(error.code(), "io");
        assert_eq!(error.to_string(), "cannot read `/nonexistent/app.cwasm`");
        assert!(error.source().is_some());

        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let error = AdmissionError::from(StoreError::io("names/x", full()));
        assert_eq!(error.to_string(), "`names/x`");
        assert_eq!(error_chain(&error), format!("`names/x`: {}", full()));
    }
}
