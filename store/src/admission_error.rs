//! Why an artifact is not admitted, or fails verification in a store.

use edgec_files::FolderError;
use edgec_verifier::{ArtifactFileError, ClockError, LoadModeError, VerifyError};

use super::StoreError;

/// Why an artifact is not admitted, or what is wrong with an admitted one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdmissionError {
    /// The artifact's file cannot be read.
    #[error(transparent)]
    File(#[from] ArtifactFileError),
    /// The artifact fails verification under the policy.
    #[error("the artifact is not trusted")]
    Verify(#[from] VerifyError),
    /// The policy requires stronger protection of the bytes.
    #[error(transparent)]
    Mode(#[from] LoadModeError),
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
            Self::File(error) => error.code(),
            Self::Verify(error) => error.code(),
            Self::Mode(_) => "load-mode",
            Self::Clock(_) => "clock",
            Self::Store(error) => error.code(),
        }
    }
}

impl From<FolderError> for AdmissionError {
    fn from(error: FolderError) -> Self {
        Self::Store(error.into())
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use edgec_verifier::error_chain;

    use super::*;

    #[test]
    fn an_error_of_a_file_names_it_and_does_not_repeat_its_source() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let error = AdmissionError::from(StoreError::io("names/x", full()));
        assert_eq!(error.to_string(), "`names/x`");
        assert_eq!(error_chain(&error), format!("`names/x`: {}", full()));
    }
}
