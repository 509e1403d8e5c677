//! The private key of ML-DSA-65, and its forms in PKCS#8 (RFC 9881, section 6).
//!
//! A file states a seed of 32 bytes, the 4032 bytes that are computed from it, or both. edgec
//! writes the seed. It reads the seed and "both", and compares the two. It refuses the expanded key
//! alone: its parts could contradict each other, and signatures with such a key can give it away.

use ed25519_dalek::pkcs8::{self, ObjectIdentifier, PrivateKeyInfoRef, SecretDocument};
use edgec_artifact::PublicKey;
use ml_dsa::{Keypair as _, MlDsa65, Signer as _};
use zeroize::Zeroizing;

use crate::SecretKeyError;

/// id-ml-dsa-65 (RFC 9881, section 2).
const ML_DSA_65: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.18");
/// A `PrivateKeyInfo` of version 1 up to the seed, which ends it.
const INFO: &[u8] = &[
    0x30, 0x34, 0x02, 0x01, 0x00, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
    0x03, 0x12, 0x04, 0x22, 0x80, 0x20,
];
/// `seed [0] OCTET STRING`, 32 bytes.
const SEED: &[u8] = &[0x80, 0x20];
/// `both SEQUENCE`, then `seed OCTET STRING`, 32 bytes.
const BOTH: &[u8] = &[0x30, 0x82, 0x0f, 0xe6, 0x04, 0x20];
/// `expandedKey OCTET STRING`, 4032 bytes.
const EXPANDED: &[u8] = &[0x04, 0x82, 0x0f, 0xc0];

/// The private key. What it holds is overwritten when it is dropped.
pub(crate) struct MlDsaKey(Box<ml_dsa::SigningKey<MlDsa65>>);

impl MlDsaKey {
    pub(crate) fn from_seed(seed: &[u8; 32]) -> Self {
        let seed = Zeroizing::new(ml_dsa::Seed::from(*seed));
        Self(Box::new(ml_dsa::SigningKey::from_seed(&seed)))
    }

    /// The key in a document, or `None` if it is for another algorithm.
    pub(crate) fn read(info: &PrivateKeyInfoRef<'_>) -> Option<Result<Self, SecretKeyError>> {
        (info.algorithm.oid == ML_DSA_65).then(|| Self::parse(info))
    }

    fn parse(info: &PrivateKeyInfoRef<'_>) -> Result<Self, SecretKeyError> {
        if info.algorithm.parameters.is_some() {
            return Err(SecretKeyError::Pem);
        }
        let choice = info.private_key.as_bytes();
        let (seed, expanded) = if let Some(seed) = choice.strip_prefix(SEED) {
            (seed, None)
        } else if let Some(both) = choice.strip_prefix(BOTH) {
            let (seed, rest) = both.split_at_checked(32).ok_or(SecretKeyError::Pem)?;
            (
                seed,
                Some(rest.strip_prefix(EXPANDED).ok_or(SecretKeyError::Pem)?),
            )
        } else if choice.starts_with(EXPANDED) {
            return Err(SecretKeyError::ExpandedOnly);
        } else {
            return Err(SecretKeyError::Pem);
        };
        let seed: &[u8; 32] = seed.try_into().map_err(|_| SecretKeyError::Pem)?;
        let key = Self::from_seed(seed);
        let is_ours = expanded.is_none_or(|stated| *key.expanded() == stated);
        // RFC 5958, version 2: the public key may stand beside the private one.
        let public = info.public_key.as_ref();
        let public = public.map(|stated| stated.as_bytes().unwrap_or_default());
        let is_public = match public {
            Some(stated) => key.public()?.as_bytes() == stated,
            None => true,
        };
        match is_ours && is_public {
            true => Ok(key),
            false => Err(SecretKeyError::Inconsistent),
        }
    }

