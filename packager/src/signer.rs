//! Who signs: the holder of a private key, wherever that is.

use edgec_artifact::{PublicKey, Signature};

use crate::package::{PackageError, SignedArtifact, UnsignedArtifact};
use crate::secret::SecretKey;

/// The holder of a private key: a [`SecretKey`] in memory, a program, a token, a service.
pub trait Signer {
    /// Why nothing was signed. What is wrong with a signature is part of it.
    type Error: From<PackageError>;

    /// The public key that belongs to what signs.
    fn public(&self) -> PublicKey;

    /// The Ed25519 signature over `message` (RFC 8032). It is verified before it is used.
    ///
    /// # Errors
    ///
    /// What is in the way of the holder.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], Self::Error>;
}

impl Signer for SecretKey {
    type Error = PackageError;

    fn public(&self) -> PublicKey {
        SecretKey::public(self)
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], PackageError> {
        Ok(SecretKey::sign(self, message))
    }
}

impl UnsignedArtifact {
    /// Has `signer` sign, and puts its signature beside the signatures in `kept`.
    ///
    /// # Errors
    ///
    /// What the signer says; and as [`attach`](Self::attach).
    pub fn sign<S: Signer>(
        self,
        signer: &S,
        kept: Vec<Signature>,
    ) -> Result<SignedArtifact, S::Error> {
        let signature = signer.sign(&self.pae())?;
        Ok(self.attach(&signer.public(), signature, kept)?)
    }
}
