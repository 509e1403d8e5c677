//! Gets the bytes of one image into a file, in the cheapest way.
//!
//! Whatever the way, what arrives is compared with the signed length and SHA-256 while it is
//! written. Admission verifies the whole artifact again.

mod checked;
mod difference;

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use edgec_artifact::{Image, VerityDigest};
use edgec_files::Unnamed;
use edgec_store::ArtifactStore;
use edgec_verifier::error_chain;

use self::checked::Checked;
use super::decompressed::{SLACK, WINDOW_LOG};
use super::log::Counted;
use super::manifest::Manifest;
use super::media;
use super::progress::Progress;
use super::pull_error::PullError;
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
            difference_memory: 256 << 20,
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
    /// The folder for unfinished files.
    pub(crate) folder: PathBuf,
    pub(crate) options: &'a AdmitOptions,
    pub(crate) progress: &'a dyn Progress,
}

/// How an image came, and what failed before.
pub(crate) struct Came {
    pub(crate) way: Way,
    /// Why differences were not used that could have been.
    pub(crate) failed: Vec<String>,
}

/// Writes the image into an empty file. If a cheap way fails, the next one is tried.
pub(crate) fn image(wanted: &Wanted<'_>, into: &mut Unnamed) -> Result<Came, PullError> {
    let mut failed = Vec::new();
    if kept(wanted, into).is_some() {
        let way = Way::Kept;
        return Ok(Came { way, failed });
    }
    for candidate in difference::candidates(wanted) {
        empty(wanted, into)?;
        let base = candidate.base;
        match candidate.fetch(wanted, into) {
            Ok(()) => {
                let way = Way::Difference { base };
                return Ok(Came { way, failed });
            }
            Err(error) => failed.push(error_chain(&error)),
        }
    }
    empty(wanted, into)?;
    whole(wanted, into)?;
    let way = Way::Whole;
    Ok(Came { way, failed })
}

/// The file of an image in a store.
fn stored(store: &ArtifactStore, image: VerityDigest) -> PathBuf {
    store.path().join("artifacts").join(format!("{image}.elf"))
}

/// Takes the image from the store. `None` if it is not there, or damaged.
fn kept(wanted: &Wanted<'_>, into: &mut Unnamed) -> Option<()> {
    let mut kept = File::open(stored(wanted.store?, wanted.image.fsverity)).ok()?;
    let mut output = Checked::new(into, wanted.image.length);
    io::copy(&mut kept, &mut output).ok()?;
    output.end(wanted).ok()
}

/// Fetches the whole image.
fn whole(wanted: &Wanted<'_>, into: &mut Unnamed) -> Result<(), PullError> {
    let what = || format!("the image for {}", wanted.fits);
    let layer = wanted.manifest.layer_of(media::IMAGE);
    let layer = layer.map_err(|source| PullError::Malformed {
        what: format!("the manifest for {}", wanted.fits),
        source,
    })?;
    // Compressed bytes are hardly longer than the image, whatever it holds.
    let most = wanted.image.length.saturating_add(SLACK);
    if layer.size > most {
        return Err(PullError::TooLong {
            what: what(),
            found: layer.size,
            most,
        });
    }
    wanted.progress.step(&format!("fetching {}", what()));
    let compressed = |source| PullError::Compressed {
        what: what(),
        source,
    };
    let output = Checked::new(into, wanted.image.length);
    let mut decoder = zstd::stream::write::Decoder::new(output).map_err(compressed)?;
    decoder.window_log_max(WINDOW_LOG).map_err(compressed)?;
    let mut sink = Sink {
        decoder,
        wrong: None,
    };
    let fetched = wanted.place.blob(layer, &mut sink, wanted.progress);
    let flushed = sink.decoder.flush();
    let output = sink.decoder.into_inner();
    match (fetched, sink.wrong.or(flushed.err())) {
        (Err(RegistryError::Sink(source)), _) => Err(output.failure(wanted, source)),
        (Err(error), _) => Err(error.into()),
        (Ok(()), Some(source)) => Err(output.failure(wanted, source)),
        (Ok(()), None) => output.end(wanted),
    }
}

/// Decompresses what comes. After a mistake in it, the rest is only read: whether the blob is
/// damaged says more than where the decompressor stopped.
struct Sink<'f> {
    decoder: zstd::stream::write::Decoder<'static, Checked<'f>>,
    wrong: Option<io::Error>,
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.wrong.is_some() {
            return Ok(bytes.len());
        }
        match self.decoder.write_all(bytes) {
            Err(error) if self.decoder.get_ref().has_failed() => Err(error),
            written => {
                self.wrong = written.err();
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Throws away what a way has written that failed.
fn empty(wanted: &Wanted<'_>, into: &mut Unnamed) -> Result<(), PullError> {
    into.clear().map_err(|source| PullError::Io {
        path: wanted.folder.clone(),
        source,
    })
}
