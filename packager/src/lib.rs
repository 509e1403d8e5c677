//! Puts image and manifest together, and signs them.
//!
//! A private key is either in this crate or outside of edgec. In the second case, its holder signs
//! [`UnsignedArtifact::pae`]. A verified signature turns an [`UnsignedArtifact`] into a
//! [`SignedArtifact`]. Only a signed artifact has bytes to write.
//!
//! ```toml
//! [dependencies]
//! edgec-packager = "0.1"
//! ```
//!
//! Here, an artifact gets a signature by a new key, and loses that of the old key:
//!
//! ```
//! use edgec_packager::{SecretKey, UnsignedArtifact, remove_signatures};
//!
//! # let artifact = "../fuzz/seeds/verify/signed.cwasm";
//! let file = std::fs::read(artifact)?;
//! // A file that contradicts itself is refused. The signatures on it are not verified.
//! let (unsigned, signatures) = UnsignedArtifact::reopen(&file)?;
//! let old = signatures[0].key_id().to_owned();
//!
//! // This key is in memory. A token or a service could sign these bytes as well.
//! let key = SecretKey::generate()?;
//! let signature = key.sign(&unsigned.pae());
//! // A wrong signature is an error here, so no `SignedArtifact` has one.
//! let signed = unsigned.attach(&key.public(), signature, signatures)?;
//!
//! let file = remove_signatures(signed.as_bytes(), &old)?;
//! let (_, signatures) = UnsignedArtifact::reopen(&file)?;
//! assert_eq!(signatures.len(), 1);
//! assert_eq!(signatures[0].key_id(), key.public().id().to_string());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where to go on
//!
//! | for | see |
//! |---|---|
//! | a new artifact, from an image and its manifest | [`UnsignedArtifact::new`], [`Manifest`] |
//! | any holder of a key as one type | [`Signer`], [`UnsignedArtifact::sign`] |
//! | a signed statement about a file that is no artifact | [`UnsignedAttestation::of_blob`] |
//! | a release, a timestamp, or a notary's statement | [`UnsignedCompanion`] |
//! | an artifact that no host takes, for trying a build | [`UnsignedArtifact::leave_unsigned`] |
//! | a key in a PEM file, also an encrypted one | [`SecretKey`]; of a signer with two, [`SecretKeys`] |
//! | why nothing was signed | [`PackageError`] |
//!
//! `edgec-builder` does all of this, from a program to signed artifacts.

#![forbid(unsafe_code)]
#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs, unnameable_types)]

mod attestation;
mod companion;
mod encrypted;
mod made_signature;
mod ml_dsa_key;
mod package;
mod secret;
mod secret_keys;
mod signed_envelope;
mod signer;

pub use attestation::UnsignedAttestation;
pub use companion::UnsignedCompanion;
pub use edgec_artifact::{
    Algorithm, Attestation, BadSignature, Image, KeyError, KeyId, KeyIdHint, LayoutError, Manifest,
    PemError, PublicKey, Sha256Digest, Signature, SignerKeys, StatementError,
};
pub use made_signature::MadeSignature;
pub use package::{PackageError, SignedArtifact, UnsignedArtifact, remove_signatures};
pub use secret::{SecretKey, SecretKeyError};
pub use secret_keys::SecretKeys;
pub use signed_envelope::SignedEnvelope;
pub use signer::Signer;
/// A wrapper that overwrites a private key in memory when it is dropped.
pub use zeroize::Zeroizing;
