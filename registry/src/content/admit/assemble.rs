//! From an image and an envelope to the file of an artifact, for the store.
//!
//! The file has no name: whenever this process stops, nothing of it is left. It lies in the store's
//! file system, so that a full disk is noticed while it is written.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;

use edgec_artifact::behind_image;
use edgec_store::{AdmissionError, ArtifactStore};
use edgec_verifier::ArtifactFileError;

use super::super::fetch::{self, Came, TEMPORARY};
use super::super::offer::Offer;
use super::super::progress::Progress;
use super::super::pull_error::PullError;
use super::AdmitOptions;
use super::choose::Chosen;

/// The file of an artifact.
pub(super) struct Assembled {
    file: File,
    folder: PathBuf,
}

impl Assembled {
    /// A path that leads to the file in this process.
    pub(super) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }

    /// The error of an admission. The path of the file says nothing to users.
    pub(super) fn without_path(&self, error: AdmissionError, chosen: &Chosen) -> PullError {
        match error {
            AdmissionError::File(ArtifactFileError::Io { source, .. }) => PullError::Io {
                path: self.folder.clone(),
                source,
            },
            AdmissionError::Verify(source) => PullError::Verify {
                fits: chosen.fits(),
                source,
            },
            error => error.into(),
        }
    }
}

impl Offer {
    /// Writes the file of an artifact.
    pub(super) fn assemble(
        &self,
        chosen: &Chosen,
        store: &ArtifactStore,
        options: &AdmitOptions,
        progress: &dyn Progress,
    ) -> Result<(Assembled, Came), PullError> {
        let folder = store.path().join(TEMPORARY);
        let failed = |source: io::Error| PullError::Io {
            path: folder.clone(),
            source,
        };
        let mut file = tempfile::tempfile_in(&folder).map_err(failed)?;
        let wanted = fetch::Wanted {
            place: &self.place,
            manifest: &chosen.listed,
            image: &chosen.manifest.image,
            fits: chosen.fits(),
            store: Some(store),
            options,
            progress,
        };
        let came = fetch::image(&wanted, &mut file)?;
        let behind = behind_image(chosen.manifest.image.length, &chosen.envelope);
        let behind = behind.map_err(|source| PullError::Envelope {
            fits: chosen.fits(),
            source,
        })?;
        file.write_all(&behind).map_err(failed)?;
        Ok((Assembled { file, folder }, came))
    }
}
