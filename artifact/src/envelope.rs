//! The DSSE envelope: a payload and the signatures over it.
//!
//! Source: DSSE v1.0.2, `protocol.md` and `envelope.md`
//! (<https://github.com/secure-systems-lab/dsse>). It is stricter where DSSE leaves room: standard
//! base64 with padding, one spelling of the JSON.
//!
//! A signature does not state its algorithm: the key under whose id it stands decides how it is
//! read. So a reader skips signatures of algorithms that it does not know, within bounds.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use crate::canonical::{self, JsonError};
use crate::{KeyId, PublicKey};

/// The payload type in artifacts: an in-toto Statement.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// More signatures than this are refused before any is checked, because each check costs time.
const MAX_SIGNATURES: usize = 64;
/// The longest signature, in bytes (32 KiB). A reader skips a signature of a kind that it does not
/// know, up to this length. It has room for every signature of FIPS 204, and for the small ones of
/// FIPS 205.
pub const MAX_SIGNATURE_LEN: usize = 1 << 15;

/// A DSSE envelope with signatures of any kind. The payload type of an artifact's envelope is
/// [`PAYLOAD_TYPE`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    payload_type: &'static str,
    payload: Vec<u8>,
    signatures: Vec<Signature>,
}

/// One signature in an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    key_id: String,
    bytes: Vec<u8>,
}

impl Signature {
    /// A signature and the id of its key as a hint.
    pub fn new(key_id: &str, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            key_id: key_id.to_owned(),
            bytes: bytes.into(),
        }
    }

    /// The key id: a hint that anyone can write. It never proves who signed.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The signature. Only its key says of which algorithm it is, and how long it must be.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Why bytes are not an envelope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// The text is not the JSON of an envelope, or not in its one spelling.
    #[error("malformed envelope")]
    Json(#[from] JsonError),
    /// The signed payload is of another type than the wanted one.
    #[error("payload type `{found}` is not `{wanted}`")]
    PayloadType {
        /// The type in the envelope.
        found: String,
        /// The type that is wanted.
        wanted: &'static str,
    },
    /// A field is not standard base64 with padding.
    #[error("`{field}` is not standard base64")]
    Base64 {
        /// The field's name.
        field: &'static str,
    },
    /// A signature is empty, or longer than any that a reader skips.
    #[error("signature {index} has {len} bytes: at least 1 and at most {MAX_SIGNATURE_LEN} may be")]
    SignatureLength {
        /// Its place in the list, from 0.
        index: usize,
        /// Its length in bytes.
        len: usize,
    },
    /// The list of signatures is longer than any threshold needs.
    #[error("the envelope has {count} signatures, and {MAX_SIGNATURES} is the limit")]
    TooManySignatures {
        /// Their number.
        count: usize,
    },
}

