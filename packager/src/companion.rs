//! From a statement beside an artifact to a signed one: releases, timestamps and rebuilds.

use edgec_artifact::{
    CompanionError, Envelope, PublicKey, RebuildStatement, Release, Timestamp, companion_envelope,
};

use crate::package::PackageError;
use crate::signed_envelope::SignedEnvelope;
use crate::signer::{Signer, made_by};

/// A statement beside an artifact that no new key has signed yet.
#[derive(Clone, Debug)]
pub struct UnsignedCompanion(Envelope);

impl UnsignedCompanion {
    /// A release, without a signature.
    pub fn release(release: &Release) -> Self {
        Self(Envelope::new(release.encode(), Vec::new()))
    }

    /// A timestamp, without a signature.
    pub fn timestamp(timestamp: &Timestamp) -> Self {
        Self(Envelope::new(timestamp.encode(), Vec::new()))
    }

    /// A notary's statement, without a signature.
    pub fn rebuild(statement: &RebuildStatement) -> Self {
        Self(Envelope::new(statement.encode(), Vec::new()))
    }

    /// The same statement with the signatures of an earlier file, which are not verified. `None` if
    /// that one states something else.
    ///
    /// # Errors
    ///
    /// [`CompanionError`] if the earlier file is no such statement.
    pub fn with_signatures_of(mut self, earlier: &[u8]) -> Result<Option<Self>, CompanionError> {
        let earlier = companion_envelope(earlier)?;
        Ok(self.0.merge(&earlier).then_some(self))
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
    ) -> Result<SignedEnvelope, PackageError> {
        self.0.attach(signer, signature)?;
        Ok(SignedEnvelope::new(self.0.encode()))
    }

    /// Asks `signer` to sign, and adds its signatures.
    ///
    /// # Errors
    ///
    /// The errors of `signer`, and those of [`attach`](Self::attach);
    /// [`PackageError::NotSigned`] if one of its keys has not signed.
    pub fn sign<S: Signer>(self, signer: &S) -> Result<SignedEnvelope, S::Error> {
        let mut envelope = self.0;
        for made in made_by(signer, &envelope.pae())? {
            let attached = envelope.attach(&made.by, made.bytes);
            attached.map_err(PackageError::from)?;
        }
        Ok(SignedEnvelope::new(envelope.encode()))
    }
}

#[cfg(test)]
mod tests {
    use edgec_artifact::{Algorithm, UnixTime};

    use super::*;
    use crate::{SecretKey, SecretKeys, Sha256Digest};

    #[test]
    fn each_key_of_a_signer_signs() {
        let keys = SecretKeys::generate(&Algorithm::ALL).unwrap();
        let at = UnixTime::from_seconds;
        let stamp = Timestamp::new(Sha256Digest::of(b"x"), at(1), at(2)).unwrap();
        let signed = UnsignedCompanion::timestamp(&stamp).sign(&keys).unwrap();
        let read = companion_envelope(signed.as_bytes()).unwrap();
        let (public, pae) = (keys.public(), read.pae());
        assert_eq!(read.signatures().len(), Algorithm::ALL.len());
        for (key, signature) in public.iter().zip(read.signatures()) {
            assert!(key.accepts(&pae, signature.bytes()), "{}", key.id());
        }
    }

    #[test]
    fn signatures_stay_only_beside_the_same_statement() {
        let key = || SecretKey::generate().unwrap();
        let (one, two) = (key(), key());
        let at = UnixTime::from_seconds;
        let stamp = |until| Timestamp::new(Sha256Digest::of(b"x"), at(1), at(until)).unwrap();
        let unsigned = |until| UnsignedCompanion::timestamp(&stamp(until));
        let first = unsigned(5).sign(&one).unwrap();
        let other = unsigned(6).with_signatures_of(first.as_bytes()).unwrap();
        assert!(other.is_none());
        let both = unsigned(5).with_signatures_of(first.as_bytes()).unwrap();
        let both = both.unwrap().sign(&two).unwrap();
        let read = companion_envelope(both.as_bytes()).unwrap();
        assert_eq!(read.signatures().len(), 2);
        assert_eq!(Timestamp::decode(read.payload()), Ok(stamp(5)));
        assert!(unsigned(5).with_signatures_of(b"{}").is_err());
        let wrong = unsigned(5).attach(&one.public(), vec![0; 64]);
        assert!(matches!(wrong, Err(PackageError::BadSignature(_))));
    }
}
