//! Putting image and manifest together, and signing them.
//!
//! Private keys live in this crate only. [`UnsignedArtifact`] becomes
//! [`SignedArtifact`] by a signature; only a signed artifact has bytes to write.

#![forbid(unsafe_code)]

mod package;
mod secret;

pub use package::{PackageError, SignedArtifact, UnsignedArtifact};
pub use secret::{SecretKey, SecretKeyError};
