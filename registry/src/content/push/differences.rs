//! Makes differences against images that hosts may have, so that they fetch less.
//!
//! A difference is a layer beside the whole image. It is there only if it is much smaller. Images
//! come from artifacts and references that a caller names, and from the tag that the push moves.
//! If the tag already names the same image, its differences stay: so a second push of the same
//! artifacts gives the same digests.

use std::sync::{Mutex, PoisonError};

use edgec_artifact::{Image, VerityDigest};
use edgec_verifier::{describe_unsigned, error_chain};

use super::super::decompressed::decompressed;
use super::super::descriptor;
use super::super::log::Counted;
use super::super::media;
use super::super::native::NativeEntry;
use super::super::offer::Offer;
use super::super::progress::Progress;
use super::super::pull_error::PullError;
use super::super::push_error::PushError;
use super::super::session::Session;
use super::artifact::Native;
use super::compress::LEVEL;
use super::{Push, PushBase, PushedDifference};
use crate::{BlobSource, Descriptor, RegistryError};

/// The greatest number of differences for one image.
const MOST: usize = 4;
/// A difference must be smaller than three fifths of the whole image. Otherwise the registry keeps
/// it for little.
const WORTH: (u64, u64) = (3, 5);

/// The longest base that comes from a registry, in bytes (256 MiB).
const MAX_BASE_LEN: u64 = 256 << 20;

/// The images that hosts may have.
pub(super) struct Bases<'p> {
    artifacts: Vec<Artifact<'p>>,
    /// References that a caller has named, with their texts.
    named: Vec<(String, Offer)>,
    /// What the tag names now.
    before: Option<Offer>,
    /// Making a difference takes eight times the memory of its base, so one is made at a time.
    turn: Mutex<()>,
}

/// The image of an artifact that a caller has named.
struct Artifact<'p> {
    /// Images of two families of CPUs have little in common.
    family: String,
    fsverity: VerityDigest,
    image: &'p [u8],
}

/// A difference that is there.
pub(super) struct Made {
    pub(super) layer: Descriptor,
    pub(super) base: VerityDigest,
}

impl Made {
    pub(super) fn pushed(&self) -> PushedDifference {
        PushedDifference {
            base: self.base,
            bytes: self.layer.size,
        }
    }
}

impl<'p> Bases<'p> {
    /// Opens what is named, and what the tag names now.
    pub(super) fn new(
        session: &Session,
        push: &'p Push,
        progress: &dyn Progress,
    ) -> Result<Self, PushError> {
        let mut bases = Self {
            artifacts: Vec::new(),
            named: Vec::new(),
            before: None,
            turn: Mutex::new(()),
        };
        for base in &push.bases {
            match base {
                PushBase::Artifact(artifact) => {
                    let described = describe_unsigned(&artifact.bytes);
                    let described = described.map_err(|source| PushError::Artifact {
                        name: artifact.name.clone(),
                        source,
                    })?;
                    let stated = described.manifest;
                    bases.artifacts.push(Artifact {
                        family: stated.target.family().to_owned(),
                        fsverity: stated.image.fsverity,
                        image: described.image,
                    });
                }
                PushBase::Reference(reference) => {
                    let what = reference.to_string();
                    let offer = session.open(reference);
                    let offer = offer.map_err(|source| PushError::Base {
                        what: what.clone(),
                        source: Box::new(source),
                    })?;
                    bases.named.push((what, offer));
                }
            }
        }
        if push.differences {
            bases.before = match session.open(&push.reference) {
                Ok(offer) => Some(offer),
                Err(PullError::Registry(error)) if error.is_absence() => None,
                Err(error) => {
                    no_difference(progress, &push.reference.to_string(), &error);
                    None
                }
            };
        }
        Ok(bases)
    }

    /// What the tag names now, if differences against it are wanted.
    pub(super) fn before(&self) -> Option<&Offer> {
        self.before.as_ref()
    }

    /// Makes the differences for an image, and sends them. They are sorted by their bases.
    pub(super) fn differences(
        &self,
        place: &Counted,
        native: &Native,
        image: &[u8],
        whole: &Descriptor,
        progress: &dyn Progress,
    ) -> Result<Vec<Made>, PushError> {
        let mut making = Making {
            place,
            native,
            image,
            whole,
            progress,
            made: Vec::new(),
        };
        // A panic elsewhere leaves nothing half-done here.
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        for base in &self.artifacts {
            if base.family == native.manifest.target.family() {
                making.against(base.image, base.fsverity)?;
            }
        }
        for (what, offer) in &self.named {
            if let Some(entry) = offer.native(native.place()) {
                match making.fetched(offer, entry) {
                    Ok(bytes) => making.against(&bytes, Image::of(&bytes).fsverity)?,
                    // It is sound, but of no use.
                    Err(error @ (PullError::Length { .. } | PullError::TooLong { .. })) => {
                        no_difference(progress, what, &error);
                    }
                    Err(source) => {
                        return Err(PushError::Base {
                            what: what.clone(),
                            source: Box::new(source),
                        });
                    }
                }
            }
        }
        if let Some(offer) = &self.before
            && let Err(error) = making.before(offer)
        {
            no_difference(progress, &offer.reference().to_string(), &error);
        }
        let mut made = making.made;
        made.sort_by_key(|it| it.base.0);
        Ok(made)
    }
}

