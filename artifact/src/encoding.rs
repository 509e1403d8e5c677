//! Public keys as text, in three common encodings.
//!
//! SubjectPublicKeyInfo in PEM (RFC 8410, RFC 7468); the 32 bytes of RFC 8032 in base64; and
//! OpenSSH's line (RFC 4253, section 6.6; RFC 8709, section 4). A key for ML-DSA-65 (RFC 9881) is
//! written in PEM only. Each is read strictly: one spelling
//! of the base64, lengths that fit, nothing after the key. In every encoding, weak keys are
//! refused.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::key::PEM_LABEL;
use crate::{Algorithm, KeyError, PublicKey, tidy_pem};

/// The type of an Ed25519 key in OpenSSH's text and inside of its blob (RFC 8709, section 4).
const SSH_ED25519: &str = "ssh-ed25519";

/// How OpenSSH's key types begin, with those of other algorithms than Ed25519.
const SSH_PREFIXES: [&str; 3] = ["ssh-", "ecdsa-", "sk-"];

/// How a public key is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyEncoding {
    /// SubjectPublicKeyInfo, PEM (`BEGIN PUBLIC KEY`).
    Pem,
    /// The 32 bytes, standard base64 with padding.
    Raw,
    /// `ssh-ed25519 BASE64 [COMMENT]`, as in OpenSSH's `.pub` files.
    OpenSsh,
}

impl KeyEncoding {
    /// The encoding's name in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pem => "PEM",
            Self::Raw => "raw base64",
            Self::OpenSsh => "OpenSSH",
        }
    }
}

impl PublicKey {
    /// The key in a text, and the encoding of the text. White space around the key and a byte-order
    /// mark are ignored. PEM is read as OpenSSL reads it ([`tidy_pem`](crate::tidy_pem)), except
    /// that text before the document is an error.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if the text does not encode a key, or the key is unfit.
    pub fn from_text(text: &str) -> Result<(Self, KeyEncoding), KeyError> {
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.starts_with("-----BEGIN") {
            let mut tidy = String::new();
            tidy_pem(text, PEM_LABEL, |label| label == PEM_LABEL, &mut tidy).map_err(|error| {
                KeyError::Pem {
                    reason: error.to_string(),
                }
            })?;
            Ok((Self::from_pem(&tidy)?, KeyEncoding::Pem))
        } else if text.contains("\n-----BEGIN") {
            // This fails, and the error says that there is text before the document.
            Ok((Self::from_pem(text)?, KeyEncoding::Pem))
        } else if SSH_PREFIXES.iter().any(|prefix| text.starts_with(prefix)) {
            Ok((from_openssh(text)?, KeyEncoding::OpenSsh))
        } else {
            Ok((from_raw(text)?, KeyEncoding::Raw))
        }
    }

    /// The key as text with a final newline; an OpenSSH line has no comment. `None` if keys of this
    /// algorithm are not written like this: an ML-DSA-65 key is written in PEM only.
    pub fn to_text(&self, encoding: KeyEncoding) -> Option<String> {
        match (encoding, self.algorithm()) {
            (KeyEncoding::Pem, _) => Some(self.to_pem()),
            (_, Algorithm::MlDsa65) => None,
            (KeyEncoding::Raw, _) => Some(format!("{}\n", STANDARD.encode(self.as_bytes()))),
            (KeyEncoding::OpenSsh, _) => Some(format!(
                "{SSH_ED25519} {}\n",
                STANDARD.encode(self.openssh_blob())
            )),
        }
    }

    /// The type and the key, each after its length (RFC 4251, section 5: `string`).
    fn openssh_blob(&self) -> Vec<u8> {
        // 11 and 32: the lengths of the type's name and of a key.
        let mut blob = vec![0, 0, 0, 11];
        blob.extend_from_slice(SSH_ED25519.as_bytes());
        blob.extend_from_slice(&[0, 0, 0, 32]);
        blob.extend_from_slice(self.as_bytes());
        blob
    }
}

