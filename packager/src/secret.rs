//! Private keys: edgec makes, reads and writes them, signs with them, and never prints them.
//!
//! The form is PKCS#8 PEM (RFC 5958, RFC 8410, RFC 9881), which `openssl genpkey -algorithm
//! ed25519` (or `ml-dsa-65`, from OpenSSL 3.5 on) makes and reads as well. `encrypted.rs` has keys
//! with a passphrase, `ml_dsa_key.rs` the forms of an ML-DSA-65 key. When memory that held a key is
//! dropped, it is overwritten.

use std::fmt;

use ed25519_dalek::pkcs8::spki::der::{Decode as _, pem::LineEnding, pem::PemLabel as _};
use ed25519_dalek::pkcs8::{
    self, DecodePrivateKey as _, EncodePrivateKey as _, KeypairBytes, PrivateKeyInfoRef,
    SecretDocument,
};
use ed25519_dalek::{Signer as _, SigningKey};
use edgec_artifact::{Algorithm, KeyError, PemError, PublicKey, tidy_pems};
use zeroize::{Zeroize as _, Zeroizing};

use crate::ml_dsa_key::MlDsaKey;

/// A private key.
pub struct SecretKey {
    key: Key,
    public: PublicKey,
}

enum Key {
    Ed25519(Box<SigningKey>),
    MlDsa65(MlDsaKey),
}

/// Why a private key cannot be read, made or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretKeyError {
    /// The system gave no random bytes.
    #[error("the system's random number generator failed: {reason}")]
    Random {
        /// What the system said.
        reason: String,
    },
    /// The text is not the PEM of a PKCS#8 key with a known algorithm. The error does not repeat
    /// it.
    #[error("not an Ed25519 or ML-DSA-65 private key in PKCS#8 PEM (`BEGIN PRIVATE KEY`)")]
    Pem,
    /// The file has only the expanded form of an ML-DSA-65 key, which cannot be checked against its
    /// seed.
    #[error("the ML-DSA-65 private key has no seed, only the expanded key")]
    ExpandedOnly,
    /// The file has a seed and an expanded key, or a public key, that do not belong together.
    #[error("the parts of the ML-DSA-65 private key do not belong together")]
    Inconsistent,
    /// The PEM document is damaged or unsupported. The error does not repeat its text.
    #[error("the private key's PEM cannot be read")]
    Document(#[from] PemError),
    /// The key is encrypted, and there is no passphrase.
    #[error("the private key is encrypted: a passphrase is needed")]
    Encrypted,
    /// The text is not the PEM of an encrypted PKCS#8 key.
    #[error("not an encrypted private key in PKCS#8 PEM (`BEGIN ENCRYPTED PRIVATE KEY`)")]
    EncryptedPem,
    /// The encryption is not supported.
    #[error(
        "the private key's encryption is not supported: edgec reads PBES2 with scrypt or \
         PBKDF2 over SHA-2, and AES in CBC or GCM mode"
    )]
    Cipher,
    /// The file demands more work for its passphrase than edgec does.
    #[error("the passphrase of this private key takes more work than edgec does for a file")]
    TooCostly,
    /// The passphrase does not open the key, or the file was damaged.
    #[error("the passphrase does not open this private key")]
    Passphrase,
    /// The key's public half is unfit.
    #[error("the private key's public half cannot be used")]
    Public(#[from] KeyError),
}

impl SecretKey {
    /// A new Ed25519 key from the system's random number generator.
    ///
    /// # Errors
    ///
    /// [`SecretKeyError::Random`] if the system gives no random bytes.
    pub fn generate() -> Result<Self, SecretKeyError> {
        Self::generate_for(Algorithm::Ed25519)
    }

    /// A new key for this algorithm from the system's random number generator.
    ///
    /// # Errors
    ///
    /// As [`Self::generate`].
    pub fn generate_for(algorithm: Algorithm) -> Result<Self, SecretKeyError> {
        let mut seed = Zeroizing::new([0u8; 32]);
        random(seed.as_mut())?;
        Self::new(match algorithm {
            Algorithm::MlDsa65 => Key::MlDsa65(MlDsaKey::from_seed(&seed)),
            Algorithm::Ed25519 => Key::Ed25519(Box::new(SigningKey::from_bytes(&seed))),
        })
    }

    /// The key in a PKCS#8 PEM document. It is read as OpenSSL reads it
    /// ([`tidy_pem`](edgec_artifact::tidy_pem)).
    ///
    /// # Errors
    ///
    /// [`SecretKeyError::Encrypted`] for a key with a passphrase,
    /// [`SecretKeyError::Document`] for damaged or unsupported PEM,
    /// [`SecretKeyError::ExpandedOnly`] and [`SecretKeyError::Inconsistent`] for an ML-DSA-65 key
    /// that cannot be checked, [`SecretKeyError::Pem`] for any other document.
    pub fn from_pem(pem: &str) -> Result<Self, SecretKeyError> {
        if Self::is_encrypted(pem) {
            return Err(SecretKeyError::Encrypted);
        }
        Self::from_tidy(&tidy(pem, 1)?)
    }

    /// The key in one document, as [`tidy`] has written it.
    pub(crate) fn from_tidy(pem: &str) -> Result<Self, SecretKeyError> {
        let (label, document) = SecretDocument::from_pem(pem).map_err(|_| SecretKeyError::Pem)?;
        match label == PrivateKeyInfoRef::PEM_LABEL {
            true => Self::from_der(document.as_bytes()),
            false => Err(SecretKeyError::Pem),
        }
    }