/// A difference is a help. A push goes on without it.
fn no_difference(progress: &dyn Progress, what: &str, error: &dyn std::error::Error) {
    let why = error_chain(error);
    progress.step(&format!("no difference against {what}: {why}"));
}

/// Whether a difference is worth its place beside the whole image.
fn is_worth(difference: u64, whole: u64) -> bool {
    let (of, parts) = WORTH;
    difference.saturating_mul(parts) < whole.saturating_mul(of)
}

/// The differences for one image while they are made.
struct Making<'a> {
    place: &'a Counted,
    native: &'a Native,
    image: &'a [u8],
    whole: &'a Descriptor,
    progress: &'a dyn Progress,
    made: Vec<Made>,
}

impl Making<'_> {
    fn is_wanted(&self, base: VerityDigest) -> bool {
        let is_other = base != self.native.manifest.image.fsverity;
        let is_new = self.made.iter().all(|it| it.base != base);
        is_other && is_new && self.made.len() < MOST
    }

    /// Makes a difference and sends it, if it is worth it.
    fn against(&mut self, base: &[u8], digest: VerityDigest) -> Result<(), RegistryError> {
        if !self.is_wanted(digest) {
            return Ok(());
        }
        let what = format!("the difference for {}", self.native.fits());
        self.progress.step(&format!("making {what}"));
        let bytes = match edgec_differences::make(base, self.image, LEVEL, &mut |_| ()) {
            Ok(bytes) => bytes,
            // The image is too long, or there is too little memory. Then hosts fetch the whole.
            Err(error) => {
                no_difference(self.progress, &format!("image {digest}"), &error);
                return Ok(());
            }
        };
        if !is_worth(bytes.len() as u64, self.whole.size) {
            return Ok(());
        }
        let layer = Descriptor::of_bytes(media::DIFFERENCE, &bytes);
        let layer = descriptor::with(layer, media::DIFFERENCE_BASE, digest);
        let layer = descriptor::with(layer, media::DIFFERENCE_BASE_LENGTH, base.len());
        self.progress.step(&format!("sending {what}"));
        let source = BlobSource::Bytes(&bytes);
        let (place, progress) = (self.place, self.progress);
        place.put_blob(&layer, &source, progress)?;
        self.made.push(Made {
            layer,
            base: digest,
        });
        Ok(())
    }

    /// Takes the differences of what the tag names now, if that is the same image. Otherwise makes
    /// one against it.
    fn before(&mut self, offer: &Offer) -> Result<(), PullError> {
        let Some(entry) = offer.native(self.native.place()) else {
            return Ok(());
        };
        let listed = offer.manifest_of(&entry.descriptor)?;
        let image = listed.layers_of(media::IMAGE).next();
        if image.is_none_or(|it| it.digest != self.whole.digest) {
            if entry.image.is_some_and(|it| !self.is_wanted(it)) {
                return Ok(());
            }
            let bytes = self.fetched(offer, entry)?;
            return Ok(self.against(&bytes, Image::of(&bytes).fsverity)?);
        }
        for layer in listed.layers_of(media::DIFFERENCE) {
            let stated = layer.annotations.get(media::DIFFERENCE_BASE);
            let stated = stated.and_then(|it| it.parse::<VerityDigest>().ok());
            let length = layer.annotations.get(media::DIFFERENCE_BASE_LENGTH);
            let length = length.and_then(|it| it.parse::<u64>().ok());
            if let (Some(base), Some(length)) = (stated, length)
                && self.is_wanted(base)
                && is_worth(layer.size, self.whole.size)
                && self.place.has_blob(layer)?
            {
                let Some(digest) = descriptor::digest(layer) else {
                    continue;
                };
                // Only what edgec writes: other annotations do not stay.
                let layer = Descriptor::of(media::DIFFERENCE, digest, layer.size);
                let layer = descriptor::with(layer, media::DIFFERENCE_BASE, base);
                let layer = descriptor::with(layer, media::DIFFERENCE_BASE_LENGTH, length);
                self.made.push(Made { layer, base });
            }
        }
        Ok(())
    }

    /// Fetches an image, as a base: it is not verified. If it is not what hosts have, they cannot
    /// use the difference.
    fn fetched(&self, offer: &Offer, entry: &NativeEntry) -> Result<Vec<u8>, PullError> {
        let what = format!("the image for {} of {}", entry.fits(), offer.reference());
        self.progress.step(&format!("fetching {what}"));
        let listed = offer.manifest_of(&entry.descriptor)?;
        let layer = listed.layer_of(media::IMAGE);
        let layer = layer.map_err(|source| PullError::Malformed {
            what: what.clone(),
            source,
        })?;
        let most = longest_base(self.image.len() as u64);
        let (place, folder) = (&offer.place, std::env::temp_dir());
        let mut bytes = Vec::new();
        decompressed(
            place,
            layer,
            most,
            &what,
            &folder,
            &mut bytes,
            self.progress,
        )?;
        Ok(bytes)
    }
}

/// The longest base that comes from a registry. Making a difference takes eight times its length in
/// memory, and an image that is much longer than the new one has little in common with it.
fn longest_base(new: u64) -> u64 {
    MAX_BASE_LEN.min(new.saturating_mul(4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_not_much_longer_than_the_image() {
        assert_eq!(longest_base(1000), 4000);
        assert_eq!(longest_base(MAX_BASE_LEN), MAX_BASE_LEN);
        assert_eq!(longest_base(u64::MAX), MAX_BASE_LEN);
    }
}