fn from_raw(text: &str) -> Result<PublicKey, KeyError> {
    let bytes = STANDARD.decode(text).map_err(|_| KeyError::Text)?;
    if bytes.is_empty() {
        return Err(KeyError::Text);
    }
    let bytes = bytes
        .as_slice()
        .try_into()
        .map_err(|_| KeyError::RawLength {
            algorithm: Algorithm::Ed25519,
            len: bytes.len(),
        })?;
    PublicKey::from_bytes(bytes)
}

fn from_openssh(line: &str) -> Result<PublicKey, KeyError> {
    let malformed = |reason| KeyError::OpenSsh { reason };
    if line.contains(['\n', '\r']) {
        return Err(malformed("more than one line"));
    }
    let mut fields = line.splitn(3, [' ', '\t']);
    let kind = fields.next().unwrap_or_default();
    let blob = fields.next().unwrap_or_default();
    if kind != SSH_ED25519 {
        return Err(malformed("the line does not begin with `ssh-ed25519`"));
    }
    let blob = STANDARD
        .decode(blob)
        .map_err(|_| malformed("the key is not standard base64"))?;
    let (kind, rest) = string(&blob).ok_or(malformed("the key was cut off"))?;
    if kind != SSH_ED25519.as_bytes() {
        return Err(malformed("the key has another type than its line states"));
    }
    let (key, rest) = string(rest).ok_or(malformed("the key was cut off"))?;
    if !rest.is_empty() {
        return Err(malformed("bytes after the key"));
    }
    let key = key.try_into().map_err(|_| KeyError::RawLength {
        algorithm: Algorithm::Ed25519,
        len: key.len(),
    })?;
    PublicKey::from_bytes(key)
}