    /// The key in a PKCS#8 `PrivateKeyInfo`.
    pub(crate) fn from_der(der: &[u8]) -> Result<Self, SecretKeyError> {
        let info = PrivateKeyInfoRef::from_der(der).map_err(|_| SecretKeyError::Pem)?;
        Self::new(match MlDsaKey::read(&info) {
            Some(key) => Key::MlDsa65(key?),
            None => {
                let key = SigningKey::from_pkcs8_der(der);
                Key::Ed25519(Box::new(key.map_err(|_| SecretKeyError::Pem)?))
            }
        })
    }

    fn new(key: Key) -> Result<Self, SecretKeyError> {
        let public = match &key {
            Key::Ed25519(key) => PublicKey::from_bytes(key.verifying_key().as_bytes())?,
            Key::MlDsa65(key) => key.public()?,
        };
        Ok(Self { key, public })
    }

    /// The key as PKCS#8 PEM with a final newline.
    ///
    /// # Errors
    ///
    /// [`SecretKeyError::Pem`] if the encoder fails, which cannot happen with a 32-byte key.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, SecretKeyError> {
        let der = self.to_pkcs8().map_err(|_| SecretKeyError::Pem)?;
        let pem = der.to_pem(PrivateKeyInfoRef::PEM_LABEL, LineEnding::LF);
        pem.map_err(|_| SecretKeyError::Pem)
    }

    /// Version 1, without the public key: OpenSSL before 3.5 reads no other version.
    pub(crate) fn to_pkcs8(&self) -> Result<SecretDocument, pkcs8::Error> {
        match &self.key {
            Key::Ed25519(key) => {
                let pair = Pair(KeypairBytes {
                    secret_key: key.to_bytes(),
                    public_key: None,
                });
                pair.0.to_pkcs8_der()
            }
            Key::MlDsa65(key) => key.to_pkcs8(),
        }
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        self.public.clone()
    }

    /// The deterministic signature over `message` (RFC 8032, section 5.1.6; FIPS 204, algorithm 2
    /// with an empty context and without randomness).
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.key {
            Key::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Key::MlDsa65(key) => key.sign(message),
        }
    }
}

/// The PEM of at most this many private keys in the form that a strict parser reads.
pub(crate) fn tidy(pem: &str, most: usize) -> Result<Zeroizing<String>, SecretKeyError> {
    // If a buffer grows, it leaves copies behind.
    let mut tidy = Zeroizing::new(String::with_capacity(2 * pem.len() + 64));
    let fits = |label: &str| matches!(label, "PRIVATE KEY" | "ENCRYPTED PRIVATE KEY");
    match tidy_pems(pem, "PRIVATE KEY", fits, most, &mut tidy) {
        Ok(()) => Ok(tidy),
        Err(PemError::NoBegin { .. }) => Err(SecretKeyError::Pem),
        Err(error) => Err(error.into()),
    }
}

/// The encoded key pair. It is overwritten when it is dropped; its crate does that only with a
/// feature.
struct Pair(KeypairBytes);

impl Drop for Pair {
    fn drop(&mut self) {
        self.0.secret_key.zeroize();
    }
}

/// Fills `bytes` from the system's random number generator.
pub(crate) fn random(bytes: &mut [u8]) -> Result<(), SecretKeyError> {
    getrandom::fill(bytes).map_err(|error| SecretKeyError::Random {
        reason: error.to_string(),
    })
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.public.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8410, section 10.3.
    const RFC8410: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
        -----END PRIVATE KEY-----\n";

    #[test]
    fn pem_survives_a_round_trip() {
        let key = SecretKey::from_pem(RFC8410).unwrap();
        assert_eq!(key.to_pem().unwrap().as_str(), RFC8410);
        assert!(key.public().accepts(b"message", &key.sign(b"message")));
        assert!(!key.public().accepts(b"other", &key.sign(b"message")));
    }

    #[test]
    fn pem_is_read_as_openssl_reads_it_or_refused_with_the_reason() {
        let key = SecretKey::from_pem(RFC8410).unwrap().public();
        for text in [
            format!("\u{feff}{RFC8410}"),
            RFC8410.replace('\n', "  \r\n"),
            format!("in front\n{RFC8410}behind\n"),
            RFC8410.replace("MC4C", "MC\n4C"),
        ] {
            assert_eq!(SecretKey::from_pem(&text).unwrap().public(), key);
            assert!(!SecretKey::is_encrypted(&text));
        }
        let refused = |text: &str| SecretKey::from_pem(text).unwrap_err();
        let escaped = refused(&RFC8410.replace('\n', "\\n"));
        assert!(matches!(
            escaped,
            SecretKeyError::Document(PemError::Escaped)
        ));
        let twice = refused(&format!("{RFC8410}{RFC8410}"));
        assert!(matches!(
            twice,
            SecretKeyError::Document(PemError::Second { line: 4 })
        ));
        let other = refused(&RFC8410.replace("PRIVATE", "RSA PRIVATE"));
        assert!(matches!(other, SecretKeyError::Pem));
        let encrypted = RFC8410.replace("PRIVATE", "ENCRYPTED PRIVATE");
        for text in [
            encrypted.clone(),
            format!("\u{feff}{encrypted}"),
            format!("x\n{encrypted}"),
        ] {
            assert!(SecretKey::is_encrypted(&text));
        }
    }

    #[test]
    fn a_key_never_shows_itself() {
        let key = SecretKey::generate().unwrap();
        assert_eq!(
            format!("{key:?}"),
            format!("SecretKey({})", key.public().id())
        );
        let error = SecretKey::from_pem("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n").unwrap_err();
        assert!(!format!("{error:?} {error}").contains("c2VjcmV0"));
    }
}
