//! Checks whether everything in a store is unchanged since its admission.

use std::io::Read as _;

use edgec_files::read_bounded;
use edgec_verifier::artifact::Image;
use edgec_verifier::{MAX_ARTIFACT_LEN, Measured as Known, TrustPolicy, VerifyError};

use super::application::Application;
use super::list::{Examination, StoredArtifact};
use super::survey::Problem;
use super::version::Entry;
use super::{AdmissionError, ArtifactStore, StoreError};

/// An artifact of a store that was verified again.
#[derive(Debug)]
#[non_exhaustive]
pub struct Verification {
    /// The artifact.
    pub artifact: StoredArtifact,
    /// What is wrong with it; `None` if nothing is.
    pub error: Option<AdmissionError>,
}

/// The results of verifying a whole store.
#[derive(Debug)]
#[non_exhaustive]
pub struct Verifications {
    /// Every artifact that a name points at, in the order of a [`Listing`](super::Listing).
    pub artifacts: Vec<Verification>,
    /// The problems with versions that could not be read. Nothing is known about their artifacts.
    pub problems: Vec<Problem>,
}

impl Verifications {
    /// Whether every artifact could be read and was verified.
    pub fn is_clean(&self) -> bool {
        let is_good = |artifact: &Verification| artifact.error.is_none();
        self.problems.is_empty() && self.artifacts.iter().all(is_good)
    }
}

impl ArtifactStore {
    /// Hashes every image, and verifies every artifact that a name points at under a policy, like a
    /// host that sees the artifact for the first time.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the folder of the names cannot be read.
    pub fn verify(&self, policy: &TrustPolicy) -> Result<Verifications, StoreError> {
        let mut artifacts = Vec::new();
        let (all, problems) = self.examine()?;
        for examination in all {
            let Examination {
                artifact,
                entry,
                fault,
            } = examination;
            let application = Application {
                name: artifact.name.clone(),
                channel: artifact.channel.clone(),
                version: Some(artifact.version),
            };
            let outcome = match fault {
                None => self.verify_entry(&entry, &application, policy),
                Some(fault) => Err(fault.into()),
            };
            let outcome = match outcome {
                Err(AdmissionError::Store(error)) if error.is_absence() => {
                    if !self.points_at(&application, &entry) {
                        continue;
                    }
                    Err(error.lost().into())
                }
                outcome => outcome,
            };
            let error = outcome.err();
            artifacts.push(Verification { artifact, error });
        }
        Ok(Verifications {
            artifacts,
            problems,
        })
    }

    /// Verifies an artifact whose image has the right length.
    fn verify_entry(
        &self,
        entry: &Entry,
        application: &Application,
        policy: &TrustPolicy,
    ) -> Result<(), AdmissionError> {
        let (file, len) = self.0.artifacts.file(&entry.image_name())?;
        let mode = self.mode_of(&file, entry)?;
        let name = || self.0.artifacts.name(&entry.image_name());
        // The image is read and not mapped. If a page is damaged under fs-verity, reading it is an
        // error, but touching it in a mapping ends the process.
        let len = len.min(MAX_ARTIFACT_LEN);
        let image = read_bounded(file.take(MAX_ARTIFACT_LEN), MAX_ARTIFACT_LEN, len);
        let image = image.map_err(|error| StoreError::io(name(), error))?;
        let computed = Image::of(&image);
        let found = computed.fsverity;
        if found != entry.image {
            let what = format!("its digest is {found}");
            return Err(StoreError::damaged(name(), what).into());
        }
        policy.check_load_mode(mode)?;
        let known = Known::Admitted(found);
        let now = self.time_under(policy)?;
        let facts = self.judge(&image, known, entry, application, policy, now)?;
        let (found, signed) = (computed.sha256, facts.manifest().image.sha256);
        match found == signed {
            true => Ok(()),
            false => Err(VerifyError::ImageSha256 { found, signed }.into()),
        }
    }

    /// Whether a name points at an artifact, as far as that can be read.
    fn points_at(&self, application: &Application, entry: &Entry) -> bool {
        match self.stored_version(application) {
            Ok(stored) => stored.artifacts.contains(entry),
            Err(StoreError::Unknown { .. }) => false,
            Err(_) => true,
        }
    }
}
