//! Public keys.
//!
//! Ed25519 (RFC 8032) and ML-DSA-65 (FIPS 204), keys as SubjectPublicKeyInfo (RFC 8410, RFC 9881),
//! PEM (RFC 7468). An Ed25519 [`PublicKey`] is never weak and has one encoding. Its verification is
//! strict: it also refuses a small-order `R`, and an `S` that is not below the group order.

use std::fmt;
use std::sync::Arc;

use ed25519_dalek::VerifyingKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePublicKey as _, Document, PublicKeyBytes};
use ml_dsa::{EncodedVerifyingKey, MlDsa65, Verifier as _};

use crate::{Algorithm, KeyId};

/// The label of a public key (RFC 7468, section 13).
pub(crate) const PEM_LABEL: &str = "PUBLIC KEY";

/// A public key that is fit for trust. An Ed25519 key is on the curve, canonical and not weak;
/// every key of ML-DSA-65 with the right length is fit.
#[derive(Clone)]
pub struct PublicKey(Key);

#[derive(Clone)]
enum Key {
    Ed25519(VerifyingKey),
    // Shared, because it is large: a verification needs a matrix that is computed from the key.
    MlDsa65(Arc<MlDsaKey>),
}

struct MlDsaKey {
    bytes: Vec<u8>,
    id: KeyId,
    key: ml_dsa::VerifyingKey<MlDsa65>,
}

/// Why a public key was refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The text is not the PEM of a SubjectPublicKeyInfo with a known algorithm.
    #[error("not an Ed25519 or ML-DSA-65 public key in PEM (`BEGIN PUBLIC KEY`): {reason}")]
    Pem {
        /// What the parser said.
        reason: String,
    },
    /// The text is neither PEM, nor OpenSSH's line, nor base64.
    #[error(
        "not a public key: neither PEM (`BEGIN PUBLIC KEY`), nor an OpenSSH line \
         (`ssh-ed25519 ...`), nor standard base64 of 32 bytes"
    )]
    Text,
    /// The key has another length.
    #[error(
        "the public key has {len} bytes, {} key has {}",
        with_article(*algorithm),
        algorithm.public_key_len()
    )]
    RawLength {
        /// Its algorithm.
        algorithm: Algorithm,
        /// Its length in bytes.
        len: usize,
    },
    /// The text is not OpenSSH's line of an Ed25519 key.
    #[error("not an OpenSSH Ed25519 public key: {reason}")]
    OpenSsh {
        /// What is wrong with the line.
        reason: &'static str,
    },
    /// The 32 bytes are not a point on the curve.
    #[error("the public key is not a point on the curve")]
    NotOnCurve,
    /// The bytes encode a point that has another, canonical encoding.
    #[error("the public key is not in its canonical encoding")]
    NonCanonical,
    /// For this key, one signature fits many messages.
    #[error("the public key is weak: its point has small order")]
    Weak,
    /// Two keys of one signer have the same algorithm.
    #[error("two keys of one signer are for {algorithm}: a signer has one key of each algorithm")]
    SameAlgorithm {
        /// The algorithm.
        algorithm: Algorithm,
    },
}

impl PublicKey {
    /// The Ed25519 key with this 32-byte encoding (RFC 8032, section 5.1.2).
    ///
    /// # Errors
    ///
    /// [`KeyError::NotOnCurve`], [`KeyError::NonCanonical`] or [`KeyError::Weak`].
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::NotOnCurve)?;
        if key.is_weak() {
            return Err(KeyError::Weak);
        }
        if key.to_edwards().compress().as_bytes() != key.as_bytes() {
            return Err(KeyError::NonCanonical);
        }
        Ok(Self(Key::Ed25519(key)))
    }

    /// The ML-DSA-65 key with this 1952-byte encoding (FIPS 204, algorithm 22).
    ///
    /// # Errors
    ///
    /// [`KeyError::RawLength`].
    pub fn ml_dsa_65(bytes: &[u8]) -> Result<Self, KeyError> {
        let wrong = |_| KeyError::RawLength {
            algorithm: Algorithm::MlDsa65,
            len: bytes.len(),
        };
        let encoded = EncodedVerifyingKey::<MlDsa65>::try_from(bytes).map_err(wrong)?;
        Ok(Self(Key::MlDsa65(Arc::new(MlDsaKey {
            bytes: bytes.to_vec(),
            id: id(Algorithm::MlDsa65, bytes),
            key: ml_dsa::VerifyingKey::decode(&encoded),
        }))))
    }

    /// The key in a PEM document, label `PUBLIC KEY`.
    ///
    /// # Errors
    ///
    /// [`KeyError::Pem`] for another document; otherwise as [`Self::from_bytes`].
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        // RFC 7468 allows text before the document. People would take that text for the key.
        if !text.starts_with("-----BEGIN") {
            let reason = "it does not begin with `-----BEGIN PUBLIC KEY-----`".to_owned();
            return Err(KeyError::Pem { reason });
        }
        if let Ok((PEM_LABEL, document)) = Document::from_pem(text) {
            let prefix = Algorithm::MlDsa65.spki_prefix();
            if let Some(bytes) = document.as_bytes().strip_prefix(prefix) {
                return Self::ml_dsa_65(bytes);
            }
        }
        let bytes = PublicKeyBytes::from_public_key_pem(text).map_err(|error| KeyError::Pem {
            reason: error.to_string(),
        })?;
        Self::from_bytes(&bytes.to_bytes())
    }

    /// The algorithm of the key.
    pub fn algorithm(&self) -> Algorithm {
        match &self.0 {
            Key::Ed25519(_) => Algorithm::Ed25519,
            Key::MlDsa65(_) => Algorithm::MlDsa65,
        }
    }

    /// The encoding of the key: 32 or 1952 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Key::Ed25519(key) => key.as_bytes(),
            Key::MlDsa65(key) => &key.bytes,
        }
    }

    /// The SubjectPublicKeyInfo as PEM with a final newline; `openssl pkey -pubin` reads it.
    pub fn to_pem(&self) -> String {
        // Encoding DER that this crate made cannot fail.
        let document = Document::try_from(spki(self.algorithm(), self.as_bytes()));
        let pem = document.and_then(|document| document.to_pem(PEM_LABEL, LineEnding::LF));
        pem.unwrap_or_default()
    }

    /// The key's id.
    pub fn id(&self) -> KeyId {
        match &self.0 {
            Key::Ed25519(key) => id(Algorithm::Ed25519, key.as_bytes()),
            Key::MlDsa65(key) => key.id,
        }
    }

    /// Whether this key made `signature` over `message`. The check is strict. A signature of
    /// another length is by another algorithm, so this key did not make it.
    pub fn accepts(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.0 {
            Key::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            Key::MlDsa65(key) => ml_dsa::Signature::try_from(signature)
                .is_ok_and(|signature| key.key.verify(message, &signature).is_ok()),
        }
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        (self.algorithm(), self.as_bytes()) == (other.algorithm(), other.as_bytes())
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({}, {})", self.algorithm(), self.id())
    }
}

