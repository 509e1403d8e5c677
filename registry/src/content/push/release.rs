//! The manifest of a release: the statement, and the timestamp that says that it is the newest.

use edgec_artifact::{Release, Sha256Digest, Timestamp, companion_envelope};

use edgec_verifier::ReleasePart;

use super::super::manifest::Manifest;
use super::super::push_error::PushError;
use super::super::{descriptor, media};
use super::artifact::Native;
use crate::Descriptor;

/// A release, ready to be sent.
pub(crate) struct ReleaseManifest {
    /// The manifest.
    pub(crate) manifest: Vec<u8>,
    /// The layers, with their content.
    pub(crate) layers: Vec<(Descriptor, Vec<u8>)>,
    release: Release,
}

impl ReleaseManifest {
    /// The release of these artifacts: exactly those that it lists. Signatures are not checked:
    /// hosts do that.
    ///
    /// # Errors
    ///
    /// [`PushError`].
    pub(crate) fn new(
        release: &[u8],
        timestamp: Option<&[u8]>,
        natives: &[Native],
    ) -> Result<Self, PushError> {
        let malformed = |part| move |source| PushError::Statement { part, source };
        let envelope = companion_envelope(release).map_err(malformed(ReleasePart::Release))?;
        let found = Sha256Digest::of(envelope.payload());
        let stated =
            Release::decode(envelope.payload()).map_err(malformed(ReleasePart::Release))?;
        for native in natives {
            if !stated.lists(native.payload) {
                return Err(PushError::Unlisted {
                    name: native.name.clone(),
                    fits: native.fits(),
                });
            }
        }
        let is_there = |payload| natives.iter().any(|native| native.payload == payload);
        let lacking = stated.artifacts.iter().filter(|it| !is_there(it.manifest));
        let fits: Vec<String> = lacking
            .map(edgec_artifact::ReleasedArtifact::fits)
            .collect();
        if !fits.is_empty() {
            return Err(PushError::Incomplete { fits });
        }
        let mut layers = vec![layer(media::RELEASE, release)];
        if let Some(timestamp) = timestamp {
            let envelope =
                companion_envelope(timestamp).map_err(malformed(ReleasePart::Timestamp))?;
            let about =
                Timestamp::decode(envelope.payload()).map_err(malformed(ReleasePart::Timestamp))?;
            let stated = about.release;
            if stated != found {
                return Err(PushError::OtherRelease { stated, found });
            }
            layers.push(layer(media::TIMESTAMP, timestamp));
        }
        let described = layers.iter().map(|(layer, _)| layer.clone()).collect();
        let manifest = Manifest::of_kind(media::RELEASE, described);
        Ok(Self {
            manifest: manifest.encode(),
            layers,
            release: stated,
        })
    }

    /// The serial of the release.
    pub(crate) fn serial(&self) -> u64 {
        self.release.serial
    }

    /// The entry of the index. Tools that ask for a platform pass over `unknown`.
    pub(crate) fn entry(&self) -> Descriptor {
        let entry = Descriptor::of_bytes(media::MANIFEST, &self.manifest);
        let mut entry = descriptor::on(entry, "unknown", "unknown");
        entry.artifact_type = Some(media::RELEASE.to_owned());
        let entry = descriptor::with(entry, media::NAME, &self.release.application);
        let entry = descriptor::with(entry, media::VERSION, self.release.version);
        descriptor::with(entry, media::SERIAL, self.release.serial)
    }
}

fn layer(media_type: &str, bytes: &[u8]) -> (Descriptor, Vec<u8>) {
    (Descriptor::of_bytes(media_type, bytes), bytes.to_vec())
}
