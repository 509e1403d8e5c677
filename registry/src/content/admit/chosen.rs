//! An artifact of an offer whose envelope is there.

use edgec_artifact::{Envelope, Manifest, behind_image};

use super::super::attached::AttachedKind;
use super::super::beside;
use super::super::manifest::Manifest as Listed;
use super::super::native::NativeEntry;
use super::super::pull_error::PullError;
use crate::Descriptor;

/// An artifact whose envelope is there.
pub(crate) struct Chosen {
    pub(crate) entry: NativeEntry,
    /// Its manifest in the registry.
    pub(crate) listed: Listed,
    /// Its own manifest. [`Offer::judged`] says whether a trusted key has signed it.
    pub(crate) manifest: Manifest,
    pub(crate) envelope: Envelope,
    /// The bytes of the envelope.
    pub(crate) encoded: Vec<u8>,
}

impl Chosen {
    /// Target and profile, for messages.
    pub(crate) fn fits(&self) -> String {
        self.entry.fits()
    }

    /// What the artifact has behind its image.
    pub(crate) fn behind(&self) -> Result<Vec<u8>, PullError> {
        let behind = behind_image(self.manifest.image.length, &self.envelope);
        behind.map_err(|source| PullError::Envelope {
            fits: self.fits(),
            source,
        })
    }

    /// The layers of these kinds that travel with it.
    pub(crate) fn beside(
        &self,
        is_wanted: impl Fn(AttachedKind) -> bool,
    ) -> Result<Vec<(AttachedKind, &Descriptor)>, PullError> {
        let layers = beside::layers(&self.listed, is_wanted);
        layers.map_err(|source| PullError::Malformed {
            what: format!("the manifest for {}", self.fits()),
            source,
        })
    }
}
