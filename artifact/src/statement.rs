//! The payload: an in-toto Statement v1 about the image.
//!
//! Source: <https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>. The one subject
//! is the image, and the predicate is the [`Manifest`]. Everything else in the statement follows
//! from the manifest. A statement that differs is not canonical, and is refused.

use serde::{Deserialize, Serialize};

use crate::canonical::{self, JsonError};
use crate::name::{NameError, check_name};
use crate::{
    Exports, MAX_EXPORT_LIST_LEN, MAX_VERSION, Manifest, Sha256Digest, Validity, VerityDigest,
};

/// The predicate type of an edgec manifest.
pub const PREDICATE_TYPE: &str = "https://edgec.dev/manifest/v1";
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// A statement that carries a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a promise: all that a statement says follows from its manifest"
)]
pub struct Statement {
    /// The manifest.
    pub manifest: Manifest,
}

/// Why a payload is not a statement about an image.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// The payload is not the JSON of a statement with a manifest, or not in its one spelling.
    #[error("malformed manifest")]
    Json(#[from] JsonError),
    /// A statement of another kind, for example provenance.
    #[error("the statement is of type `{found}`, not `{expected}`")]
    Type {
        /// The type in the payload.
        found: String,
        /// The type that was required.
        expected: &'static str,
    },
    /// The subject is not the image that the manifest describes.
    #[error("the statement's subject is not the image in its manifest")]
    Subject,
    /// A validity that states nothing. Its one spelling is to leave it out.
    #[error("the manifest's validity is empty")]
    EmptyValidity,
    /// Exports are summed up although their list is short enough to be stated.
    #[error(
        "the manifest sums up exports that take {length} bytes, and lists of up to \
         {MAX_EXPORT_LIST_LEN} are stated name by name"
    )]
    ShortSum {
        /// The stated length of the list's JSON in bytes.
        length: u64,
    },
    /// A version that other JSON readers would round (RFC 7493, section 2.2).
    #[error(
        "version {found} is above {MAX_VERSION}, the largest integer that every JSON reader keeps"
    )]
    Version {
        /// The version in the manifest.
        found: u64,
    },
    /// The application or channel name is invalid.
    #[error(transparent)]
    Name(#[from] NameError),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<Predicate> {
    #[serde(rename = "_type")]
    statement_type: String,
    subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: Predicate,
}

/// Only the types of a statement, whose predicate can be anything.
#[derive(Deserialize)]
struct Types {
    #[serde(rename = "_type")]
    statement_type: String,
    #[serde(rename = "predicateType")]
    predicate_type: String,
}

#[derive(Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Subject {
    name: String,
    digest: DigestSet,
}

#[derive(Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct DigestSet {
    sha256: Sha256Digest,
    #[serde(rename = "fsverity-sha256-12")]
    fsverity: VerityDigest,
}

impl Statement {
    /// The payload's bytes.
    pub fn encode(&self) -> Vec<u8> {
        canonical::encode(&Wire {
            statement_type: STATEMENT_TYPE.to_owned(),
            subject: vec![subject(&self.manifest)],
            predicate_type: PREDICATE_TYPE.to_owned(),
            predicate: &self.manifest,
        })
    }

    /// Parses a payload. Call it only for bytes that an accepted signature covers.
    ///
    /// # Errors
    ///
    /// [`StatementError`] if the payload is not exactly what [`Self::encode`] writes.
    pub fn decode(payload: &[u8]) -> Result<Self, StatementError> {
        // A statement of another kind gets an error that says so, instead of "unknown field".
        if let Ok(types) = serde_json::from_slice::<Types>(payload) {
            for (found, expected) in [
                (types.statement_type, STATEMENT_TYPE),
                (types.predicate_type, PREDICATE_TYPE),
            ] {
                if found != expected {
                    return Err(StatementError::Type { found, expected });
                }
            }
        }
        let wire: Wire<Manifest> = canonical::decode(payload)?;
        if wire.subject != [subject(&wire.predicate)] {
            return Err(StatementError::Subject);
        }
        let manifest = wire.predicate;
        if manifest.version > MAX_VERSION {
            return Err(StatementError::Version {
                found: manifest.version,
            });
        }
        if manifest.validity == Some(Validity::default()) {
            return Err(StatementError::EmptyValidity);
        }
        if let Exports::SummedUp(sum) = &manifest.capabilities.exports
            && sum.length <= MAX_EXPORT_LIST_LEN
        {
            return Err(StatementError::ShortSum { length: sum.length });
        }
        check_name(&manifest.name)?;
        manifest.channel.as_deref().map_or(Ok(()), check_name)?;
        Ok(Self { manifest })
    }
}

