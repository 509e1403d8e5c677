//! Artifacts and what travels with them as files, for a pull without a store. Nothing is verified.

use std::io::{Read as _, Seek as _};
use std::sync::atomic::Ordering;

use edgec_artifact::{Manifest, behind_image};

use super::attached::AttachedKind;
use super::decompressed::decompressed;
use super::fetch::{self, AdmitOptions};
use super::native::NativeEntry;
use super::offer::Offer;
use super::progress::Progress;
use super::pull_error::PullError;
use crate::Reference;

/// How much is taken of one offer, in bytes (2 GiB): the longest artifact and its debug file.
const MAX_TAKEN: u64 = 2 << 30;

/// An artifact as it was pushed. Nothing about it is verified, except that its image has the
/// digest that its own manifest states.
#[derive(Debug)]
#[non_exhaustive]
pub struct Taken {
    /// What the artifact states about itself.
    pub manifest: Manifest,
    /// The file of the artifact.
    pub artifact: Vec<u8>,
    /// What travels with it: its kind and content, uncompressed.
    pub beside: Vec<Beside>,
}

/// A file beside an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Beside {
    /// What it says it is.
    pub kind: AttachedKind,
    /// Its content, uncompressed.
    pub bytes: Vec<u8>,
}

impl Offer {
    /// Fetches an artifact and what travels with it. All artifacts of one offer that are taken have
    /// 2 GiB at most, with what travels with them.
    ///
    /// # Errors
    ///
    /// [`PullError`].
    pub fn take(&self, entry: &NativeEntry, progress: &dyn Progress) -> Result<Taken, PullError> {
        let chosen = self.look_at(entry)?;
        let layers = chosen.beside(|_| true)?;
        if chosen.manifest.image.length > self.left() {
            return Err(PullError::Length {
                what: format!("the image for {}", chosen.fits()),
                found: chosen.manifest.image.length,
                wanted: self.left(),
            });
        }
        let failed = |source| PullError::Io {
            path: std::env::temp_dir(),
            source,
        };
        let mut file = tempfile::tempfile().map_err(failed)?;
        let options = AdmitOptions::default();
        let wanted = fetch::Wanted {
            place: &self.place,
            manifest: &chosen.listed,
            image: &chosen.manifest.image,
            fits: chosen.fits(),
            store: None,
            options: &options,
            progress,
        };
        fetch::image(&wanted, &mut file)?;
        let behind = behind_image(chosen.manifest.image.length, &chosen.envelope);
        let behind = behind.map_err(|source| PullError::Envelope {
            fits: chosen.fits(),
            source,
        })?;
        let mut artifact = Vec::new();
        file.rewind().map_err(failed)?;
        file.read_to_end(&mut artifact).map_err(failed)?;
        artifact.extend_from_slice(&behind);
        self.count(&artifact)?;
        let mut beside = Vec::new();
        for (kind, layer) in layers {
            let what = format!("{} for {}", kind.name(), chosen.fits());
            let bytes = match kind {
                AttachedKind::Debug => {
                    let most = kind.limit().min(self.left());
                    decompressed(&self.place, layer, most, &what, progress)?
                }
                _ => self.small(layer, kind.limit(), &what, progress)?,
            };
            self.count(&bytes)?;
            beside.push(Beside { kind, bytes });
        }
        Ok(Taken {
            manifest: chosen.manifest,
            artifact,
            beside,
        })
    }

    /// Counts what [`Self::take`] has returned: its caller may keep all of it in memory.
    fn count(&self, bytes: &[u8]) -> Result<(), PullError> {
        let more = bytes.len() as u64;
        let before = self.taken.fetch_add(more, Ordering::Relaxed);
        within(before.saturating_add(more), self.reference())
    }

    /// How many more bytes may be taken.
    fn left(&self) -> u64 {
        MAX_TAKEN.saturating_sub(self.taken.load(Ordering::Relaxed))
    }
}

/// Refuses more bytes than are taken of one offer.
fn within(sum: u64, reference: &Reference) -> Result<(), PullError> {
    match sum > MAX_TAKEN {
        true => Err(PullError::Length {
            what: format!("what was taken of {reference}"),
            found: sum,
            wanted: MAX_TAKEN,
        }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_of_an_offer_is_limited() {
        let reference: Reference = "r.example/shop:v1".parse().unwrap();
        assert!(within(MAX_TAKEN, &reference).is_ok());
        let error = within(MAX_TAKEN + 1, &reference).unwrap_err();
        assert_eq!(error.code(), "pull-damaged");
        assert!(error.to_string().contains("r.example/shop:v1"), "{error}");
    }
}
