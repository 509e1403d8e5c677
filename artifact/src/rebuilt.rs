//! A notary's statement: it has the program, compiled it itself, and got this image bit for bit.
//!
//! A signature on an artifact says that its signer vouches for it. This says what another party
//! found. So a host can take native code from a signer that it does not trust with its process.

use serde::{Deserialize, Serialize};

use crate::attestation::{Wire, image_subject};
use crate::companion::{self, CompanionError};
use crate::{Bytes, Image, Manifest, Sha256Digest, check_name};

/// The predicate type of a rebuild.
pub const REBUILD_PREDICATE_TYPE: &str = "https://edgec.dev/rebuild/v1";

/// A statement that a program compiles to an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct RebuildStatement {
    /// The application, as the artifact's manifest states it.
    pub application: String,
    /// The program that the notary has.
    pub input: Bytes,
    /// The image that it compiles to.
    pub image: Image,
    /// SHA-256 of the payload of the artifact's envelope: the statement with the manifest.
    pub manifest: Sha256Digest,
    /// The version of the edgec that compiled it for the notary.
    pub edgec: String,
}

impl RebuildStatement {
    /// The statement about the artifact with this manifest, whose envelope has this payload. The
    /// caller has rebuilt it with this edgec.
    pub fn of(manifest: &Manifest, payload: &[u8], edgec: impl Into<String>) -> Self {
        Self {
            application: manifest.name.clone(),
            input: manifest.source.input.clone(),
            image: manifest.image.clone(),
            manifest: Sha256Digest::of(payload),
            edgec: edgec.into(),
        }
    }

    /// The payload's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let subject = vec![image_subject(&self.application, &self.image)];
        Wire::encode(subject, REBUILD_PREDICATE_TYPE, self)
    }

    /// Parses a payload. Call it only for bytes that an accepted signature covers.
    ///
    /// # Errors
    ///
    /// [`CompanionError`] if the payload is not exactly what [`Self::encode`] writes.
    pub fn decode(payload: &[u8]) -> Result<Self, CompanionError> {
        let encode = |wire: &Wire<Self>| wire.predicate.encode();
        let statement = companion::decode(payload, REBUILD_PREDICATE_TYPE, encode)?.predicate;
        check_name(&statement.application)?;
        Ok(statement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_survives_its_own_encoding() {
        let made = RebuildStatement {
            application: "acme/shop".to_owned(),
            input: Bytes::of(b"wasm"),
            image: Image::of(b"image"),
            manifest: Sha256Digest::of(b"payload"),
            edgec: "0.1.0".to_owned(),
        };
        let payload = made.encode();
        assert_eq!(RebuildStatement::decode(&payload), Ok(made));
        let text = String::from_utf8(payload).unwrap();
        for (from, to) in [
            ("rebuild/v1", "rebuild/v2"),
            ("\"name\":\"acme/shop\"", "\"name\":\"acme/blog\""),
            ("\"application\":\"acme/shop\"", "\"application\":\"a*\""),
            ("\"edgec\":", "\"x\":1,\"edgec\":"),
        ] {
            let other = text.replacen(from, to, 1);
            assert_ne!(other, text);
            let read = RebuildStatement::decode(other.as_bytes());
            assert!(read.is_err(), "{other}");
        }
    }
}
