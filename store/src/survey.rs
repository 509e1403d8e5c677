//! A survey of all names in a store. A damaged version does not hide others.

use edgec_files::FolderError;

use super::history::{History, Versions};
use super::version::StoredVersion;
use super::{ArtifactStore, StoreError};

/// A problem that a survey of a store found and skipped.
#[derive(Debug)]
#[non_exhaustive]
pub struct Problem {
    /// The application, if another file of its folder states its name.
    pub name: Option<String>,
    /// Its release channel, if it states one.
    pub channel: Option<String>,
    /// The version, if the problem is about one.
    pub version: Option<u64>,
    /// What is wrong.
    pub error: StoreError,
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self {
            name: None,
            channel: None,
            version: None,
            error,
        }
    }
}

impl From<FolderError> for Problem {
    fn from(error: FolderError) -> Self {
        StoreError::from(error).into()
    }
}

impl Problem {
    pub(super) fn of(stored: &StoredVersion, version: Option<u64>, error: StoreError) -> Self {
        Self {
            name: Some(stored.name.clone()),
            channel: stored.channel.clone(),
            version,
            error,
        }
    }

    /// The same problem with a file that should exist.
    pub(super) fn lost(self) -> Self {
        Self {
            error: self.error.lost(),
            ..self
        }
    }
}

/// The content of all names.
#[derive(Default)]
pub(super) struct Survey {
    /// Every version of every name, and whether it is the current one.
    pub(super) versions: Vec<(StoredVersion, bool)>,
    /// The parts that cannot be read, and may name anything.
    pub(super) problems: Vec<Problem>,
    /// Files that do not belong to a store.
    pub(super) foreign: Vec<String>,
    /// Empty folders.
    pub(super) empty: Vec<String>,
}

impl ArtifactStore {
    pub(super) fn survey(&self) -> Result<Survey, StoreError> {
        let mut survey = Survey::default();
        for key in self.0.names.names()? {
            if !is_key(&key) {
                survey.foreign.push(self.0.names.name(&key));
                continue;
            }
            match self.versions_in(&key) {
                Ok(versions) => survey.include(key, versions),
                Err(error) if error.is_absence() => {}
                Err(error) => survey.problems.push(error.into()),
            }
        }
        Ok(survey)
    }

    fn versions_in(&self, key: &str) -> Result<Versions, StoreError> {
        let folder = self.0.names.folder(key)?;
        History::new(folder, key.to_owned(), &self.0.temporary).all()
    }
}

impl Survey {
    fn include(&mut self, key: String, all: Versions) {
        let Versions {
            by_version,
            current,
            unreadable,
            foreign,
        } = all;
        if by_version.is_empty() && unreadable.is_empty() && foreign.is_empty() {
            self.empty.push(key);
        }
        // Any version in the folder states the application.
        let known = by_version.first_key_value().map(|(_, stored)| stored);
        let problems = unreadable.into_iter().map(|(version, error)| match known {
            Some(stored) => Problem::of(stored, version, error),
            None => Problem {
                version,
                ..error.into()
            },
        });
        self.problems.extend(problems);
        self.foreign.extend(foreign);
        let versions = by_version.into_values();
        self.versions.extend(versions.map(|stored| {
            let is_current = current == Some(stored.version);
            (stored, is_current)
        }));
    }
}

/// The number of tries if the files change during an operation.
const TRIES: usize = 3;

/// What `read` finds as soon as nothing is missing, or else in the last try. After a name was read,
/// an admission and a collection may have removed the artifact that it pointed at. So an artifact
/// counts as missing only if it is missing again.
pub(super) fn settled<T>(
    read: impl Fn() -> Result<T, StoreError>,
    is_missing: impl Fn(&T) -> bool,
) -> Result<T, StoreError> {
    for _ in 1..TRIES {
        let found = read()?;
        if !is_missing(&found) {
            return Ok(found);
        }
    }
    read()
}

/// Whether this is the name of an application's folder.
fn is_key(name: &str) -> bool {
    name.parse::<edgec_verifier::Sha256Digest>().is_ok()
}
