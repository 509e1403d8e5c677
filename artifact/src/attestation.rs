//! Attestations: signed statements about files, each in a DSSE envelope of its own.
//!
//! An artifact's envelope has one spelling ([`Envelope`](crate::Envelope)), because hosts load what
//! it describes. An attestation lies beside the file that it is about, and other tools read and
//! write it as well. So the reader accepts every spelling that DSSE allows: fields in any order,
//! further fields, both alphabets of base64, signatures by other algorithms, and no key ids. The
//! writer leaves out the key ids if the caller does not ask for them: cosign counts no signature
//! with a key id beside it. [`AttestedStatement`] reads the payload.
//!
//! Source: DSSE v1.0.2, `envelope.md` (<https://github.com/secure-systems-lab/dsse>).

mod statement;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde::{Deserialize, Serialize};

pub use self::statement::{
    AttestedError, AttestedStatement, AttestedSubject, BLOB_PREDICATE_TYPE, blob_payload,
};
pub(crate) use self::statement::{FSVERITY, Wire, image_subject};
use crate::canonical::{self, JsonError};
use crate::{BadSignature, PAYLOAD_TYPE, PublicKey, pae};

/// The longest attestation, in bytes (1 MiB). A provenance of edgec is far shorter.
pub const MAX_ATTESTATION_LEN: u64 = 1 << 20;
/// More signatures than this are refused before any is checked. Without key ids, each of them is
/// tried with each key.
const MAX_SIGNATURES: usize = 16;

/// An in-toto statement and the signatures over it, in an envelope of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attestation {
    payload: Vec<u8>,
    signatures: Vec<Signed>,
}

/// A signature, and the key id beside it if there is one. The id is only a hint.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Signed {
    key_id: Option<String>,
    bytes: Vec<u8>,
}

/// Whether an envelope names the signing key beside its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyIdHint {
    /// No: cosign counts no signature with a key id.
    LeftOut,
    /// Yes: securesystemslib and other tools find the key by its id.
    Stated,
}

/// Why bytes are not an attestation.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttestationError {
    /// Longer than any attestation.
    #[error("{len} bytes are more than the {MAX_ATTESTATION_LEN} that an attestation may have")]
    TooLong {
        /// Its length in bytes.
        len: u64,
    },
    /// Not the JSON of a DSSE envelope.
    #[error("malformed envelope")]
    Json(#[from] JsonError),
    /// The signed payload is not an in-toto statement.
    #[error("payload type `{found}` is not `{PAYLOAD_TYPE}`")]
    PayloadType {
        /// The type in the envelope.
        found: String,
    },
    /// A field is not base64 with padding, in the standard or the URL-safe alphabet.
    #[error("`{field}` is not base64")]
    Base64 {
        /// The field's name.
        field: &'static str,
    },
    /// The list of signatures is longer than any threshold needs.
    #[error("the envelope has {count} signatures, and {MAX_SIGNATURES} is the limit")]
    TooManySignatures {
        /// Their number.
        count: usize,
    },
}

/// Unknown fields are ignored, as DSSE demands of readers.
#[derive(Serialize, Deserialize)]
struct WireEnvelope {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: String,
    signatures: Vec<WireSignature>,
}

#[derive(Serialize, Deserialize)]
struct WireSignature {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    keyid: Option<String>,
    sig: String,
}

impl Attestation {
    /// An attestation with this payload, without signatures.
    pub fn new(payload: Vec<u8>) -> Self {
        Self {
            payload,
            signatures: Vec::new(),
        }
    }

    /// Parses an envelope's JSON, in any spelling that DSSE allows.
    ///
    /// # Errors
    ///
    /// [`AttestationError`]. An envelope without signatures is read, and no key accepts it.
    pub fn decode(json: &[u8]) -> Result<Self, AttestationError> {
        let len = json.len() as u64;
        if len > MAX_ATTESTATION_LEN {
            return Err(AttestationError::TooLong { len });
        }
        let wire: WireEnvelope = canonical::parse(json)?;
        if wire.payload_type != PAYLOAD_TYPE {
            let found = wire.payload_type;
            return Err(AttestationError::PayloadType { found });
        }
        let count = wire.signatures.len();
        if count > MAX_SIGNATURES {
            return Err(AttestationError::TooManySignatures { count });
        }
        let payload = bytes_of(&wire.payload, "payload")?;
        let signatures = wire.signatures.into_iter().map(|signature| {
            Ok(Signed {
                bytes: bytes_of(&signature.sig, "sig")?,
                key_id: signature.keyid,
            })
        });
        Ok(Self {
            payload,
            signatures: signatures.collect::<Result<_, AttestationError>>()?,
        })
    }

    /// The payload. Do not parse it before a signature over it is accepted.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The bytes that every signature covers.
    pub fn pae(&self) -> Vec<u8> {
        pae(PAYLOAD_TYPE, &self.payload)
    }

    /// The number of signatures, whether they are valid or not.
    pub fn signatures(&self) -> usize {
        self.signatures.len()
    }

