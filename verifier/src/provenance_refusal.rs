//! Why the provenance of an artifact is not enough for a policy.

use edgec_artifact::{AttestationError, ProvenanceError, Sha256Digest};

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
    /// A bill of materials was given, and no provenance that could list it.
    #[error("a bill of materials was given without the provenance that lists it")]
    SbomAlone,
    /// The policy requires a bill of materials, or one was given, and the provenance lists none.
    #[error("the provenance lists no bill of materials")]
    SbomNotListed,
    /// The policy requires a bill of materials, and the caller gave none.
    #[error("the policy requires the bill of materials of the artifact, and none was given")]
    SbomMissing,
    /// No bill of materials that was given is listed.
    #[error(
        "the bill of materials has sha256 {found}, and the provenance lists {}",
        listed.iter().map(Sha256Digest::to_string).collect::<Vec<_>>().join(", ")
    )]
    OtherSbom {
        /// The SHA-256 of the first that was given.
        found: Sha256Digest,
        /// The SHA-256 of those that the provenance lists.
        listed: Vec<Sha256Digest>,
    },
}

impl ProvenanceRefusal {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing | Self::SbomAlone => "no-provenance",
            Self::Envelope(_) | Self::Statement(_) => "provenance",
            Self::Signature => "provenance-signature",
            Self::Subject => "provenance-subject",
            Self::Builder { .. } => "provenance-builder",
            Self::Source { .. } => "provenance-source",
            Self::SbomNotListed => "provenance-sbom",
            Self::SbomMissing => "no-sbom",
            Self::OtherSbom { .. } => "sbom-digest",
        }
    }
}
