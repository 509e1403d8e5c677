//! What a policy reads besides the envelope. A host fetches nothing else.

use std::sync::Arc;

use edgec_verifier::{Expected, TrustPolicy};

use super::attached::AttachedKind;

impl AttachedKind {
    /// Whether a policy reads files of this kind.
    pub fn is_read_by(self, policy: &TrustPolicy) -> bool {
        match self {
            Self::Provenance => policy.reads_provenance(),
            Self::LogProof => policy.reads_log_proof(),
            Self::Rebuild => policy.reads_rebuilds(),
            Self::CycloneDx | Self::Spdx => policy.reads_sbom(),
            Self::Debug => false,
        }
    }

    /// What a caller expects, with a file of this kind.
    #[must_use]
    pub fn given(self, expected: Expected, bytes: impl Into<Arc<[u8]>>) -> Expected {
        match self {
            Self::Provenance => expected.with_provenance(bytes),
            Self::LogProof => expected.with_log_proof(bytes),
            Self::Rebuild => expected.with_rebuild(bytes),
            Self::CycloneDx | Self::Spdx => expected.with_sbom(bytes),
            // No policy reads it.
            Self::Debug => expected,
        }
    }
}
