//! Private keys: edgec makes, reads and writes them, signs with them, and never prints them.
//!
//! The form is PKCS#8 PEM (RFC 5958, RFC 8410), which `openssl genpkey -algorithm ed25519` makes
//! and reads as well. `encrypted.rs` has keys with a passphrase. When memory that held a key is
//! dropped, it is overwritten.

use std::fmt;

use ed25519_dalek::pkcs8::{
    DecodePrivateKey, EncodePrivateKey, KeypairBytes, spki::der::pem::LineEnding,
};
use ed25519_dalek::{Signer as _, SigningKey};
use edgec_artifact::{KeyError, PemError, PublicKey, tidy_pem};
use zeroize::{Zeroize as _, Zeroizing};

/// An Ed25519 private key.
pub struct SecretKey {
    key: SigningKey,
    public: PublicKey,
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
    /// The text is not the PEM of an Ed25519 PKCS#8 key. The error does not repeat it.
    #[error("not an Ed25519 private key in PKCS#8 PEM (`BEGIN PRIVATE KEY`)")]
    Pem,
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
    /// A new key from the system's random number generator.
    ///
    /// # Errors
    ///
    /// [`SecretKeyError::Random`] if the system gives no random bytes.
    pub fn generate() -> Result<Self, SecretKeyError> {
        let mut seed = Zeroizing::new([0u8; 32]);
        random(seed.as_mut())?;
        Self::new(SigningKey::from_bytes(&seed))
    }

    /// The key in a PKCS#8 PEM document. It is read as OpenSSL reads it ([`tidy_pem`]).
    ///
    /// # Errors
    ///
    /// [`SecretKeyError::Encrypted`] for a key with a passphrase,
    /// [`SecretKeyError::Document`] for damaged or unsupported PEM, [`SecretKeyError::Pem`] for any
    /// other document.
    pub fn from_pem(pem: &str) -> Result<Self, SecretKeyError> {
        if Self::is_encrypted(pem) {
            return Err(SecretKeyError::Encrypted);
        }
        let pem = tidy(pem)?;
        let key = SigningKey::from_pkcs8_pem(&pem).map_err(|_| SecretKeyError::Pem)?;
        Self::new(key)
    }

    pub(crate) fn new(key: SigningKey) -> Result<Self, SecretKeyError> {
        let public = PublicKey::from_bytes(key.verifying_key().as_bytes())?;
        Ok(Self { key, public })
    }

    /// The key as PKCS#8 PEM with a final newline.
    ///
    /// # Errors
    ///
    /// [`SecretKeyError::Pem`] if the encoder fails, which cannot happen with a 32-byte key.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, SecretKeyError> {
        let pem = self.pair().to_pkcs8_pem(LineEnding::LF);
        pem.map_err(|_| SecretKeyError::Pem)
    }

    /// Version 1, without the public key: OpenSSL before 3.5 reads no other version.
    pub(crate) fn pair(&self) -> Pair {
        Pair(KeypairBytes {
            secret_key: self.key.to_bytes(),
            public_key: None,
        })
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// The deterministic Ed25519 signature over `message` (RFC 8032, section 5.1.6).
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

/// The PEM of a private key in the form that a strict parser reads.
pub(crate) fn tidy(pem: &str) -> Result<Zeroizing<String>, SecretKeyError> {
    // If a buffer grows, it leaves copies behind.
    let mut tidy = Zeroizing::new(String::with_capacity(2 * pem.len() + 64));
    let fits = |label: &str| matches!(label, "PRIVATE KEY" | "ENCRYPTED PRIVATE KEY");
    match tidy_pem(pem, "PRIVATE KEY", fits, &mut tidy) {
        Ok(()) => Ok(tidy),
        Err(PemError::NoBegin { .. }) => Err(SecretKeyError::Pem),
        Err(error) => Err(error.into()),
    }
}

/// The encoded key pair. It is overwritten when it is dropped; its crate does that only with a
/// feature.
pub(crate) struct Pair(KeypairBytes);

impl std::ops::Deref for Pair {
    type Target = KeypairBytes;

    fn deref(&self) -> &KeypairBytes {
        &self.0
    }
}

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
