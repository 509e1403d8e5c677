//! Why the provenance of an artifact is not enough for a policy.

use edgec_artifact::{AttestationError, ProvenanceError};

/// Why a provenance is missing or refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProvenanceRefusal {
    /// The policy requires a provenance, and the caller gave none.
    #[error("the policy requires the provenance of the artifact, and none was given")]
    Missing,
    /// The file is not a DSSE envelope of a statement.
    #[error("the provenance")]
    Envelope(#[source] AttestationError),
    /// No key has signed it that counts for this artifact.
    #[error("no key that counts for this artifact has signed its provenance")]
    Signature,
    /// The signed statement is not the provenance of a build by edgec.
    #[error("the signed provenance")]
    Statement(#[source] ProvenanceError),
    /// It is about another image.
    #[error("the provenance is about another image")]
    Subject,
    /// Another builder than those that the policy accepts.
    #[error("the artifact was built by `{found}`, and the policy accepts {allowed}")]
    Builder {
        /// The builder's identity in the provenance.
        found: String,
        /// The patterns of the policy.
        allowed: String,
    },
    /// Another source than those that the policy accepts, or none is stated.
    #[error("the artifact was built from {found}, and the policy accepts {allowed}")]
    Source {
        /// The source in the provenance.
        found: String,
        /// The patterns of the policy.
        allowed: String,
    },
}

impl ProvenanceRefusal {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "no-provenance",
            Self::Envelope(_) | Self::Statement(_) => "provenance",
            Self::Signature => "provenance-signature",
            Self::Subject => "provenance-subject",
            Self::Builder { .. } => "provenance-builder",
            Self::Source { .. } => "provenance-source",
        }
    }
}
