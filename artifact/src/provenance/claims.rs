//! Reads the provenance of a build by edgec: only what a policy can judge.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{BUILD_TYPE, BuildSource, PROVENANCE_PREDICATE_TYPE, SBOM_MEDIA_TYPES};
use crate::attestation::{FSVERITY, Wire};
use crate::canonical::{self, JsonError};
use crate::{AttestedError, AttestedSubject, Sha256Digest, VerityDigest};

/// What a signed provenance says that a policy can judge.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProvenanceClaims {
    /// What it is about.
    pub subjects: Vec<AttestedSubject>,
    /// The builder's identity.
    pub builder: String,
    /// The source, if it is stated.
    pub source: BuildSource,
    /// The SHA-256 of each bill of materials that was written with the artifact.
    pub sboms: Vec<Sha256Digest>,
}

/// Why a payload is not the provenance of a build by edgec.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProvenanceError {
    /// It is not a statement of provenance.
    #[error(transparent)]
    Statement(#[from] AttestedError),
    /// The provenance lacks a field, or a field has another type.
    #[error("malformed provenance")]
    Json(#[from] JsonError),
    /// Another tool built it, whose parameters mean something else.
    #[error("the build is of type `{found}`, not `{BUILD_TYPE}`")]
    BuildType {
        /// The type in the provenance.
        found: String,
    },
}

impl ProvenanceClaims {
    /// Parses the payload of a provenance. Call it only for bytes that an accepted signature
    /// covers.
    ///
    /// # Errors
    ///
    /// [`ProvenanceError`].
    pub fn decode(payload: &[u8]) -> Result<Self, ProvenanceError> {
        let typed: Wire<Typed> = Wire::decode(payload, PROVENANCE_PREDICATE_TYPE)?;
        let found = typed.predicate.build_definition.build_type;
        if found != BUILD_TYPE {
            return Err(ProvenanceError::BuildType { found });
        }
        // Only now is the meaning of the parameters known.
        let wire: Wire<Read> = canonical::parse(payload)?;
        let Read {
            build_definition,
            run_details,
        } = wire.predicate;
        let source = build_definition.external_parameters.source;
        Ok(Self {
            subjects: wire.subject,
            builder: run_details.builder.id,
            source: source.unwrap_or_default(),
            sboms: run_details.byproducts.iter().filter_map(of_sbom).collect(),
        })
    }

    /// Whether it is about the image with this digest.
    pub fn is_about(&self, image: VerityDigest) -> bool {
        let image = image.to_string();
        let subjects = self.subjects.iter();
        let mut digests = subjects.filter_map(|subject| subject.digest.get(FSVERITY));
        digests.any(|digest| *digest == image)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Typed {
    build_definition: TypedDefinition,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TypedDefinition {
    build_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Read {
    build_definition: ReadDefinition,
    run_details: ReadDetails,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReadDefinition {
    external_parameters: ReadParameters,
}

#[derive(Deserialize)]
struct ReadParameters {
    #[serde(default)]
    source: Option<BuildSource>,
}

#[derive(Deserialize)]
struct ReadDetails {
    builder: ReadBuilder,
    #[serde(default)]
    byproducts: Vec<ReadByproduct>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReadByproduct {
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    digest: BTreeMap<String, String>,
}

/// The digest of a byproduct, if it is a bill of materials.
fn of_sbom(byproduct: &ReadByproduct) -> Option<Sha256Digest> {
    let is_sbom = SBOM_MEDIA_TYPES.contains(&byproduct.media_type.as_str());
    let digest = byproduct.digest.get("sha256").filter(|_| is_sbom)?;
    digest.parse().ok()
}

#[derive(Deserialize)]
struct ReadBuilder {
    id: String,
}
