//! Gets an image as a difference against another image of the store.
//!
//! The base is found by its fs-verity digest, and not verified: if it is damaged, or the difference
//! is not what it says, other bytes come out than were signed, and another way is tried.

use std::fs::File;
use std::io::{BufReader, Seek as _};
use std::path::PathBuf;

use edgec_artifact::VerityDigest;
use edgec_differences::{DifferenceError, apply};
use edgec_files::Unnamed;

use super::super::media;
use super::super::pull_error::PullError;
use super::checked::Checked;
use super::{Wanted, stored};
use crate::{Descriptor, RegistryError};

/// How many differences are tried before the whole image is fetched. A registry that offers many
/// bad ones costs a host no more than that.
const TRIED: usize = 2;

/// A difference whose base the store has.
pub(super) struct Candidate<'a> {
    layer: &'a Descriptor,
    pub(super) base: VerityDigest,
    path: PathBuf,
}

/// The differences that are less than the whole image, the smallest first.
pub(super) fn candidates<'a>(wanted: &Wanted<'a>) -> Vec<Candidate<'a>> {
    let whole = wanted.manifest.layers_of(media::IMAGE).next();
    let (true, Some(whole)) = (wanted.options.differences, whole) else {
        return Vec::new();
    };
    let layers = wanted.manifest.layers_of(media::DIFFERENCE);
    let mut found: Vec<Candidate<'a>> = layers
        .filter(|layer| layer.size < whole.size.min(wanted.image.length))
        .filter_map(|layer| Candidate::of(wanted, layer))
        .collect();
    found.sort_by_key(|it| it.layer.size);
    found.truncate(TRIED);
    found
}

impl<'a> Candidate<'a> {
    /// `None` if the store does not have the base.
    fn of(wanted: &Wanted<'_>, layer: &'a Descriptor) -> Option<Self> {
        let base: VerityDigest = layer
            .annotations
            .get(media::DIFFERENCE_BASE)?
            .parse()
            .ok()?;
        let path = stored(wanted.store?, base);
        let length = layer.annotations.get(media::DIFFERENCE_BASE_LENGTH)?;
        let there = path.metadata().ok()?;
        let fits = there.is_file() && there.len().to_string() == *length;
        fits.then_some(Self { layer, base, path })
    }

    /// Fetches the difference and writes the image.
    pub(super) fn fetch(&self, wanted: &Wanted<'_>, into: &mut Unnamed) -> Result<(), PullError> {
        let step = format!("fetching the difference for {}", wanted.fits);
        wanted.progress.step(&step);
        let folder = &wanted.folder;
        let failed = |source| PullError::Io {
            path: folder.clone(),
            source,
        };
        let mut fetched = tempfile::tempfile_in(folder).map_err(failed)?;
        let place = wanted.place;
        let blob = place.blob(self.layer, &mut fetched, wanted.progress);
        blob.map_err(|error| match error {
            RegistryError::Sink(source) => failed(source),
            error => error.into(),
        })?;
        fetched.rewind().map_err(failed)?;
        let mut base = File::open(&self.path).map_err(|source| PullError::Io {
            path: self.path.clone(),
            source,
        })?;
        let length = wanted.image.length;
        let mut output = Checked::new(into, length);
        let memory = wanted.options.difference_memory;
        let fetched = BufReader::new(fetched);
        match apply(&mut base, fetched, length, memory, &mut output) {
            Ok(()) => output.end(wanted),
            Err(DifferenceError::Write { source, .. }) => Err(output.failure(wanted, source)),
            Err(error) => Err(PullError::Difference(error)),
        }
    }
}
