//! The manifests of all current artifacts, for a host to plan its pool.

use edgec_verifier::{Manifest, ProgramKind};

use super::application::Application;
use super::history::History;
use super::survey::{Problem, settled};
use super::version::{OtherKind, StoredVersion};
use super::{ArtifactStore, StoreError};

/// The manifests of all current artifacts of a store.
#[derive(Debug)]
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
        let absent = |problem: &Problem| problem.error.is_absence();
        let (manifests, problems) = settled(
            || self.current_manifests(),
            |(_, problems)| problems.iter().any(absent),
        )?;
        Ok(CurrentManifests {
            manifests,
            problems: problems.into_iter().map(Problem::lost).collect(),
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
        let current = Application {
            version: None,
            ..application.clone()
        };
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

    fn current_manifests(&self) -> Result<(Vec<Manifest>, Vec<Problem>), StoreError> {
        let survey = self.survey()?;
        // A plan considers only current versions.
        let mut problems = survey.problems;
        problems.retain(|problem| problem.version.is_none());
        let mut manifests = Vec::new();
        for (stored, _) in survey.versions.iter().filter(|(_, current)| *current) {
            for entry in &stored.artifacts {
                match self.manifest(entry) {
                    Ok(manifest) => manifests.push(manifest),
                    Err(error) => {
                        problems.push(Problem::of(stored, Some(stored.version), error));
                    }
                }
            }
        }
        Ok((manifests, problems))
    }
}
