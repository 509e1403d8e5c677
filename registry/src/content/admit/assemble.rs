//! From an image and an envelope to the file of an artifact, for the store.
//!
//! The file has no name, and lies in the store's file system.

use std::io::{self, Write as _};
use std::path::PathBuf;

use edgec_files::Unnamed;
use edgec_store::{AdmissionError, ArtifactStore};
use edgec_verifier::ArtifactFileError;

use super::super::fetch::{self, Came};
use super::super::offer::Offer;
use super::super::progress::Progress;
use super::super::pull_error::PullError;
use super::AdmitOptions;
use super::chosen::Chosen;

/// The folder of a store for unfinished files.
const TEMPORARY: &str = "temporary";

/// The file of an artifact.
pub(super) struct Assembled {
    file: Unnamed,
    folder: PathBuf,
}

impl Assembled {
    /// A path that leads to the file in this process.
    pub(super) fn path(&mut self) -> Result<PathBuf, PullError> {
        self.file.path().map_err(|source| PullError::Io {
            path: self.folder.clone(),
            source,
        })
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
        let mut file = Unnamed::new_in(&folder).map_err(failed)?;
        let wanted = fetch::Wanted {
            place: &self.place,
            manifest: &chosen.listed,
            image: &chosen.manifest.image,
            fits: chosen.fits(),
            store: Some(store),
            folder: folder.clone(),
            options,
            progress,
        };
        let came = fetch::image(&wanted, &mut file)?;
        file.write_all(&chosen.behind()?).map_err(failed)?;
        Ok((Assembled { file, folder }, came))
    }
}
