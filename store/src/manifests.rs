//! The manifests of current artifacts, for a host to plan its pools.

use edgec_verifier::{Manifest, ProgramKind};

use super::application::Application;
use super::history::History;
use super::survey::{Problem, settled};
use super::version::{OtherKind, StoredVersion};
use super::{ArtifactStore, StoreError};

/// The manifests of current artifacts: of a whole store, or of one application.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct CurrentManifests {
    /// The manifests. Their signers were checked at admission.
    pub manifests: Vec<Manifest>,
    /// The problems with artifacts that are left out, because they could not be read.
    pub problems: Vec<Problem>,
}

impl ArtifactStore {
    /// The manifests of all current artifacts. A host plans a pool for them.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the folder of the names cannot be read.
    pub fn manifests(&self) -> Result<CurrentManifests, StoreError> {
        Self::settled_manifests(|| self.current_manifests())
    }

    /// The manifests of one application's current artifacts, and the problems with those that
    /// cannot be read. A version in `application` is ignored. Both are empty if the store has none
    /// of it. Other applications are not read, nor is any image.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the name is not valid, or the file that names the version cannot be used.
    pub fn manifests_of(
        &self,
        application: impl Into<Application>,
    ) -> Result<CurrentManifests, StoreError> {
        let application = application.into().without_version();
        Self::settled_manifests(|| {
            let mut found = CurrentManifests::default();
            match self.stored_version(&application) {
                Ok(stored) => found.add(self, &stored),
                Err(StoreError::Unknown { .. }) => {}
                Err(error) => return Err(error),
            }
            Ok(found)
        })
    }

    /// The current version of an application, if it is of another kind than `kind`. A version that
    /// cannot be read does not count.
    pub(super) fn other_kind(
        &self,
        application: &Application,
        kind: ProgramKind,
    ) -> Option<OtherKind> {
        let current = self.current_kind(application)?;
        (current.kind != kind).then_some(current)
    }

    /// The current version of an application and its kind, if both can be read.
    pub(super) fn current_kind(&self, application: &Application) -> Option<OtherKind> {
        let current = application.clone().without_version();
        let history = History::of(&self.0.names, &self.0.temporary, &current).ok()?;
        let stored = history.find(&current).ok()??;
        Some(OtherKind {
            version: stored.version,
            kind: self.kind_of(&stored)?,
        })
    }

    /// The kind of a version's programs, as the first envelope that can be read states it.
    pub(super) fn kind_of(&self, stored: &StoredVersion) -> Option<ProgramKind> {
        let mut entries = stored.artifacts.iter();
        let manifest = entries.find_map(|entry| self.manifest(entry).ok())?;
        Some(manifest.kind)
    }

    /// What `read` finds as soon as no artifact is missing.
    fn settled_manifests(
        read: impl Fn() -> Result<CurrentManifests, StoreError>,
    ) -> Result<CurrentManifests, StoreError> {
        let absent = |problem: &Problem| problem.error.is_absence();
        let found = settled(read, |found| found.problems.iter().any(absent))?;
        Ok(CurrentManifests {
            problems: found.problems.into_iter().map(Problem::lost).collect(),
            ..found
        })
    }

    fn current_manifests(&self) -> Result<CurrentManifests, StoreError> {
        let survey = self.survey()?;
        let mut found = CurrentManifests {
            manifests: Vec::new(),
            problems: survey.problems,
        };
        // A plan considers only current versions.
        found.problems.retain(|problem| problem.version.is_none());
        for (stored, _) in survey.versions.iter().filter(|(_, current)| *current) {
            found.add(self, stored);
        }
        Ok(found)
    }
}

impl CurrentManifests {
    /// Adds the artifacts of a version.
    fn add(&mut self, store: &ArtifactStore, stored: &StoredVersion) {
        for entry in &stored.artifacts {
            match store.manifest(entry) {
                Ok(manifest) => self.manifests.push(manifest),
                Err(error) => {
                    let problem = Problem::of(stored, Some(stored.version), error);
                    self.problems.push(problem);
                }
            }
        }
    }
}
