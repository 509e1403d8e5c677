//! What travels with a native image, as layers of its manifest: recognised by its content.

use edgec_artifact::{
    Attestation, LogProof, MAX_SBOM_LEN, Manifest, ProvenanceClaims, RebuildStatement,
    Sha256Digest, companion_envelope,
};
use serde::Deserialize;

use super::media;
use crate::Descriptor;

/// What a file beside an artifact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum AttachedKind {
    /// Who built the artifact, and from what (`docs/provenance.md`).
    Provenance,
    /// That a transparency log has the artifact.
    LogProof,
    /// That a notary has rebuilt the artifact.
    Rebuild,
    /// A bill of materials of CycloneDX.
    CycloneDx,
    /// A bill of materials of SPDX.
    Spdx,
    /// The names for backtraces (`docs/debugging.md`).
    Debug,
}

impl AttachedKind {
    /// All kinds, in the order of layers.
    pub const ALL: [Self; 6] = [
        Self::Provenance,
        Self::LogProof,
        Self::Rebuild,
        Self::CycloneDx,
        Self::Spdx,
        Self::Debug,
    ];

    /// The media type of its layer.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Provenance => media::PROVENANCE,
            Self::LogProof => media::LOG_PROOF,
            Self::Rebuild => media::REBUILD,
            Self::CycloneDx => media::CYCLONEDX,
            Self::Spdx => media::SPDX,
            Self::Debug => media::DEBUG,
        }
    }

    /// Its name in a few words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Provenance => "a provenance",
            Self::LogProof => "a proof of a transparency log",
            Self::Rebuild => "a notary's statement",
            Self::CycloneDx => "a bill of materials (CycloneDX)",
            Self::Spdx => "a bill of materials (SPDX)",
            Self::Debug => "a debug file",
        }
    }

    /// Layers of this kind, for messages about their number.
    pub(crate) fn layers(self) -> &'static str {
        match self {
            Self::Provenance => "provenances",
            Self::LogProof => "proofs of transparency logs",
            Self::Rebuild => "notaries' statements",
            Self::CycloneDx => "bills of materials (CycloneDX)",
            Self::Spdx => "bills of materials (SPDX)",
            Self::Debug => "debug files",
        }
    }

    /// The ending of its file, behind the artifact's name without `.cwasm`.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Provenance => "provenance.json",
            Self::LogProof => "tlog-proof",
            Self::Rebuild => "notary.json",
            Self::CycloneDx => "cdx.json",
            Self::Spdx => "spdx.json",
            Self::Debug => "debug",
        }
    }

    /// The longest content that is fetched, in bytes, uncompressed.
    pub(crate) fn limit(self) -> u64 {
        match self {
            Self::Provenance => edgec_artifact::MAX_ATTESTATION_LEN,
            Self::LogProof => edgec_artifact::MAX_LOG_PROOF_LEN as u64,
            Self::Rebuild => edgec_artifact::MAX_COMPANION_LEN,
            Self::CycloneDx | Self::Spdx => MAX_SBOM_LEN,
            Self::Debug => edgec_artifact::MAX_ARTIFACT_LEN,
        }
    }
}

/// A file that travels with artifacts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attached {
    /// What it is.
    pub kind: AttachedKind,
    /// Its content, uncompressed.
    pub bytes: Vec<u8>,
    about: About,
}

/// The artifacts that a file belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum About {
    /// All of them: it is about the program, or does not say.
    All,
    /// Those whose image has one of these fs-verity digests.
    Images(Vec<String>),
    /// The one whose envelope has this payload.
    Payload(Sha256Digest),
}

impl Attached {
    /// A provenance. It belongs to the artifacts that it names.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn provenance(bytes: Vec<u8>) -> Result<Self, String> {
        let attestation = Attestation::decode(&bytes).map_err(text)?;
        let claims = ProvenanceClaims::decode(attestation.payload()).map_err(text)?;
        let subjects = claims.subjects.into_iter();
        let about = subjects.filter_map(|mut it| it.digest.remove("fsverity-sha256-12"));
        Ok(Self {
            kind: AttachedKind::Provenance,
            about: About::Images(about.collect()),
            bytes,
        })
    }

    /// A proof of a transparency log. It does not say which artifact it is about.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn log_proof(bytes: Vec<u8>) -> Result<Self, String> {
        LogProof::parse(&bytes).map_err(text)?;
        Ok(Self {
            kind: AttachedKind::LogProof,
            about: About::All,
            bytes,
        })
    }

    /// A notary's statement. It belongs to the artifact that it names.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn rebuild(bytes: Vec<u8>) -> Result<Self, String> {
        let envelope = companion_envelope(&bytes).map_err(text)?;
        let stated = RebuildStatement::decode(envelope.payload()).map_err(text)?;
        Ok(Self {
            kind: AttachedKind::Rebuild,
            about: About::Payload(stated.manifest),
            bytes,
        })
    }

    /// A bill of materials: CycloneDX or SPDX, in JSON.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn sbom(bytes: Vec<u8>) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Head {
            bom_format: Option<String>,
            spdx_version: Option<String>,
        }
        if bytes.len() as u64 > MAX_SBOM_LEN {
            return Err(format!("it is longer than {MAX_SBOM_LEN} bytes"));
        }
        let head: Head = serde_json::from_slice(&bytes).map_err(text)?;
        let is_spdx = |version: &str| version.starts_with("SPDX-");
        let kind = match head {
            Head {
                bom_format: Some(format),
                ..
            } if format == "CycloneDX" => AttachedKind::CycloneDx,
            Head {
                spdx_version: Some(version),
                ..
            } if is_spdx(&version) => AttachedKind::Spdx,
            _ => return Err("neither CycloneDX nor SPDX".to_owned()),
        };
        let about = About::All;
        Ok(Self { kind, bytes, about })
    }

    /// A debug file of one artifact.
    pub(crate) fn debug(bytes: Vec<u8>) -> Self {
        Self {
            kind: AttachedKind::Debug,
            bytes,
            about: About::All,
        }
    }

    /// Whether it belongs to the artifact with this manifest, whose envelope has this payload.
    pub(crate) fn is_about(&self, manifest: &Manifest, payload: Sha256Digest) -> bool {
        match &self.about {
            About::All => true,
            About::Images(images) => {
                let image = manifest.image.fsverity.to_string();
                images.contains(&image)
            }
            About::Payload(about) => *about == payload,
        }
    }

    /// The descriptor of its layer, unless it is compressed first.
    pub(crate) fn descriptor(&self) -> Descriptor {
        Descriptor::of_bytes(self.kind.media_type(), &self.bytes)
    }
}

fn text(error: impl std::error::Error) -> String {
    edgec_verifier::error_chain(&error)
}