/// The SubjectPublicKeyInfo of a key in DER.
fn spki(algorithm: Algorithm, key: &[u8]) -> Vec<u8> {
    [algorithm.spki_prefix(), key].concat()
}

fn id(algorithm: Algorithm, key: &[u8]) -> KeyId {
    KeyId::of(&spki(algorithm, key))
}

fn with_article(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Ed25519 => "an Ed25519",
        Algorithm::MlDsa65 => "an ML-DSA-65",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8410, section 10.1.
    const RFC8410: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
        -----END PUBLIC KEY-----\n";

    #[test]
    fn pem_survives_a_round_trip() {
        let key = PublicKey::from_pem(RFC8410).unwrap();
        assert_eq!(key.to_pem(), RFC8410);
        assert_eq!(key.algorithm(), Algorithm::Ed25519);
        let (_, der) = Document::from_pem(RFC8410).unwrap();
        let sha256 = crate::Sha256Digest::of(der.as_bytes());
        assert_eq!(key.id().to_string(), sha256.to_string());
    }

    #[test]
    fn an_ml_dsa_key_survives_a_round_trip() {
        let bytes: Vec<u8> = (0..1952_u32).map(|at| (at % 251) as u8).collect();
        let key = PublicKey::ml_dsa_65(&bytes).unwrap();
        let again = PublicKey::from_pem(&key.to_pem()).unwrap();
        assert_eq!((&again, again.id()), (&key, key.id()));
        assert_eq!(
            (key.as_bytes(), key.algorithm()),
            (&*bytes, Algorithm::MlDsa65)
        );
        for len in [0, 32, 1951, 1953] {
            assert_eq!(
                PublicKey::ml_dsa_65(&vec![0; len]),
                Err(KeyError::RawLength {
                    algorithm: Algorithm::MlDsa65,
                    len
                })
            );
        }
    }

    #[test]
    fn a_signature_of_another_algorithm_is_not_by_this_key() {
        let ed25519 = PublicKey::from_pem(RFC8410).unwrap();
        let ml_dsa = PublicKey::ml_dsa_65(&[1; 1952]).unwrap();
        for len in [0, 1, 63, 64, 65, 3308, 3309, 3310] {
            let signature = vec![1; len];
            assert!(!ed25519.accepts(b"x", &signature), "{len}");
            assert!(!ml_dsa.accepts(b"x", &signature), "{len}");
        }
    }

    #[test]
    fn unfit_keys_are_refused() {
        assert!(matches!(
            PublicKey::from_pem("hello"),
            Err(KeyError::Pem { .. })
        ));
        let mut y2 = [0; 32];
        y2[0] = 2;
        assert_eq!(PublicKey::from_bytes(&y2), Err(KeyError::NotOnCurve));
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(PublicKey::from_bytes(&identity), Err(KeyError::Weak));
        // y = 2^255 - 19 + 3 is another spelling of y = 3, a point of large order.
        let mut y3 = [0xff; 32];
        y3[0] = 0xf0;
        y3[31] = 0x7f;
        assert_eq!(PublicKey::from_bytes(&y3), Err(KeyError::NonCanonical));
    }
}
