//! A signature, before anything has checked it.

use edgec_artifact::PublicKey;

/// A signature, and the key that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MadeSignature {
    /// The key.
    pub by: PublicKey,
    /// The signature. It is not verified.
    pub bytes: Vec<u8>,
}

impl MadeSignature {
    /// A signature, and the key that is said to have made it.
    pub fn new(by: PublicKey, bytes: Vec<u8>) -> Self {
        Self { by, bytes }
    }
}
