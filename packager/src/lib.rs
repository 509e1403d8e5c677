//! Putting image and manifest together, and signing them.
//!
//! Private keys are in this crate, or outside of edgec: the holder of a key signs
//! [`UnsignedArtifact::pae`]. A verified signature turns an [`UnsignedArtifact`] into a
//! [`SignedArtifact`]. Only a signed artifact has bytes to write.

#![forbid(unsafe_code)]
#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs, unnameable_types)]

mod encrypted;
mod package;
mod secret;
mod signer;

pub use edgec_artifact::{
    BadSignature, Image, KeyError, LayoutError, Manifest, PemError, PublicKey, Signature,
    StatementError,
};
pub use package::{PackageError, SignedArtifact, UnsignedArtifact, remove_signatures};
pub use secret::{SecretKey, SecretKeyError};
pub use signer::Signer;
/// What overwrites a private key in memory when it is dropped.
pub use zeroize::Zeroizing;
