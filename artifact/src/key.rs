//! Public keys and their names.
//!
//! Ed25519 (RFC 8032), keys as SubjectPublicKeyInfo (RFC 8410), PEM (RFC 7468). A [`PublicKey`] is
//! never weak and has one encoding. Verification is strict: it also refuses a small-order `R`, and
//! an `S` that is not below the group order.

use std::fmt;

use ed25519_dalek::VerifyingKey;
use ed25519_dalek::pkcs8::{
    DecodePublicKey as _, EncodePublicKey as _, PublicKeyBytes, spki::der::pem::LineEnding,
};

use serde::{Deserialize, Serialize};

use crate::Sha256Digest;

/// An Ed25519 public key that is fit for trust: on the curve, canonical, not weak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// SHA-256 of a key's SubjectPublicKeyInfo (DER). It names a key, and proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(Sha256Digest);

/// Why a public key was refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The text is not the PEM of an Ed25519 SubjectPublicKeyInfo.
    #[error("not an Ed25519 public key in PEM (`BEGIN PUBLIC KEY`): {reason}")]
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
    #[error("the public key has {len} bytes, an Ed25519 key has 32")]
    RawLength {
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
}

impl PublicKey {
    /// The key with this 32-byte encoding (RFC 8032, section 5.1.2).
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
        Ok(Self(key))
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
        let bytes = PublicKeyBytes::from_public_key_pem(text).map_err(|error| KeyError::Pem {
            reason: error.to_string(),
        })?;
        Self::from_bytes(&bytes.to_bytes())
    }

    /// The 32-byte encoding.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The SubjectPublicKeyInfo as PEM with a final newline; `openssl pkey -pubin` reads it.
    pub fn to_pem(&self) -> String {
        // Encoding 44 bytes that this crate made cannot fail.
        self.0.to_public_key_pem(LineEnding::LF).unwrap_or_default()
    }

    /// The key's id.
    pub fn id(&self) -> KeyId {
        // RFC 8410, section 4: the DER of an Ed25519 SubjectPublicKeyInfo is this
        // prefix and the key.
        let mut der = vec![
            0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
        ];
        der.extend_from_slice(self.as_bytes());
        KeyId(Sha256Digest::of(&der))
    }

    /// Whether this key made `signature` (64 bytes) over `message`. The check is strict.
    pub fn accepts(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.0.verify_strict(message, &signature).is_ok()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
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
        let der = key.0.to_public_key_der().unwrap();
        assert_eq!(key.id().0, Sha256Digest::of(der.as_bytes()));
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
