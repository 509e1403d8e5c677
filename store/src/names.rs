//! The version of a name that loads take, and the removal of names. Images stay until a collection.

use std::collections::BTreeSet;

use edgec_files::Hold;

use super::application::Application;
use super::version::OtherKind;
use super::{ArtifactStore, CHANGES, StoreError};

/// The result of [`ArtifactStore::make_current`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Choice {
    /// The version that was current before, if there was one and it could be read.
    pub previous: Option<u64>,
    /// Whether there are newer versions. Then no newer version replaces it until one is made
    /// current, not even one that is admitted later.
    pub stays: bool,
    /// The version that was current before, if it is of another kind: hosts that load it cannot
    /// load this one.
    pub other_kind: Option<OtherKind>,
}

/// The result of [`ArtifactStore::remove`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Removal {
    /// The removed versions.
    pub versions: Vec<u64>,
    /// The version that is current now; `None` if the whole application was removed.
    pub current: Option<u64>,
    /// The version that was current before, if the current one is of another kind: hosts that load
    /// one kind cannot load the other.
    pub other_kind: Option<OtherKind>,
}

impl ArtifactStore {
    /// The version of an application that loads take. A version in `application` is ignored. `None`
    /// if the store has none, or if the file that names it is damaged: the next admission of the
    /// newest version, or [`Self::make_current`], puts a good file in its place. Other applications
    /// are not read, nor is any image.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the name is not valid, or the file cannot be read.
    pub fn current(&self, application: impl Into<Application>) -> Result<Option<u64>, StoreError> {
        let application = application.into().without_version();
        match self.stored_version(&application) {
            Ok(stored) => Ok(Some(stored.version)),
            Err(StoreError::Unknown { .. }) => Ok(None),
            Err(error) if error.is_damage() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The versions of an application, with those that are damaged. A version in `application` is
    /// ignored.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the name is not valid, or the folder cannot be read.
    pub fn versions(
        &self,
        application: impl Into<Application>,
    ) -> Result<BTreeSet<u64>, StoreError> {
        match self.history(&application.into()) {
            Ok(history) => history.versions(),
            Err(StoreError::Unknown { .. }) => Ok(BTreeSet::new()),
            Err(error) => Err(error),
        }
    }

    /// Makes a version of an application the current one, for example to roll back a bad release. A
    /// version in `application` is ignored. If it is the newest version, newer ones can replace it
    /// again.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unknown`]; [`StoreError::Rollback`] if the newest release says that the
    /// version may no longer run.
    pub fn make_current(
        &self,
        application: impl Into<Application>,
        version: u64,
    ) -> Result<Choice, StoreError> {
        let application = application.into().version(version);
        let _changes = self.locked(CHANGES, Hold::Exclusive)?;
        let history = self.history(&application)?;
        let stored = history.find(&application)?;
        let stored = stored.ok_or_else(|| application.unknown())?;
        self.kept_floors(&application)?.allows(version)?;
        let kind = self.kind_of(&stored);
        let other_kind = kind.and_then(|kind| self.other_kind(&application, kind));
        Ok(Choice {
            other_kind,
            ..history.make_current(stored)?
        })
    }

    /// Removes a version of an application, or all versions if none is named. If the current
    /// version is removed, the version before it becomes current. If there is none, the newest
    /// remaining one becomes current.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unknown`].
    pub fn remove(&self, application: impl Into<Application>) -> Result<Removal, StoreError> {
        let application: &Application = &application.into();
        let _changes = self.locked(CHANGES, Hold::Exclusive)?;
        let history = self.history(application)?;
        let mut versions: Vec<u64> = history.versions()?.into_iter().collect();
        match application.version {
            Some(version) => {
                let before = self.current_kind(application);
                let current = history.remove(application, version)?;
                versions = vec![version];
                if current.is_some() {
                    let now = self.current_kind(application);
                    let changes = |before: &OtherKind| now.is_some_and(|it| it.kind != before.kind);
                    return Ok(Removal {
                        versions,
                        current,
                        other_kind: before.filter(changes),
                    });
                }
            }
            None if history.is_empty()? => return Err(application.unknown()),
            None => {}
        }
        let folder = application.folder();
        self.0.names.remove_folder(&self.0.temporary, &folder)?;
        Ok(Removal {
            versions,
            current: None,
            other_kind: None,
        })
    }
}
