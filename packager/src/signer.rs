//! Signers: the holders of private keys.

use edgec_artifact::{PublicKey, Signature};

use crate::package::{PackageError, SignedArtifact, UnsignedArtifact};
use crate::secret::SecretKey;

/// The holder of a private key: a [`SecretKey`] in memory, a program, a token, a service.
pub trait Signer {
    /// Why nothing was signed. It includes the errors about the signature.
    type Error: From<PackageError>;

    /// The public key of this signer.
    fn public(&self) -> PublicKey;

    /// The Ed25519 signature over `message` (RFC 8032). edgec verifies it before it is used.
    ///
    /// # Errors
    ///
    /// Anything that prevents the signature.
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
    /// Asks `signer` to sign, and adds its signature to the signatures in `kept`.
    ///
    /// # Errors
    ///
    /// The errors of `signer`, and those of [`attach`](Self::attach).
    pub fn sign<S: Signer>(
        self,
        signer: &S,
        kept: Vec<Signature>,
    ) -> Result<SignedArtifact, S::Error> {
        let signature = signer.sign(&self.pae())?;
        Ok(self.attach(&signer.public(), signature, kept)?)
    }
}
