//! The index under a tag.
//!
//! The portable program comes first, once for each platform that Wasm tools ask for; then the
//! native images; then the release. Source: OCI Image Specification 1.1, `image-index.md`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::decode::{self, MalformedManifest};
use super::media;
use crate::Descriptor;

/// The ending of the index's tag in the split layout.
pub(crate) const SPLIT_ENDING: &str = ".edgec";

/// The greatest number of entries that is read.
const MAX_ENTRIES: usize = 1024;

/// An index. Unknown fields are ignored, as the specification demands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Index {
    schema_version: u32,
    #[serde(default)]
    pub(crate) media_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
    pub(crate) manifests: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Index {
    pub(crate) fn new(manifests: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: media::INDEX.to_owned(),
            artifact_type: None,
            manifests,
            subject: None,
            annotations: BTreeMap::new(),
        }
    }

    /// The bytes. The same index has always the same ones.
    pub(crate) fn encode(&self) -> Vec<u8> {
        decode::encode(self)
    }

    /// Reads the bytes of an index.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, MalformedManifest> {
        let index: Self = decode::json(bytes)?;
        decode::few(index.manifests.len(), MAX_ENTRIES, "entries")?;
        decode::no_urls(index.manifests.iter())?;
        Ok(index)
    }
}

/// Whether a media type is that of an index, in the spelling of OCI or of Docker.
pub(crate) fn is_index(media_type: &str) -> bool {
    [
        media::INDEX,
        "application/vnd.docker.distribution.manifest.list.v2+json",
    ]
    .contains(&media_type)
}
