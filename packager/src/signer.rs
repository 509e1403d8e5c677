//! Signers: the holders of private keys.

use edgec_artifact::{Signature, SignerKeys};

use crate::made_signature::MadeSignature;
use crate::package::{PackageError, SignedArtifact, UnsignedArtifact};
use crate::secret::SecretKey;
use crate::secret_keys::SecretKeys;

/// The holder of private keys: [`SecretKeys`] in memory, a program, a token, a service.
pub trait Signer {
    /// Why nothing was signed. It includes the errors about the signature.
    type Error: From<PackageError>;

    /// The public keys of this signer.
    fn public(&self) -> SignerKeys;

    /// The signature over `message` with each of the keys ([`Algorithm`](edgec_artifact::Algorithm)
    /// says which). edgec verifies them before they are used.
    ///
    /// # Errors
    ///
    /// Anything that prevents a signature.
    fn sign(&self, message: &[u8]) -> Result<Vec<MadeSignature>, Self::Error>;
}

impl Signer for SecretKey {
    type Error = PackageError;

    fn public(&self) -> SignerKeys {
        SecretKey::public(self).into()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<MadeSignature>, PackageError> {
        let bytes = SecretKey::sign(self, message);
        Ok(vec![MadeSignature::new(SecretKey::public(self), bytes)])
    }
}

impl Signer for SecretKeys {
    type Error = PackageError;

    fn public(&self) -> SignerKeys {
        SecretKeys::public(self)
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<MadeSignature>, PackageError> {
        Ok(SecretKeys::sign(self, message))
    }
}

/// Asks `signer` to sign, and makes sure that each of its keys has signed.
pub(crate) fn made_by<S: Signer>(
    signer: &S,
    message: &[u8],
) -> Result<Vec<MadeSignature>, S::Error> {
    let made = signer.sign(message)?;
    for key in signer.public().iter() {
        if !made.iter().any(|made| made.by == *key) {
            let key_id = key.id();
            return Err(PackageError::NotSigned { key_id }.into());
        }
    }
    Ok(made)
}

impl UnsignedArtifact {
    /// Asks `signer` to sign, and adds its signatures to those in `kept`.
    ///
    /// # Errors
    ///
    /// The errors of `signer`, and those of [`attach`](Self::attach);
    /// [`PackageError::NotSigned`] if one of its keys has not signed.
    pub fn sign<S: Signer>(
        self,
        signer: &S,
        kept: Vec<Signature>,
    ) -> Result<SignedArtifact, S::Error> {
        let made = made_by(signer, &self.pae())?;
        Ok(self.attach_all(made, kept)?)
    }
}

#[cfg(test)]
mod tests {
    use edgec_artifact::{Algorithm, Sha256Digest};

    use super::*;
    use crate::{KeyIdHint, UnsignedAttestation};

    /// A signer that leaves out the signature of its second key.
    struct Half(SecretKeys);

    impl Signer for Half {
        type Error = PackageError;

        fn public(&self) -> SignerKeys {
            self.0.public()
        }

        fn sign(&self, message: &[u8]) -> Result<Vec<MadeSignature>, PackageError> {
            let mut made = self.0.sign(message);
            made.pop();
            Ok(made)
        }
    }

    #[test]
    fn each_key_of_a_signer_signs() {
        let blob = || UnsignedAttestation::of_blob("a", Sha256Digest::of(b"x"), 1);
        let keys = SecretKeys::generate(&Algorithm::ALL).unwrap();
        let public = keys.public();
        let signed = blob().sign(&keys, KeyIdHint::LeftOut).unwrap();
        let signed = edgec_artifact::Attestation::decode(signed.as_bytes()).unwrap();
        assert!(public.iter().all(|key| signed.is_signed_by(key)));
        let error = blob().sign(&Half(keys), KeyIdHint::LeftOut).unwrap_err();
        assert!(matches!(error, PackageError::NotSigned { .. }), "{error}");
    }
}
