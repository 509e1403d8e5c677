//! Gets the bytes of one image into a file, in the cheapest way.
//!
//! Whatever the way, what arrives is compared with the signed length and SHA-256 while it is
//! written. Admission verifies the whole artifact again.

mod checked;

use std::fs::File;
use std::io::{self, Seek as _, Write};

use edgec_artifact::{Image, VerityDigest};
use edgec_store::ArtifactStore;

use self::checked::Checked;
use super::log::Counted;
use super::manifest::Manifest;
use super::media;
use super::progress::Progress;
use super::pull_error::PullError;
use super::push::WINDOW_LOG;
use crate::RegistryError;

/// How images are fetched.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AdmitOptions {
    /// Whether differences against images of the store are fetched, if that is less.
    pub differences: bool,
    /// How much memory the application of a difference may take, in bytes.
    pub difference_memory: u64,
}

impl Default for AdmitOptions {
    fn default() -> Self {
        Self {
            differences: true,
            difference_memory: 1 << 30,
        }
    }
}

/// How an image came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Way {
    /// The store had it: nothing was fetched.
    Kept,
    /// As a difference against another image of the store.
    Difference {
        /// The other image.
        base: VerityDigest,
    },
    /// Whole.
    Whole,
}

/// An image that is wanted.
pub(crate) struct Wanted<'a> {
    /// Where it comes from.
    pub(crate) place: &'a Counted,
    /// The native manifest that lists it.
    pub(crate) manifest: &'a Manifest,
    /// What was signed about it.
    pub(crate) image: &'a Image,
    /// Target and profile, for messages.
    pub(crate) fits: String,
    /// The store, whose images may help.
    pub(crate) store: Option<&'a ArtifactStore>,
    pub(crate) options: &'a AdmitOptions,
    pub(crate) progress: &'a dyn Progress,
}

/// Writes the image into an empty file, which is at its end afterwards. If a cheap way fails, the
/// next one is tried.
pub(crate) fn image(wanted: &Wanted<'_>, into: &mut File) -> Result<Way, PullError> {
    if kept(wanted, into).is_some() {
        return Ok(Way::Kept);
    }
    empty(wanted, into)?;
    whole(wanted, into)?;
    Ok(Way::Whole)
}

/// Takes the image from the store. `None` if it is not there, or damaged.
fn kept(wanted: &Wanted<'_>, into: &mut File) -> Option<()> {
    let name = format!("{}.elf", wanted.image.fsverity);
    let path = wanted.store?.path().join("artifacts").join(name);
    let mut kept = File::open(path).ok()?;
    let mut output = Checked::new(into, wanted.image.length);
    io::copy(&mut kept, &mut output).ok()?;
    output.end(wanted).ok()
}

/// Fetches the whole image.
fn whole(wanted: &Wanted<'_>, into: &mut File) -> Result<(), PullError> {
    let what = || format!("the image for {}", wanted.fits);
    let layer = wanted.manifest.layers_of(media::IMAGE).next();
    let layer = layer.ok_or_else(|| PullError::Malformed {
        what: format!("the manifest for {}", wanted.fits),
        source: super::decode::MalformedManifest::Part {
            what: format!("it has no layer of type {}", media::IMAGE),
        },
    })?;
    wanted.progress.step(&format!("fetching {}", what()));
    let mut output = Checked::new(into, wanted.image.length);
    let result = {
        let compressed = |source| PullError::Compressed {
            what: what(),
            source,
        };
        let mut decoder = zstd::stream::write::Decoder::new(&mut output).map_err(compressed)?;
        decoder.window_log_max(WINDOW_LOG).map_err(compressed)?;
        let fetched = wanted.place.blob(layer, &mut decoder, wanted.progress);
        fetched.and_then(|()| decoder.flush().map_err(RegistryError::Sink))
    };
    match result {
        Ok(()) => output.end(wanted),
        Err(RegistryError::Sink(source)) => Err(output.failure(wanted, source)),
        Err(error) => Err(error.into()),
    }
}

/// Throws away what a way has written that failed.
fn empty(wanted: &Wanted<'_>, into: &mut File) -> Result<(), PullError> {
    let emptied = into.set_len(0).and_then(|()| into.rewind());
    emptied.map_err(|source| PullError::Io {
        path: wanted
            .store
            .map_or_else(std::env::temp_dir, |it| it.path().to_owned()),
        source,
    })
}
