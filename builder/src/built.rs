//! The result of a build: checked artifacts, and what they state about themselves.

use edgec_artifact::{Image, Manifest, Validity};
use edgec_targets::Target;
use serde::Serialize;

use crate::times::{ArtifactTimes, Times};

/// The artifacts of a program, checked.
#[derive(Debug)]
#[non_exhaustive]
pub struct Built {
    /// One artifact for each target of the plan, in the plan's order.
    pub artifacts: Vec<BuiltArtifact>,
    /// How long the steps took.
    pub times: Times,
}

/// A checked artifact. If it is signed, a host would accept it.
#[derive(Debug)]
#[non_exhaustive]
pub struct BuiltArtifact {
    /// The artifact's target.
    pub target: &'static Target,
    /// The whole file.
    pub bytes: Vec<u8>,
    /// What its manifest states about it.
    pub stated: Stated,
    /// Its debug file, if the plan asks for one.
    pub debug_file: Option<Vec<u8>>,
    /// Its signed provenance, if the caller asked for one
    /// ([`Unsigned::with_provenance`](crate::Unsigned::with_provenance)).
    pub provenance: Option<Vec<u8>>,
    /// How long the steps took.
    pub times: ArtifactTimes,
}

/// What the manifest of an artifact states about the artifact itself: what a pipeline notes about
/// a release.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Stated {
    /// The image: its length and its digests.
    pub image: Image,
    /// The version that hosts compare.
    pub version: u64,
    /// The version for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_version: Option<String>,
    /// The release channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// When it was issued, and when it may be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validity: Option<Validity>,
}

impl From<Manifest> for Stated {
    fn from(manifest: Manifest) -> Self {
        Self {
            image: manifest.image,
            version: manifest.version,
            display_version: manifest.display_version,
            channel: manifest.channel,
            validity: manifest.validity,
        }
    }
}
