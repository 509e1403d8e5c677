//! From a statement about a file to a signed attestation.

use edgec_artifact::{Attestation, KeyIdHint, PublicKey, Sha256Digest, blob_payload};

use crate::package::PackageError;
use crate::signed_envelope::SignedEnvelope;
use crate::signer::{Signer, made_by};

/// A statement that no new key has signed yet.
#[derive(Clone, Debug)]
pub struct UnsignedAttestation(Attestation);

impl UnsignedAttestation {
    /// An in-toto statement, as JSON.
    pub fn new(payload: Vec<u8>) -> Self {
        Self(Attestation::new(payload))
    }

    /// The statement that a file of this name has this SHA-256 and this length in bytes.
    pub fn of_blob(name: &str, sha256: Sha256Digest, length: u64) -> Self {
        Self::new(blob_payload(name, sha256, length))
    }

    /// The same statement with the signatures of an earlier attestation, which are not verified.
    /// `None` if that one states something else.
    pub fn with_signatures_of(self, earlier: Attestation) -> Option<Self> {
        (earlier.payload() == self.0.payload()).then_some(Self(earlier))
    }

    /// The bytes that a signature covers.
    pub fn pae(&self) -> Vec<u8> {
        self.0.pae()
    }

    /// Adds the signature of `signer` over [`Self::pae`].
    ///
    /// # Errors
    ///
    /// [`PackageError::BadSignature`] if it is not `signer`'s signature over these bytes.
    pub fn attach(
        mut self,
        signer: &PublicKey,
        signature: Vec<u8>,
        hint: KeyIdHint,
    ) -> Result<SignedEnvelope, PackageError> {
        self.0.attach(signer, signature, hint)?;
        Ok(SignedEnvelope::new(self.0.encode()))
    }

    /// Asks `signer` to sign, and adds its signatures.
    ///
    /// # Errors
    ///
    /// The errors of `signer`, and those of [`attach`](Self::attach);
    /// [`PackageError::NotSigned`] if one of its keys has not signed.
    pub fn sign<S: Signer>(self, signer: &S, hint: KeyIdHint) -> Result<SignedEnvelope, S::Error> {
        let mut attestation = self.0;
        for made in made_by(signer, &attestation.pae())? {
            let attached = attestation.attach(&made.by, made.bytes, hint);
            attached.map_err(PackageError::from)?;
        }
        Ok(SignedEnvelope::new(attestation.encode()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SecretKey;

    #[test]
    fn signatures_stay_only_beside_the_same_statement() {
        let (one, two) = (
            SecretKey::generate().unwrap(),
            SecretKey::generate().unwrap(),
        );
        let blob =
            |text: &str| UnsignedAttestation::of_blob("a", Sha256Digest::of(text.as_bytes()), 1);
        let first = blob("x").sign(&one, KeyIdHint::LeftOut).unwrap();
        let earlier = || Attestation::decode(first.as_bytes()).unwrap();
        assert!(blob("y").with_signatures_of(earlier()).is_none());
        let both = blob("x").with_signatures_of(earlier()).unwrap();
        let both = both.sign(&two, KeyIdHint::LeftOut).unwrap();
        let both = Attestation::decode(both.as_bytes()).unwrap();
        assert!(both.is_signed_by(&one.public()) && both.is_signed_by(&two.public()));
        let wrong = blob("x").attach(&one.public(), vec![0; 64], KeyIdHint::LeftOut);
        assert!(matches!(
            wrong.map(|_| ()),
            Err(PackageError::BadSignature(_))
        ));
    }
}