    /// Whether this key has made one of the signatures. Key ids do not matter, and neither do
    /// signatures of other algorithms. For a signer with several keys, ask for each.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        let pae = self.pae();
        self.signatures
            .iter()
            .any(|signature| is_by(signature, key, &pae))
    }

    /// Adds the signature of `signer` over [`Self::pae`]. It replaces an earlier signature by the
    /// same key.
    ///
    /// # Errors
    ///
    /// [`BadSignature`] if it is not `signer`'s signature over these bytes. The check is as strict
    /// as a verifier's.
    pub fn attach(
        &mut self,
        signer: &PublicKey,
        bytes: Vec<u8>,
        hint: KeyIdHint,
    ) -> Result<(), BadSignature> {
        let key_id = signer.id();
        let pae = self.pae();
        if !signer.accepts(&pae, &bytes) {
            return Err(BadSignature { key_id });
        }
        self.signatures.retain(|known| !is_by(known, signer, &pae));
        self.signatures.push(Signed {
            key_id: (hint == KeyIdHint::Stated).then(|| key_id.to_string()),
            bytes,
        });
        Ok(())
    }

    /// The envelope's JSON.
    pub fn encode(&self) -> Vec<u8> {
        let signatures = self.signatures.iter().map(|signature| WireSignature {
            keyid: signature.key_id.clone(),
            sig: STANDARD.encode(&signature.bytes),
        });
        canonical::encode(&WireEnvelope {
            payload: STANDARD.encode(&self.payload),
            payload_type: PAYLOAD_TYPE.to_owned(),
            signatures: signatures.collect(),
        })
    }
}

fn is_by(signature: &Signed, key: &PublicKey, pae: &[u8]) -> bool {
    key.accepts(pae, &signature.bytes)
}

fn bytes_of(text: &str, field: &'static str) -> Result<Vec<u8>, AttestationError> {
    let standard = STANDARD.decode(text);
    let either = standard.or_else(|_| URL_SAFE.decode(text));
    either.map_err(|_| AttestationError::Base64 { field })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The envelope of `docs/format.md`, "Test vectors": the key of RFC 8032 has signed `{}`.
    const SIGNED: &str = "{\"payload\":\"e30=\",\"payloadType\":\"application/vnd.in-toto+json\",\
        \"signatures\":[{\"keyid\":\"x\",\"sig\":\"vW8iDoS+pQIrO8G9pV+VHVGcvY/XcGMh2vfWpJJwwrH/m4CR\
        Zswsl9wIASL/n2XN7RSNIqdiogwYkqskDFZiAQ==\"}]}";

    fn signer() -> PublicKey {
        let (key, _) =
            PublicKey::from_text("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=").unwrap();
        key
    }

    #[test]
    fn every_spelling_of_dsse_is_read() {
        let read = Attestation::decode(SIGNED.as_bytes()).unwrap();
        assert_eq!((read.payload(), read.signatures()), (&b"{}"[..], 1));
        assert!(read.is_signed_by(&signer()));
        let url_safe = SIGNED.replace("S+p", "S-p").replace("V+V", "V-V");
        let url_safe = url_safe
            .replace("Y/X", "Y_X")
            .replace("H/m", "H_m")
            .replace("L/n", "L_n");
        for other in [
            SIGNED.replace("\"keyid\":\"x\",", ""),
            SIGNED.replace("\"keyid\":\"x\",", "\"keyid\":null,"),
            SIGNED.replace("\"signatures\"", " \"more\": [1], \"signatures\""),
            SIGNED.replace("[{", "[{\"sig\":\"AAAA\"},{"),
            url_safe,
        ] {
            let read = Attestation::decode(other.as_bytes()).unwrap();
            assert!(read.is_signed_by(&signer()), "{other}");
        }
        let changed = SIGNED.replace("e30=", "e31l");
        let changed = Attestation::decode(changed.as_bytes()).unwrap();
        assert!(!changed.is_signed_by(&signer()));
    }

    #[test]
    fn a_signature_is_checked_and_replaces_that_of_the_same_key() {
        let mut read = Attestation::decode(SIGNED.as_bytes()).unwrap();
        let bytes = read.signatures[0].bytes.clone();
        read.attach(&signer(), bytes.clone(), KeyIdHint::LeftOut)
            .unwrap();
        assert_eq!(read.signatures(), 1);
        assert!(!String::from_utf8(read.encode()).unwrap().contains("keyid"));
        read.attach(&signer(), bytes.clone(), KeyIdHint::Stated)
            .unwrap();
        let encoded = read.encode();
        let id = format!("\"keyid\":\"{}\"", signer().id());
        assert!(String::from_utf8_lossy(&encoded).contains(&id));
        assert_eq!(Attestation::decode(&encoded).unwrap(), read);
        let mut other = Attestation::new(b"[]".to_vec());
        let refused = other.attach(&signer(), bytes, KeyIdHint::LeftOut);
        assert_eq!(refused.unwrap_err().key_id, signer().id());
    }

    #[test]
    fn each_error_has_a_case() {
        let decode = |text: &str| Attestation::decode(text.as_bytes()).unwrap_err();
        assert!(matches!(decode("{}"), AttestationError::Json(_)));
        let twice = SIGNED.replacen('{', "{\"payload\":\"e30=\",", 1);
        assert!(matches!(decode(&twice), AttestationError::Json(_)));
        assert!(matches!(
            decode(&SIGNED.replace("vnd.in-toto+json", "json")),
            AttestationError::PayloadType { .. }
        ));
        for (text, field) in [
            (SIGNED.replace("e30=", "e30"), "payload"),
            (SIGNED.replace("AQ==", "A*=="), "sig"),
        ] {
            assert_eq!(decode(&text), AttestationError::Base64 { field });
        }
        let many = ["{\"sig\":\"\"}"; 16].join(",");
        let many = SIGNED.replace("[{", &format!("[{many},{{"));
        let count = 17;
        assert_eq!(decode(&many), AttestationError::TooManySignatures { count });
        let long = " ".repeat(1 << 20) + SIGNED;
        assert!(matches!(decode(&long), AttestationError::TooLong { .. }));
    }
}
