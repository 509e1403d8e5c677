//! A report on an artifact that was written.

use std::path::Path;

use edgec_artifact::Sha256Digest;
use edgec_builder::{ArtifactTimes, BuiltArtifact, Stated};
use serde::Serialize;

use crate::render::{self, Format};

/// One artifact that was written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::commands::build) struct ArtifactReport {
    pub(super) target: &'static str,
    pub(super) path: String,
    pub(super) bytes: usize,
    /// The digest of the whole file, in a document.
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<Sha256Digest>,
    #[serde(flatten)]
    stated: Stated,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) debug_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) provenance: Option<String>,
    #[serde(flatten)]
    pub(super) times: ArtifactTimes,
}

impl ArtifactReport {
    pub(in crate::commands::build) fn new(
        built: &BuiltArtifact,
        path: &Path,
        debug_file: Option<&Path>,
        provenance: Option<&Path>,
        format: Format,
    ) -> Self {
        // A summary for people does not show it, and a long file takes a while.
        let sha256 = (format == Format::Json).then(|| Sha256Digest::of(&built.bytes));
        Self {
            target: built.target.id,
            path: render::path(path),
            bytes: built.bytes.len(),
            sha256,
            stated: built.stated.clone(),
            debug_file: debug_file.map(render::path),
            provenance: provenance.map(render::path),
            times: built.times.clone(),
        }
    }
}
