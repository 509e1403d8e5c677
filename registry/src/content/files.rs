//! Artifacts and what travels with them as files, for a pull without a store. Nothing is verified.

use std::io::{Read as _, Seek as _};

use edgec_artifact::{MAX_ARTIFACT_LEN, Manifest, behind_image};

use super::attached::AttachedKind;
use super::fetch::{self, AdmitOptions};
use super::native::NativeEntry;
use super::offer::Offer;
use super::progress::Progress;
use super::pull_error::PullError;

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
    /// Fetches an artifact and what travels with it.
    ///
    /// # Errors
    ///
    /// [`PullError`].
    pub fn take(&self, entry: &NativeEntry, progress: &dyn Progress) -> Result<Taken, PullError> {
        let chosen = self.look_at(entry)?;
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
        let mut beside = Vec::new();
        for layer in &chosen.listed.layers {
            let Some(kind) = AttachedKind::of_layer(layer) else {
                continue;
            };
            let what = format!("{} for {}", kind.name(), chosen.fits());
            let bytes = match kind {
                AttachedKind::Debug => self.decompressed(layer, &what, progress)?,
                _ => self.small(layer, kind.limit(), &what, progress)?,
            };
            beside.push(Beside { kind, bytes });
        }
        Ok(Taken {
            manifest: chosen.manifest,
            artifact,
            beside,
        })
    }

    /// The content of a compressed layer, in memory.
    fn decompressed(
        &self,
        layer: &crate::Descriptor,
        what: &str,
        progress: &dyn Progress,
    ) -> Result<Vec<u8>, PullError> {
        let most = MAX_ARTIFACT_LEN;
        let compressed = self.small(layer, most, what, progress)?;
        let failed = |source| PullError::Compressed {
            what: what.to_owned(),
            source,
        };
        let mut decoder = zstd::stream::read::Decoder::new(&compressed[..]).map_err(failed)?;
        decoder
            .window_log_max(super::push::WINDOW_LOG)
            .map_err(failed)?;
        let mut bytes = Vec::new();
        let mut limited = decoder.take(most.saturating_add(1));
        limited.read_to_end(&mut bytes).map_err(failed)?;
        match bytes.len() as u64 > most {
            true => Err(PullError::Length {
                what: what.to_owned(),
                found: bytes.len() as u64,
                wanted: most,
            }),
            false => Ok(bytes),
        }
    }
}