    #[allow(
        deprecated,
        reason = "the crate advises against the form, and this only compares it"
    )]
    fn expanded(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(Zeroizing::new(self.0.expanded_key().to_expanded()).to_vec())
    }

    pub(crate) fn public(&self) -> Result<PublicKey, SecretKeyError> {
        Ok(PublicKey::ml_dsa_65(&self.0.verifying_key().encode())?)
    }

    pub(crate) fn to_pkcs8(&self) -> Result<SecretDocument, pkcs8::Error> {
        let document = Zeroizing::new([INFO, self.0.as_seed().as_slice()].concat());
        Ok(SecretDocument::try_from(document.as_slice())?)
    }

    /// The signature. ML-DSA tries until a signature is fit, and the crate gives up after more
    /// tries than any message takes. Then the result is empty, and no key accepts it.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature = self.0.try_sign(message).map(|it| it.encode().to_vec());
        signature.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::pkcs8::spki::der::Decode as _;

    use super::*;

    /// A `PrivateKeyInfo` around the choice of RFC 9881, with the length of lengths that OpenSSL
    /// writes.
    fn document(choice: &[u8]) -> Vec<u8> {
        let long = |length: usize| match u8::try_from(length) {
            Ok(short @ ..128) => vec![short],
            _ => [&[0x82][..], &u16::try_from(length).unwrap().to_be_bytes()].concat(),
        };
        let octets = [&[0x04][..], &long(choice.len()), choice].concat();
        let body = [&INFO[2..18], &octets].concat();
        [&[0x30][..], &long(body.len()), &body].concat()
    }

    fn read(choice: &[u8]) -> Result<MlDsaKey, SecretKeyError> {
        let document = document(choice);
        MlDsaKey::read(&PrivateKeyInfoRef::from_der(&document).unwrap()).unwrap()
    }

    fn both(seed: &[u8], expanded: &[u8]) -> Vec<u8> {
        [BOTH, seed, EXPANDED, expanded].concat()
    }

    #[test]
    fn the_seed_is_written_and_every_form_with_it_is_read() {
        let key = MlDsaKey::from_seed(&[7; 32]);
        let written = key.to_pkcs8().unwrap();
        assert_eq!(written.as_bytes(), document(&[SEED, &[7; 32]].concat()));
        let expanded = key.expanded();
        assert_eq!(expanded.len(), 4032);
        for choice in [[SEED, &[7; 32]].concat(), both(&[7; 32], &expanded)] {
            assert_eq!(
                read(&choice).unwrap().public().unwrap(),
                key.public().unwrap()
            );
        }
    }

    #[test]
    fn each_error_has_a_case() {
        let expanded = MlDsaKey::from_seed(&[7; 32]).expanded();
        let refused = |choice: &[u8]| read(choice).map(|_| ()).unwrap_err();
        let alone = refused(&[EXPANDED, &expanded].concat());
        assert!(matches!(alone, SecretKeyError::ExpandedOnly), "{alone}");
        let mut other = expanded.clone();
        other[4000] ^= 1;
        for choice in [both(&[8; 32], &expanded), both(&[7; 32], &other)] {
            let error = refused(&choice);
            assert!(matches!(error, SecretKeyError::Inconsistent), "{error}");
        }
        for choice in [
            vec![],
            vec![0x80, 0x1f],
            [SEED, &[7; 31]].concat(),
            [SEED, &[7; 33]].concat(),
            [BOTH, &[7; 31]].concat(),
            both(&[7; 32], &expanded)[..40].to_vec(),
        ] {
            let error = refused(&choice);
            let is_named = matches!(error, SecretKeyError::Pem | SecretKeyError::Inconsistent);
            assert!(is_named, "{error}");
        }
    }

    #[test]
    fn signatures_are_deterministic() {
        let key = MlDsaKey::from_seed(&[7; 32]);
        let signature = key.sign(b"message");
        assert_eq!(signature, key.sign(b"message"));
        assert!(key.public().unwrap().accepts(b"message", &signature));
        assert!(!key.public().unwrap().accepts(b"other", &signature));
    }
}