fn subject(manifest: &Manifest) -> Subject {
    Subject {
        name: manifest.name.clone(),
        digest: DigestSet {
            sha256: manifest.image.sha256,
            fsverity: manifest.image.fsverity,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Builder, Bytes, Capabilities, Engine, ExtensionValue, Extensions, Image, ProgramKind,
        Resources, Source, TargetCpu, UnixTime, Validity,
    };
    use std::collections::BTreeMap;

    fn sample() -> Statement {
        let image = b"image";
        Statement {
            manifest: Manifest {
                name: "hello".into(),
                version: 3,
                display_version: None,
                channel: None,
                kind: ProgramKind::Component,
                image: Image {
                    length: 5,
                    sha256: Sha256Digest::of(image),
                    fsverity: crate::verity::digest(image),
                },
                source: Source {
                    input: Bytes::of(b"in"),
                    optimized: Bytes::of(b"opt"),
                },
                target: TargetCpu {
                    id: "x86_64".into(),
                    triple: "x86_64-unknown-linux-gnu".into(),
                    level: "x86-64-v2".into(),
                    cpu_features: vec!["sse3".into()],
                },
                engine: Engine {
                    name: "wasmtime".into(),
                    version: "48.0.8".into(),
                    profile: "default".into(),
                    tunables: BTreeMap::new(),
                    compatibility_hash: Sha256Digest::of(b""),
                },
                capabilities: Capabilities {
                    imports: vec![],
                    exports: Exports::of(["wasi:cli/run@0.2.0".into()]),
                },
                resources: Resources::default(),
                wasm_features: vec![],
                validity: Validity {
                    issued: Some(UnixTime::from_seconds(1)),
                    ..Validity::default()
                }
                .into_stated(),
                builder: Builder {
                    edgec: "0.1.0".into(),
                    stages: vec![],
                },
                extensions: None,
            },
        }
    }

    #[test]
    fn a_statement_survives_its_own_encoding() {
        let statement = sample();
        assert_eq!(Statement::decode(&statement.encode()), Ok(statement));
    }

    #[test]
    fn exports_may_be_summed_up_and_extensions_carried() {
        let mut statement = sample();
        let many = (0..20_000).map(|number| format!("function_{number}"));
        statement.manifest.capabilities.exports = Exports::of(many);
        let value = ExtensionValue::String("1".to_owned());
        let extensions = Extensions::new([("dev.example/note".to_owned(), value)].into());
        statement.manifest.extensions = Some(extensions.unwrap());
        let encoded = statement.encode();
        assert_eq!(Statement::decode(&encoded), Ok(statement.clone()));
        let text = String::from_utf8(encoded).unwrap();
        assert!(
            text.ends_with(r#","extensions":{"dev.example/note":"1"}}}"#),
            "{text}"
        );
        let decode = |text: String| Statement::decode(text.as_bytes()).unwrap_err();
        for other in ["{}", "null", r#"{"dev.example/note":null}"#] {
            let text = text.replace(r#"{"dev.example/note":"1"}"#, other);
            assert!(matches!(decode(text), StatementError::Json(_)), "{other}");
        }
        let Exports::SummedUp(sum) = &mut statement.manifest.capabilities.exports else {
            panic!("it is a list");
        };
        sum.length = MAX_EXPORT_LIST_LEN;
        assert_eq!(
            Statement::decode(&statement.encode()),
            Err(StatementError::ShortSum {
                length: MAX_EXPORT_LIST_LEN
            })
        );
    }

    #[test]
    fn another_statement_is_named_as_such() {
        let text = String::from_utf8(sample().encode()).unwrap();
        let decode = |text: String| Statement::decode(text.as_bytes()).unwrap_err();
        assert_eq!(
            decode(text.replace(PREDICATE_TYPE, "https://slsa.dev/provenance/v1")).to_string(),
            "the statement is of type `https://slsa.dev/provenance/v1`, \
             not `https://edgec.dev/manifest/v1`"
        );
        assert!(matches!(
            decode(text.replacen("Statement/v1", "Statement/v0.1", 1)),
            StatementError::Type { .. }
        ));
        assert_eq!(
            decode(text.replacen("\"name\":\"hello\"", "\"name\":\"other\"", 1)),
            StatementError::Subject
        );
        assert!(matches!(
            decode(text.replacen("\"version\":3", "\"version\":3,\"x\":1", 1)),
            StatementError::Json(JsonError::Syntax { .. })
        ));
        assert!(matches!(
            decode(text.replacen("\"version\":3", "\"version\": 3", 1)),
            StatementError::Json(JsonError::NotCanonical { .. })
        ));
        assert!(matches!(
            decode(text.replacen("\"version\":3", "\"version\":18446744073709551616", 1)),
            StatementError::Json(JsonError::Syntax { .. })
        ));
    }
}
