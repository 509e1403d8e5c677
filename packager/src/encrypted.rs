//! Private keys under a passphrase: PKCS#8 `EncryptedPrivateKeyInfo` (RFC 5958, section 3)
//! with PBES2 (RFC 8018, section 6.2), which `openssl pkey` reads and writes as well.
//!
//! edgec writes scrypt and AES-256-CBC. It reads scrypt or PBKDF2 over SHA-2, and AES in CBC or GCM
//! mode. The file itself states how much work its passphrase takes. edgec compares that with a
//! limit before it does any work.

use ed25519_dalek::pkcs8::spki::der::{
    Decode as _, Encode as _,
    asn1::{OctetString, OctetStringRef},
    pem::{LineEnding, PemLabel as _},
};
use ed25519_dalek::pkcs8::{PrivateKeyInfoRef, SecretDocument};
use pkcs8::pkcs5::{EncryptionScheme, pbes2};
use pkcs8::{EncryptedPrivateKeyInfo, EncryptedPrivateKeyInfoRef};
use zeroize::Zeroizing;

use crate::secret::tidy;
use crate::{SecretKey, SecretKeyError};

type Written = EncryptedPrivateKeyInfo<OctetString>;

/// RFC 7468's label of these documents.
const LABEL: &str = Written::PEM_LABEL;

/// scrypt's N, r and p. They are as much work as OWASP's password storage cheat sheet recommends.
/// They take 16 MiB, since OpenSSL refuses more than 32 MiB.
const SCRYPT: (u64, u16, u16) = (1 << 14, 8, 5);
/// The most memory that a file may make scrypt use, in bytes.
const MAX_SCRYPT_BYTES: u64 = 256 << 20;
/// The most work that a file may make scrypt do, as N * r * p. It takes about ten seconds.
const MAX_SCRYPT_WORK: u64 = 1 << 25;
/// The most iterations that a file may make PBKDF2 do. OWASP recommends 600,000.
const MAX_PBKDF2_ITERATIONS: u32 = 10_000_000;

impl SecretKey {
    /// Whether a PEM document is a private key with a passphrase.
    pub fn is_encrypted(pem: &str) -> bool {
        pem.lines().any(|line| {
            let line = line.trim_start_matches('\u{feff}');
            let label = line.strip_prefix("-----BEGIN ");
            label.is_some_and(|label| label.starts_with(LABEL))
        })
    }

    /// The key in an encrypted PKCS#8 PEM document.
    ///
    /// # Errors
    ///
    /// [`SecretKeyError::Document`], [`SecretKeyError::EncryptedPem`], [`SecretKeyError::Cipher`],
    /// [`SecretKeyError::TooCostly`], or [`SecretKeyError::Passphrase`] if the passphrase is wrong;
    /// otherwise as [`Self::from_pem`].
    pub fn from_encrypted_pem(pem: &str, passphrase: &[u8]) -> Result<Self, SecretKeyError> {
        let pem = tidy(pem, 1).map_err(|error| match error {
            SecretKeyError::Pem => SecretKeyError::EncryptedPem,
            error => error,
        })?;
        let (label, document) =
            SecretDocument::from_pem(&pem).map_err(|_| SecretKeyError::EncryptedPem)?;
        if label != LABEL {
            return Err(SecretKeyError::EncryptedPem);
        }
        let info = EncryptedPrivateKeyInfoRef::from_der(document.as_bytes())
            .map_err(|_| SecretKeyError::Cipher)?;
        let EncryptionScheme::Pbes2(parameters) = &info.encryption_algorithm else {
            return Err(SecretKeyError::Cipher);
        };
        check_cost(&parameters.kdf)?;
        let opened = Zeroizing::new(
            parameters
                .decrypt(passphrase, info.encrypted_data.as_bytes())
                .map_err(|error| match error {
                    pkcs8::pkcs5::Error::UnsupportedAlgorithm { .. }
                    | pkcs8::pkcs5::Error::AlgorithmParametersInvalid { .. } => {
                        SecretKeyError::Cipher
                    }
                    _ => SecretKeyError::Passphrase,
                })?,
        );
        // One wrong passphrase in 256 gives bytes that look padded, but those are not DER.
        if PrivateKeyInfoRef::from_der(&opened).is_err() {
            return Err(SecretKeyError::Passphrase);
        }
        Self::from_der(&opened)
    }

