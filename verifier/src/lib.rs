//! Judging artifacts: signatures, digests, and what a manifest claims.
//!
//! [`verify`] is the only way to a [`VerifiedArtifact`]; what takes one, cannot be given
//! a file that nobody vouched for. No private key and no compiler is linked here.

#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]

mod consistency;
mod policy;
mod verify;

pub use consistency::Contradiction;
pub use edgec_artifact::{
    KeyError, KeyId, Kind, LayoutError, MAX_ARTIFACT_LEN, Manifest, PublicKey,
};
pub use policy::{PolicyError, TrustPolicy, TrustedKey};
pub use verify::{AcceptedSignature, VerifiedArtifact, VerifyError, verify};
