//! Which version of a name loads take, and names that go. Images stay until a collection.

use edgec_files::Hold;

use super::release::{Application, OtherKind};
use super::{CHANGES, Store, StoreError};

/// What [`Store::make_current`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Choice {
    /// The version that was current, where there was one and it could be read.
    pub previous: Option<u64>,
    /// Whether newer versions are there: none takes its place then until it is made current, also
    /// none that is admitted later.
    pub stays: bool,
    /// What was current before, if that is of another kind: hosts that load it cannot load this.
    pub other_kind: Option<OtherKind>,
}

/// What [`Store::remove`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Removal {
    /// The versions that went.
    pub versions: Vec<u64>,
    /// The version that is current now; none when the application went as a whole.
    pub current: Option<u64>,
    /// What was current before, if the current version is of another kind now: hosts that load the
    /// one kind cannot load the other.
    pub other_kind: Option<OtherKind>,
}

impl Store {
    /// Makes a version of an application the current one, whichever is (a version in `application`
    /// says nothing): the way back from a bad release. The newest that is there lets newer ones
    /// take its place again.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unknown`].
    pub fn make_current(
        &self,
        application: impl Into<Application>,
        version: u64,
    ) -> Result<Choice, StoreError> {
        let application = application.into().version(version);
        let _changes = self.locked(CHANGES, Hold::Exclusive)?;
        let history = self.history(&application)?;
        let release = history.find(&application)?;
        let release = release.ok_or_else(|| application.unknown())?;
        let kind = self.kind_of(&release);
        let other_kind = kind.and_then(|kind| self.other_kind(&application, kind));
        Ok(Choice {
            other_kind,
            ..history.make_current(release)?
        })
    }

    /// Removes a version of an application, or all of them when none is named. The newest of those
    /// that are left becomes current, if the current one went.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unknown`].
    pub fn remove(&self, application: &Application) -> Result<Removal, StoreError> {
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
