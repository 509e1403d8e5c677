//! Putting image and manifest together, and signing them.
//!
//! Private keys are in this crate, or outside of edgec: the holder of a key signs
//! [`UnsignedArtifact::pae`]. A verified signature turns an [`UnsignedArtifact`] into a
//! [`SignedArtifact`]. Only a signed artifact has bytes to write.

#![forbid(unsafe_code)]

mod encrypted;
mod package;
mod secret;
mod signer;

pub use package::{PackageError, SignedArtifact, UnsignedArtifact, remove_signatures};
pub use secret::{SecretKey, SecretKeyError};
pub use signer::Signer;