/// A signature that another key made, or that covers other bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not by key {key_id} over this payload")]
#[non_exhaustive]
pub struct BadSignature {
    /// The key that is stated to have signed.
    pub key_id: KeyId,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireEnvelope {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: String,
    signatures: Vec<WireSignature>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSignature {
    keyid: String,
    sig: String,
}

impl Envelope {
    /// An artifact's envelope about `payload` with these signatures.
    pub fn new(payload: Vec<u8>, signatures: Vec<Signature>) -> Self {
        Self {
            payload_type: PAYLOAD_TYPE,
            payload,
            signatures,
        }
    }

    /// An envelope with a payload of another type, without signatures.
    pub fn of_type(payload_type: &'static str, payload: Vec<u8>) -> Self {
        Self {
            payload_type,
            payload,
            signatures: Vec::new(),
        }
    }

    /// The payload. Do not parse it before a signature over it is accepted.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The signatures, in file order. They are not verified.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// The bytes that every signature covers.
    pub fn pae(&self) -> Vec<u8> {
        pae(self.payload_type, &self.payload)
    }

    /// Parses an envelope's JSON.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError`]. An empty list of signatures is accepted here, and no policy accepts it.
    pub fn decode(json: &[u8]) -> Result<Self, EnvelopeError> {
        Self::decode_type(PAYLOAD_TYPE, json)
    }

    /// As [`Self::decode`], for a payload of another type.
    ///
    /// # Errors
    ///
    /// As [`Self::decode`].
    pub fn decode_type(payload_type: &'static str, json: &[u8]) -> Result<Self, EnvelopeError> {
        let wire: WireEnvelope = canonical::decode(json)?;
        if wire.payload_type != payload_type {
            return Err(EnvelopeError::PayloadType {
                found: wire.payload_type,
                wanted: payload_type,
            });
        }
        if wire.signatures.len() > MAX_SIGNATURES {
            return Err(EnvelopeError::TooManySignatures {
                count: wire.signatures.len(),
            });
        }
        let payload = STANDARD
            .decode(&wire.payload)
            .map_err(|_| EnvelopeError::Base64 { field: "payload" })?;
        let signatures = wire
            .signatures
            .iter()
            .enumerate()
            .map(|(index, signature)| {
                let bytes = STANDARD
                    .decode(&signature.sig)
                    .map_err(|_| EnvelopeError::Base64 { field: "sig" })?;
                let len = bytes.len();
                if len == 0 || len > MAX_SIGNATURE_LEN {
                    return Err(EnvelopeError::SignatureLength { index, len });
                }
                Ok(Signature::new(&signature.keyid, bytes))
            })
            .collect::<Result<_, EnvelopeError>>()?;
        Ok(Self {
            payload_type,
            payload,
            signatures,
        })
    }

    /// Takes over the signatures of an envelope with the same payload, except those under a key id
    /// that has a signature here. None of them is verified. If the payload or its type differs,
    /// this takes over nothing and returns `false`.
    pub fn merge(&mut self, other: &Self) -> bool {
        if (self.payload_type, &self.payload) != (other.payload_type, &other.payload) {
            return false;
        }
        for signature in &other.signatures {
            if !self.has_signature_by(&signature.key_id) {
                self.signatures.push(signature.clone());
            }
        }
        true
    }

    /// Whether there is a signature under a key id. It is not verified.
    pub fn has_signature_by(&self, key_id: &str) -> bool {
        self.signatures
            .iter()
            .any(|signature| signature.key_id == key_id)
    }

    /// Adds the signature of `signer` over [`Self::pae`]. It replaces the signature under the same
    /// key id, or comes after all others.
    ///
    /// # Errors
    ///
    /// [`BadSignature`] if it is not `signer`'s signature over these bytes. The check is as strict
    /// as a verifier's.
    pub fn attach(&mut self, signer: &PublicKey, bytes: Vec<u8>) -> Result<(), BadSignature> {
        let key_id = signer.id();
        if !signer.accepts(&self.pae(), &bytes) {
            return Err(BadSignature { key_id });
        }
        let key_id = key_id.to_string();
        self.signatures.retain(|known| known.key_id != key_id);
        self.signatures.push(Signature { key_id, bytes });
        Ok(())
    }

    /// The envelope's JSON, in its one spelling.
    pub fn encode(&self) -> Vec<u8> {
        canonical::encode(&WireEnvelope {
            payload: STANDARD.encode(&self.payload),
            payload_type: self.payload_type.to_owned(),
            signatures: self
                .signatures
                .iter()
                .map(|signature| WireSignature {
                    keyid: signature.key_id.clone(),
                    sig: STANDARD.encode(&signature.bytes),
                })
                .collect(),
        })
    }
}

/// DSSE's pre-authentication encoding: the bytes that a signature over a typed payload covers.
///
/// `"DSSEv1" SP LEN(type) SP type SP LEN(payload) SP payload`, lengths in decimal.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        payload.len()
    )
    .into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

#[cfg(test)]
mod tests;
