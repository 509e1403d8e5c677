//! Puts image and manifest together, and signs them.
//!
//! A private key is either in this crate or outside of edgec. In the second case, its holder signs
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
/// A wrapper that overwrites a private key in memory when it is dropped.
pub use zeroize::Zeroizing;
