//! The entries of an index that are native images.

use edgec_artifact::{Sha256Digest, VerityDigest};

use super::decode::MalformedManifest;
use super::{descriptor, media};
use crate::Descriptor;
use crate::checked::shown;

/// The longest text of an annotation that is read, in bytes.
const MAX_TEXT_LEN: usize = 256;

/// A native image in an index. All of this is unsigned: it says what to fetch, and the envelope
/// says what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NativeEntry {
    /// The target.
    pub target: String,
    /// The engine profile.
    pub profile: String,
    /// The full version of the engine, if it is stated.
    pub engine: Option<String>,
    /// The image's fs-verity digest, if it is stated.
    pub image: Option<VerityDigest>,
    /// The digest of the manifest.
    pub digest: Sha256Digest,
    pub(crate) descriptor: Descriptor,
}

impl NativeEntry {
    /// Target and profile.
    pub(crate) fn place(&self) -> (&str, &str) {
        (&self.target, &self.profile)
    }

    /// Target and profile, for messages.
    pub fn fits(&self) -> String {
        format!("{} ({})", self.target, self.profile)
    }

    /// The native image that an entry lists. `None` if it lists something else. Some tools drop the
    /// kind of an entry when they copy it, so the platform is enough.
    pub(crate) fn of(entry: &Descriptor) -> Result<Option<Self>, MalformedManifest> {
        let is_native = entry.artifact_type.as_deref() == Some(media::NATIVE);
        let is_ours = entry.platform.as_ref().is_some_and(|it| it.os == media::OS);
        if !is_native && !is_ours {
            return Ok(None);
        }
        let stated = |name: &str| {
            let value = entry.annotations.get(name);
            value.filter(|value| (1..=MAX_TEXT_LEN).contains(&value.len()))
        };
        let demanded = |name: &str| {
            let missing = || MalformedManifest::Part {
                what: format!("entry {} lacks `{name}`", shown(&entry.digest)),
            };
            stated(name).cloned().ok_or_else(missing)
        };
        // The reader of the index has refused entries without one.
        let Some(digest) = descriptor::digest(entry) else {
            return Ok(None);
        };
        Ok(Some(Self {
            target: demanded(media::TARGET)?,
            profile: demanded(media::PROFILE)?,
            engine: stated(media::ENGINE).cloned(),
            image: stated(media::IMAGE_DIGEST).and_then(|it| it.parse().ok()),
            digest,
            descriptor: entry.clone(),
        }))
    }
}
