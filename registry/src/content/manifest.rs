//! Manifests: what edgec writes, and what it reads of foreign ones.
//!
//! Source: OCI Image Specification 1.1, `manifest.md`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::decode::{self, MalformedManifest};
use super::{descriptor, media};
use crate::Descriptor;

/// The greatest number of layers that is read.
const MAX_LAYERS: usize = 256;

/// A manifest. Unknown fields are ignored, as the specification demands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    schema_version: u32,
    #[serde(default)]
    pub(crate) media_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
    pub(crate) config: Descriptor,
    #[serde(default)]
    pub(crate) layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// A manifest of a kind of its own, with an empty configuration.
    pub(crate) fn of_kind(kind: &str, layers: Vec<Descriptor>) -> Self {
        let config = Descriptor::of_bytes(media::EMPTY, descriptor::EMPTY_CONFIG);
        Self {
            artifact_type: Some(kind.to_owned()),
            ..Self::new(config, layers)
        }
    }

    /// A manifest with this configuration.
    pub(crate) fn new(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: media::MANIFEST.to_owned(),
            artifact_type: None,
            config,
            layers,
            subject: None,
            annotations: BTreeMap::new(),
        }
    }

    /// The bytes. The same manifest has always the same ones.
    pub(crate) fn encode(&self) -> Vec<u8> {
        decode::encode(self)
    }

    /// Reads the bytes of a manifest.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, MalformedManifest> {
        let manifest: Self = decode::json(bytes)?;
        decode::few(manifest.layers.len(), MAX_LAYERS, "layers")?;
        decode::no_urls(manifest.layers.iter().chain([&manifest.config]))?;
        Ok(manifest)
    }

    /// The layers of this media type.
    pub(crate) fn layers_of(&self, media_type: &str) -> impl Iterator<Item = &Descriptor> {
        let layers = self.layers.iter();
        layers.filter(move |layer| layer.media_type == media_type)
    }

    /// The first layer of this media type.
    pub(crate) fn layer_of(&self, media_type: &str) -> Result<&Descriptor, MalformedManifest> {
        let first = self.layers_of(media_type).next();
        first.ok_or_else(|| MalformedManifest::Part {
            what: format!("it has no layer of type {media_type}"),
        })
    }
}
