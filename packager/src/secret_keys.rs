//! The private keys of one signer: one key, or one of each algorithm.

use edgec_artifact::{Algorithm, SignerKeys, split_pems};
use zeroize::Zeroizing;

use crate::secret::tidy;
use crate::{MadeSignature, SecretKey, SecretKeyError};

/// The private keys of one signer. A *hybrid* signer has one key of each algorithm, and makes one
/// signature with each. In a file, its keys are PEM documents one after the other.
#[derive(Debug)]
pub struct SecretKeys {
    keys: Vec<SecretKey>,
    public: SignerKeys,
}

impl SecretKeys {
    /// These keys, at least one.
    ///
    /// # Errors
    ///
    /// [`SecretKeyError::Public`] if there is no key, or two are for one algorithm.
    pub fn new(keys: Vec<SecretKey>) -> Result<Self, SecretKeyError> {
        let public = keys.iter().map(SecretKey::public).collect();
        let public = SignerKeys::new(public)?;
        Ok(Self { keys, public })
    }

    /// New keys, one for each of these algorithms.
    ///
    /// # Errors
    ///
    /// [`SecretKeyError::Random`] if the system gives no random bytes; as [`Self::new`].
    pub fn generate(algorithms: &[Algorithm]) -> Result<Self, SecretKeyError> {
        let keys = algorithms.iter().map(|it| SecretKey::generate_for(*it));
        Self::new(keys.collect::<Result<_, _>>()?)
    }

    /// The keys in PKCS#8 PEM documents.
    ///
    /// # Errors
    ///
    /// As [`SecretKey::from_pem`] and [`Self::new`].
    pub fn from_pem(pem: &str) -> Result<Self, SecretKeyError> {
        if SecretKey::is_encrypted(pem) {
            return Err(SecretKeyError::Encrypted);
        }
        let tidy = tidy(pem, Algorithm::ALL.len())?;
        let keys = split_pems(&tidy).map(SecretKey::from_tidy);
        Self::new(keys.collect::<Result<_, _>>()?)
    }

    /// The keys in encrypted PKCS#8 PEM documents, all with this passphrase.
    ///
    /// # Errors
    ///
    /// As [`SecretKey::from_encrypted_pem`] and [`Self::new`].
    pub fn from_encrypted_pem(pem: &str, passphrase: &[u8]) -> Result<Self, SecretKeyError> {
        let tidy = tidy(pem, Algorithm::ALL.len()).map_err(|error| match error {
            SecretKeyError::Pem => SecretKeyError::EncryptedPem,
            error => error,
        })?;
        let keys = split_pems(&tidy).map(|pem| SecretKey::from_encrypted_pem(pem, passphrase));
        Self::new(keys.collect::<Result<_, _>>()?)
    }

    /// The keys as PKCS#8 PEM documents.
    ///
    /// # Errors
    ///
    /// As [`SecretKey::to_pem`].
    pub fn to_pem(&self) -> Result<Zeroizing<String>, SecretKeyError> {
        self.joined(SecretKey::to_pem)
    }

    /// The keys as encrypted PKCS#8 PEM documents.
    ///
    /// # Errors
    ///
    /// As [`SecretKey::to_encrypted_pem`].
    pub fn to_encrypted_pem(&self, passphrase: &[u8]) -> Result<Zeroizing<String>, SecretKeyError> {
        self.joined(|key| key.to_encrypted_pem(passphrase))
    }

    fn joined(
        &self,
        pem: impl Fn(&SecretKey) -> Result<Zeroizing<String>, SecretKeyError>,
    ) -> Result<Zeroizing<String>, SecretKeyError> {
        let parts: Vec<_> = self.keys.iter().map(pem).collect::<Result<_, _>>()?;
        // If a buffer grows, it leaves copies behind.
        let length = parts.iter().map(|part| part.len()).sum();
        let mut text = Zeroizing::new(String::with_capacity(length));
        parts.iter().for_each(|part| text.push_str(part));
        Ok(text)
    }

    /// The public halves.
    pub fn public(&self) -> SignerKeys {
        self.public.clone()
    }

    /// The signature over `message` with each key.
    pub fn sign(&self, message: &[u8]) -> Vec<MadeSignature> {
        let made = self.keys.iter();
        made.map(|key| MadeSignature::new(key.public(), key.sign(message)))
            .collect()
    }
}

impl From<SecretKey> for SecretKeys {
    fn from(key: SecretKey) -> Self {
        Self {
            public: key.public().into(),
            keys: vec![key],
        }
    }
}

#[cfg(test)]
mod tests {
    use edgec_artifact::KeyError;

    use super::*;

    #[test]
    fn a_hybrid_signer_survives_a_round_trip() {
        let keys = SecretKeys::generate(&Algorithm::ALL).unwrap();
        let again = SecretKeys::from_pem(&keys.to_pem().unwrap()).unwrap();
        assert_eq!(again.public(), keys.public());
        let made = again.sign(b"message");
        assert_eq!(
            made.iter().map(|it| it.bytes.len()).collect::<Vec<_>>(),
            [64, 3309]
        );
        assert!(made.iter().all(|it| it.by.accepts(b"message", &it.bytes)));
        let closed = keys.to_encrypted_pem(b"correct horse").unwrap();
        assert_eq!(closed.matches("BEGIN ENCRYPTED PRIVATE KEY").count(), 2);
        let opened = SecretKeys::from_encrypted_pem(&closed, b"correct horse").unwrap();
        assert_eq!(opened.public(), keys.public());
        let wrong = SecretKeys::from_encrypted_pem(&closed, b"other").unwrap_err();
        assert!(matches!(wrong, SecretKeyError::Passphrase), "{wrong}");
    }

    #[test]
    fn each_error_has_a_case() {
        let refused = |pem: &str| SecretKeys::from_pem(pem).unwrap_err();
        let one = SecretKey::generate().unwrap().to_pem().unwrap();
        let same = refused(&one.repeat(2));
        let is_named = matches!(same, SecretKeyError::Public(KeyError::SameAlgorithm { .. }));
        assert!(is_named, "{same}");
        assert!(matches!(
            refused(&one.repeat(3)),
            SecretKeyError::Document(_)
        ));
        assert!(matches!(refused(""), SecretKeyError::Pem));
        let keys = SecretKeys::from(SecretKey::generate().unwrap());
        let closed = keys.to_encrypted_pem(b"x").unwrap();
        assert!(matches!(refused(&closed), SecretKeyError::Encrypted));
        // A passphrase for one of two keys protects neither.
        let mixed = SecretKeys::from_encrypted_pem(&format!("{}{}", *closed, *one), b"x");
        assert!(matches!(mixed, Err(SecretKeyError::EncryptedPem)));
    }
}