    /// The key as encrypted PKCS#8 PEM with a final newline.
    ///
    /// # Errors
    ///
    /// [`SecretKeyError::Random`] if there are no random numbers for salt and initialization
    /// vector; [`SecretKeyError::EncryptedPem`] if an encoder fails, which is not expected.
    pub fn to_encrypted_pem(&self, passphrase: &[u8]) -> Result<Zeroizing<String>, SecretKeyError> {
        let mut salt = [0; 16];
        let mut iv = [0; 16];
        super::secret::random(&mut salt)?;
        super::secret::random(&mut iv)?;
        self.encrypt(passphrase, &salt, iv)
            .map_err(|_| SecretKeyError::EncryptedPem)
    }

    fn encrypt(
        &self,
        passphrase: &[u8],
        salt: &[u8],
        iv: [u8; 16],
    ) -> Result<Zeroizing<String>, pkcs8::Error> {
        let (cost_parameter, block_size, parallelization) = SCRYPT;
        let parameters = pbes2::Parameters {
            kdf: pbes2::Kdf::Scrypt(pbes2::ScryptParams {
                salt: pbes2::Salt::new(salt)?,
                cost_parameter,
                block_size,
                parallelization,
                key_length: None,
            }),
            encryption: pbes2::EncryptionScheme::Aes256Cbc { iv },
        };
        let plain = self.to_pkcs8()?;
        let encrypted_data = parameters.encrypt(passphrase, plain.as_bytes())?;
        let document = EncryptedPrivateKeyInfo {
            encryption_algorithm: parameters.into(),
            encrypted_data: OctetStringRef::new(&encrypted_data)?,
        };
        let document = SecretDocument::try_from(document.to_der()?)?;
        Ok(document.to_pem(LABEL, LineEnding::LF)?)
    }
}

