//! An image that the tag names already is not compressed again, which takes most of the time of a
//! push. It is fetched and compared instead: what a registry says about an image is not enough.

use std::io::{self, Write};

use edgec_artifact::Manifest;

use super::super::decompressed::WINDOW_LOG;
use super::super::offer::Offer;
use super::super::progress::Progress;
use super::super::{descriptor, media};
use crate::Descriptor;

/// The layer with this image, if an offer has it for the same target and profile, and its bytes are
/// those of the image. Any doubt or failure means that it is compressed again.
pub(super) fn layer(
    offer: &Offer,
    stated: &Manifest,
    image: &[u8],
    progress: &dyn Progress,
) -> Option<Descriptor> {
    let entry = offer.native((&stated.target.id, &stated.engine.profile))?;
    if entry.image != Some(stated.image.fsverity) {
        return None;
    }
    progress.step(&format!("comparing {}", entry.fits()));
    let listed = offer.manifest_of(&entry.descriptor).ok()?;
    let layer = listed.layers_of(media::IMAGE).next()?;
    if layer.size > stated.image.length {
        return None;
    }
    let comparing = Comparing { left: image };
    let mut decoder = zstd::stream::write::Decoder::new(comparing).ok()?;
    decoder.window_log_max(WINDOW_LOG).ok()?;
    offer.place.blob(layer, &mut decoder, progress).ok()?;
    decoder.flush().ok()?;
    let is_whole = decoder.into_inner().left.is_empty();
    let digest = descriptor::digest(layer)?;
    // What others have written beside it does not stay.
    is_whole.then(|| Descriptor::of(media::IMAGE, digest, layer.size))
}

/// Compares what is written with bytes that are known.
struct Comparing<'a> {
    left: &'a [u8],
}

impl Write for Comparing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.left.strip_prefix(bytes) {
            Some(left) => self.left = left,
            None => return Err(io::Error::other("another image")),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
