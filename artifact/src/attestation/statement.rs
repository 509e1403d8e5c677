//! The payload of an attestation: an in-toto statement about files, with any predicate.
//!
//! Source: <https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>. The older
//! version 0.1 has the same fields, and cosign still writes it.

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::canonical::{self, JsonError};
use crate::{Image, Sha256Digest};

/// The predicate type of a statement that `edgec sign-blob` signs: these bytes, under this name.
pub const BLOB_PREDICATE_TYPE: &str = "https://edgec.dev/blob/v1";

/// The type that edgec writes.
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// The types that edgec reads.
const STATEMENT_TYPES: [&str; 2] = [STATEMENT_TYPE, "https://in-toto.io/Statement/v0.1"];

/// A statement about files.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttestedStatement {
    /// What it is about.
    pub subjects: Vec<AttestedSubject>,
    /// What kind of statement it is.
    pub predicate_type: String,
}

/// One thing that a statement is about. All digests are of the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AttestedSubject {
    /// Its name; empty if none is stated.
    #[serde(default)]
    pub name: String,
    /// Its digests in lowercase hexadecimal, by in-toto's names of algorithms.
    #[serde(default)]
    pub digest: BTreeMap<String, String>,
}

/// Why a payload is not the wanted statement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttestedError {
    /// The payload is not the JSON of a statement.
    #[error("malformed statement")]
    Json(#[from] JsonError),
    /// A document of another kind.
    #[error("the document is of type `{found}`, not `{STATEMENT_TYPE}`")]
    Type {
        /// The type in the payload.
        found: String,
    },
    /// A statement of another kind.
    #[error("the statement is of type `{found}`, not `{wanted}`")]
    PredicateType {
        /// The type in the payload.
        found: String,
        /// The type that was required.
        wanted: String,
    },
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Wire<Predicate> {
    #[serde(rename = "_type")]
    statement_type: String,
    pub(crate) subject: Vec<AttestedSubject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    pub(crate) predicate: Predicate,
}

/// The predicate of [`BLOB_PREDICATE_TYPE`].
#[derive(Serialize)]
struct Blob {
    /// The file's length in bytes.
    length: u64,
}

impl AttestedSubject {
    /// A file with this name and this SHA-256.
    pub fn file(name: impl Into<String>, sha256: Sha256Digest) -> Self {
        Self {
            name: name.into(),
            digest: [("sha256".to_owned(), sha256.to_string())].into(),
        }
    }

    /// Whether these are the bytes with this SHA-256.
    pub fn has_sha256(&self, sha256: Sha256Digest) -> bool {
        self.digest
            .get("sha256")
            .is_some_and(|stated| *stated == sha256.to_string())
    }
}

impl AttestedStatement {
    /// Parses a payload. Call it only for bytes that an accepted signature covers.
    ///
    /// # Errors
    ///
    /// [`AttestedError`].
    pub fn decode(payload: &[u8]) -> Result<Self, AttestedError> {
        // A statement may lack a predicate.
        #[derive(Deserialize)]
        struct Head {
            #[serde(rename = "_type")]
            statement_type: String,
            #[serde(default)]
            subject: Vec<AttestedSubject>,
            #[serde(rename = "predicateType")]
            predicate_type: String,
            #[serde(default, rename = "predicate")]
            _predicate: IgnoredAny,
        }
        let head: Head = canonical::parse(payload)?;
        check_type(head.statement_type)?;
        Ok(Self {
            subjects: head.subject,
            predicate_type: head.predicate_type,
        })
    }
}

impl<Predicate: Serialize> Wire<Predicate> {
    /// The payload of a statement.
    pub(crate) fn encode(
        subject: Vec<AttestedSubject>,
        predicate_type: &str,
        predicate: Predicate,
    ) -> Vec<u8> {
        canonical::encode(&Self {
            statement_type: STATEMENT_TYPE.to_owned(),
            subject,
            predicate_type: predicate_type.to_owned(),
            predicate,
        })
    }
}

impl<Predicate: DeserializeOwned> Wire<Predicate> {
    /// The statement in a payload, which must be of this type.
    pub(crate) fn decode(payload: &[u8], wanted: &str) -> Result<Self, AttestedError> {
        // A statement of another kind gets an error that says so, instead of "missing field".
        let found = AttestedStatement::decode(payload)?.predicate_type;
        if found != wanted {
            let wanted = wanted.to_owned();
            return Err(AttestedError::PredicateType { found, wanted });
        }
        Ok(canonical::parse(payload)?)
    }
}

/// The payload for a file of any kind: its name, its SHA-256, and its length in bytes.
pub fn blob_payload(name: &str, sha256: Sha256Digest, length: u64) -> Vec<u8> {
    let subject = vec![AttestedSubject::file(name, sha256)];
    Wire::encode(subject, BLOB_PREDICATE_TYPE, Blob { length })
}

/// The image of an application as a subject, with both of its digests.
pub(crate) fn image_subject(application: &str, image: &Image) -> AttestedSubject {
    let mut subject = AttestedSubject::file(application, image.sha256);
    let fsverity = image.fsverity.to_string();
    subject.digest.insert(FSVERITY.to_owned(), fsverity);
    subject
}

/// The name of an fs-verity digest: SHA-256, blocks of 2^12 bytes.
pub(crate) const FSVERITY: &str = "fsverity-sha256-12";

fn check_type(found: String) -> Result<(), AttestedError> {
    match STATEMENT_TYPES.contains(&found.as_str()) {
        true => Ok(()),
        false => Err(AttestedError::Type { found }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_about_a_file_is_written_and_read() {
        let sha256 = Sha256Digest::of(b"x");
        let payload = blob_payload("a.tar.gz", sha256, 1);
        let text = String::from_utf8(payload.clone()).unwrap();
        assert_eq!(
            text,
            format!(
                "{{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{{\"name\":\
                 \"a.tar.gz\",\"digest\":{{\"sha256\":\"{sha256}\"}}}}],\"predicateType\":\
                 \"https://edgec.dev/blob/v1\",\"predicate\":{{\"length\":1}}}}"
            )
        );
        let read = AttestedStatement::decode(&payload).unwrap();
        assert_eq!(read.predicate_type, BLOB_PREDICATE_TYPE);
        let [subject] = read.subjects.as_slice() else {
            panic!("{read:?}");
        };
        assert!(subject.has_sha256(sha256) && !subject.has_sha256(Sha256Digest::of(b"y")));
        // Another tool's spelling, version and fields.
        let other = "{ \"predicateType\": \"x\", \"_type\": \"https://in-toto.io/Statement/v0.1\", \
            \"subject\": [{\"uri\": \"y\"}], \"more\": {} }";
        let read = AttestedStatement::decode(other.as_bytes()).unwrap();
        assert_eq!(read.subjects[0].name, "");
    }

    #[test]
    fn each_error_has_a_case() {
        let decode = |text: &str| AttestedStatement::decode(text.as_bytes()).unwrap_err();
        assert!(matches!(decode("{}"), AttestedError::Json(_)));
        let other = "{\"_type\":\"x\",\"predicateType\":\"y\"}";
        assert!(matches!(decode(other), AttestedError::Type { .. }));
        let payload = blob_payload("a", Sha256Digest::of(b"x"), 1);
        let refused = Wire::<IgnoredAny>::decode(&payload, "https://slsa.dev/provenance/v1");
        assert!(matches!(
            refused.map(|_| ()).unwrap_err(),
            AttestedError::PredicateType { .. }
        ));
    }
}