fn check_cost(kdf: &pbes2::Kdf) -> Result<(), SecretKeyError> {
    let fair = match kdf {
        pbes2::Kdf::Scrypt(scrypt) => {
            let n = scrypt.cost_parameter;
            let r = u64::from(scrypt.block_size);
            let p = u64::from(scrypt.parallelization);
            // RFC 7914, section 2: N is a power of two above 1. The crate `scrypt` relies on it.
            if !n.is_power_of_two() || n < 2 || r == 0 || p == 0 {
                return Err(SecretKeyError::Cipher);
            }
            let memory = n.saturating_add(p).saturating_mul(128 * r);
            let work = n.saturating_mul(r * p);
            memory <= MAX_SCRYPT_BYTES && work <= MAX_SCRYPT_WORK
        }
        pbes2::Kdf::Pbkdf2(pbkdf2) => {
            if pbkdf2.iteration_count == 0 {
                return Err(SecretKeyError::Cipher);
            }
            pbkdf2.iteration_count <= MAX_PBKDF2_ITERATIONS
        }
        _ => return Err(SecretKeyError::Cipher),
    };
    if fair {
        Ok(())
    } else {
        Err(SecretKeyError::TooCostly)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(parameters: pbes2::Parameters) -> String {
        let data = [0; 64];
        let document = EncryptedPrivateKeyInfo {
            encryption_algorithm: parameters.into(),
            encrypted_data: OctetStringRef::new(&data).unwrap(),
        };
        let document = SecretDocument::try_from(document.to_der().unwrap()).unwrap();
        document.to_pem(LABEL, LineEnding::LF).unwrap().to_string()
    }

    fn scrypt(n: u64, r: u16, p: u16) -> pbes2::Kdf {
        pbes2::Kdf::Scrypt(pbes2::ScryptParams {
            salt: pbes2::Salt::new([1; 16]).unwrap(),
            cost_parameter: n,
            block_size: r,
            parallelization: p,
            key_length: None,
        })
    }

    fn pbkdf2(iterations: u32, prf: pbes2::Pbkdf2Prf) -> pbes2::Kdf {
        pbes2::Kdf::Pbkdf2(pbes2::Pbkdf2Params {
            salt: pbes2::Salt::new([1; 8]).unwrap(),
            iteration_count: iterations,
            key_length: None,
            prf,
        })
    }

    fn refusal(kdf: pbes2::Kdf) -> SecretKeyError {
        let encryption = pbes2::EncryptionScheme::Aes256Cbc { iv: [0; 16] };
        let pem = document(pbes2::Parameters { kdf, encryption });
        SecretKey::from_encrypted_pem(&pem, b"passphrase").unwrap_err()
    }

    #[test]
    fn a_passphrase_opens_what_it_closed() {
        let key = SecretKey::generate().unwrap();
        let pem = key.to_encrypted_pem(b"correct horse").unwrap();
        assert!(SecretKey::is_encrypted(&pem));
        assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
        let opened = SecretKey::from_encrypted_pem(&pem, b"correct horse").unwrap();
        assert_eq!(opened.public(), key.public());
        for wrong in ["correct hors", "", "correct horse\n"] {
            let error = SecretKey::from_encrypted_pem(&pem, wrong.as_bytes()).unwrap_err();
            assert!(matches!(error, SecretKeyError::Passphrase));
        }
        // Salt and initialization vector are never the same twice.
        assert_ne!(*pem, *key.to_encrypted_pem(b"correct horse").unwrap());
        assert!(matches!(
            SecretKey::from_pem(&pem),
            Err(SecretKeyError::Encrypted)
        ));
    }

    #[test]
    fn a_file_cannot_ask_for_any_amount_of_work() {
        for kdf in [
            scrypt(1 << 40, 8, 1),
            scrypt(1 << 63, u16::MAX, u16::MAX),
            scrypt(1 << 18, 16, 1),
            scrypt(1 << 14, 8, 1024),
            pbkdf2(u32::MAX, pbes2::Pbkdf2Prf::HmacWithSha256),
        ] {
            let error = refusal(kdf);
            assert!(matches!(error, SecretKeyError::TooCostly), "{error}");
        }
    }

    #[test]
    fn other_schemes_are_refused_by_name() {
        for kdf in [
            scrypt(0, 8, 1),
            scrypt(1, 8, 1),
            scrypt(1000, 8, 1),
            scrypt(1 << 14, 0, 1),
            scrypt(1 << 14, 8, 0),
            pbkdf2(0, pbes2::Pbkdf2Prf::HmacWithSha256),
            pbkdf2(2048, pbes2::Pbkdf2Prf::HmacWithSha1),
        ] {
            let error = refusal(kdf);
            assert!(matches!(error, SecretKeyError::Cipher), "{error}");
        }
        let error = SecretKey::from_encrypted_pem("", b"").unwrap_err();
        assert!(matches!(error, SecretKeyError::EncryptedPem), "{error}");
        let cut_off = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n";
        let error = SecretKey::from_encrypted_pem(cut_off, b"").unwrap_err();
        assert!(matches!(error, SecretKeyError::Document(_)), "{error}");
        let no_key =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let error = SecretKey::from_encrypted_pem(no_key, b"").unwrap_err();
        assert!(matches!(error, SecretKeyError::Cipher), "{error}");
        let plain = SecretKey::generate().unwrap().to_pem().unwrap();
        let error = SecretKey::from_encrypted_pem(&plain, b"").unwrap_err();
        assert!(matches!(error, SecretKeyError::EncryptedPem));
    }
}
