//! Putting image and manifest together, and signing them.
//!
//! Private keys live in this crate, or outside of edgec: the holder of one signs
//! [`UnsignedArtifact::pae`]. An [`UnsignedArtifact`] becomes a [`SignedArtifact`] by a signature
//! that was just verified; only a signed artifact has bytes to write.

#![forbid(unsafe_code)]

mod encrypted;
mod package;
mod secret;
mod signer;

pub use package::{PackageError, SignedArtifact, UnsignedArtifact, remove_signatures};
pub use secret::{SecretKey, SecretKeyError};
pub use signer::Signer;