/// Splits off a big-endian length of 32 bits, and that many bytes.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8410, section 10.1, and the same key with the lengths of OpenSSH before it.
    const RAW: &str = "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
    const OPENSSH: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBm/RAlphM3+hUG6wWfcO5bIUIaqMLa2ywxcOK1wMWbh";

    #[test]
    fn every_encoding_survives_a_round_trip() {
        let (key, _) = PublicKey::from_text(RAW).unwrap();
        assert_eq!(
            key.to_text(KeyEncoding::OpenSsh).unwrap().trim_end(),
            OPENSSH
        );
        assert_eq!(key.to_text(KeyEncoding::Raw).unwrap().trim_end(), RAW);
        for encoding in [KeyEncoding::Pem, KeyEncoding::Raw, KeyEncoding::OpenSsh] {
            let text = format!("\n {} \n", key.to_text(encoding).unwrap());
            assert_eq!(PublicKey::from_text(&text), Ok((key.clone(), encoding)));
        }
        let commented = format!("{OPENSSH} you@example.com, and more");
        assert_eq!(
            PublicKey::from_text(&commented),
            Ok((key, KeyEncoding::OpenSsh))
        );
    }

    #[test]
    fn a_key_of_ml_dsa_is_written_in_pem_only() {
        let key = PublicKey::ml_dsa_65(&[3; 1952]).unwrap();
        for encoding in [KeyEncoding::Raw, KeyEncoding::OpenSsh] {
            assert_eq!(key.to_text(encoding), None);
        }
        let pem = key.to_text(KeyEncoding::Pem).unwrap();
        assert_eq!(PublicKey::from_text(&pem), Ok((key, KeyEncoding::Pem)));
    }

    #[test]
    fn pem_is_read_as_openssl_reads_it_or_refused_with_the_reason() {
        let (key, _) = PublicKey::from_text(RAW).unwrap();
        let pem = key.to_pem();
        for text in [
            format!("\u{feff}{pem}"),
            pem.replace('\n', "  \r\n"),
            format!("{pem}a comment\n"),
            pem.replace("MCow", "MC\now"),
        ] {
            assert_eq!(
                PublicKey::from_text(&text),
                Ok((key.clone(), KeyEncoding::Pem))
            );
            // A policy's PEM has one spelling, so that all readers agree.
            assert_eq!(PublicKey::from_pem(&pem), Ok(key.clone()));
        }
        for (text, says) in [
            (format!("a comment\n{pem}"), "does not begin with"),
            (pem.replace('\n', "\\n"), "written as `\\n`"),
            (
                pem.replace("PUBLIC", "PRIVATE"),
                "no line `-----BEGIN PUBLIC KEY-----`",
            ),
        ] {
            let error = PublicKey::from_text(&text).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn unfit_keys_are_refused_in_every_encoding() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut not_on_curve = [0; 32];
        not_on_curve[0] = 2;
        let mut non_canonical = [0xff; 32];
        non_canonical[0] = 0xf0;
        non_canonical[31] = 0x7f;
        for (bytes, error) in [
            (identity, KeyError::Weak),
            (not_on_curve, KeyError::NotOnCurve),
            (non_canonical, KeyError::NonCanonical),
        ] {
            let raw = STANDARD.encode(bytes);
            assert_eq!(PublicKey::from_text(&raw).unwrap_err(), error);
            let line = line(b"ssh-ed25519", &bytes, b"");
            assert_eq!(PublicKey::from_text(&line).unwrap_err(), error);
            let mut der = vec![48, 42, 48, 5, 6, 3, 43, 101, 112, 3, 33, 0];
            der.extend_from_slice(&bytes);
            let pem = format!(
                "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
                STANDARD.encode(der)
            );
            assert_eq!(PublicKey::from_text(&pem).unwrap_err(), error);
        }
    }

    fn line(kind: &[u8], key: &[u8], rest: &[u8]) -> String {
        let mut blob = u32::try_from(kind.len()).unwrap().to_be_bytes().to_vec();
        blob.extend_from_slice(kind);
        blob.extend_from_slice(&u32::try_from(key.len()).unwrap().to_be_bytes());
        blob.extend_from_slice(key);
        blob.extend_from_slice(rest);
        format!("ssh-ed25519 {}", STANDARD.encode(blob))
    }

    #[test]
    fn malformed_text_is_refused_by_name() {
        let key = STANDARD.decode(RAW).unwrap();
        for (text, reason) in [
            (format!("{OPENSSH}\n{OPENSSH}"), "more than one line"),
            (
                "ssh-rsa AAAA".to_owned(),
                "the line does not begin with `ssh-ed25519`",
            ),
            (
                "ssh-ed25519 AAA*".to_owned(),
                "the key is not standard base64",
            ),
            // The last character's stray bits, and white space inside.
            (
                OPENSSH.replace("Wbh", "Wb="),
                "the key is not standard base64",
            ),
            ("ssh-ed25519  AAAA".to_owned(), "the key was cut off"),
            ("ssh-ed25519 AAAA".to_owned(), "the key was cut off"),
            ("ssh-ed25519 /////w==".to_owned(), "the key was cut off"),
            (
                line(b"ssh-ed448", &key, b""),
                "the key has another type than its line states",
            ),
            (line(b"ssh-ed25519", &key, b"\0"), "bytes after the key"),
        ] {
            assert_eq!(
                PublicKey::from_text(&text),
                Err(KeyError::OpenSsh { reason }),
                "{text}"
            );
        }
        for bytes in [&key[..31], &[0; 33]] {
            let error = Err(KeyError::RawLength {
                algorithm: Algorithm::Ed25519,
                len: bytes.len(),
            });
            assert_eq!(
                PublicKey::from_text(&line(b"ssh-ed25519", bytes, b"")),
                error
            );
            assert_eq!(PublicKey::from_text(&STANDARD.encode(bytes)), error);
        }
        // Without padding, in the other alphabet, with stray bits; and texts without a key.
        for text in [
            &RAW[..43],
            &RAW.replace(['/', 'E'], "_"),
            &RAW.replace("uE=", "uF="),
            "",
            "a text of\nsome lines",
        ] {
            assert_eq!(PublicKey::from_text(text), Err(KeyError::Text), "{text}");
        }
    }
}
