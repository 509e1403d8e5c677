//! An artifact that is pushed, read and found sound.

use edgec_artifact::{Envelope, Manifest, Sha256Digest};

use super::super::attached::Attached;

/// One artifact.
pub(crate) struct Native {
    /// Its file, for messages.
    pub(crate) name: String,
    /// Its place in the push.
    pub(crate) at: usize,
    pub(crate) manifest: Manifest,
    pub(crate) envelope: Envelope,
    /// SHA-256 of the envelope's payload.
    pub(crate) payload: Sha256Digest,
    /// What travels with it, in the order of layers.
    pub(crate) attached: Vec<Attached>,
}

impl Native {
    /// Target and profile, for messages.
    pub(crate) fn fits(&self) -> String {
        let (target, profile) = self.place();
        format!("{target} ({profile})")
    }

    /// Target and profile.
    pub(crate) fn place(&self) -> (&str, &str) {
        (&self.manifest.target.id, &self.manifest.engine.profile)
    }
}
