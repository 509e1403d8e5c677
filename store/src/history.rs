//! The folder of an application: its versions, and the one that loads take.
//!
//! Every change is one renaming or one removal, so a crash leaves the folder as it was or as it
//! should become. Therefore `current` decides: its statement about its version is true, and the
//! version's own file follows. If a crash came between the two, the next change completes the work.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;

use edgec_files::Folder;

use super::application::Application;
use super::names::Choice;
use super::version::{CURRENT, Standing, StoredVersion, version_of};
use super::{MAX_SMALL_LEN, StoreError};

/// The folder of an application.
pub(crate) struct History<'a> {
    folder: Folder,
    /// The folder's name. It determines whose versions belong in the folder.
    key: String,
    /// The folder where its files are made.
    temporary: &'a Folder,
}

/// Everything in the folder of an application.
pub(crate) struct Versions {
    pub(crate) by_version: BTreeMap<u64, StoredVersion>,
    /// The current version.
    pub(crate) current: Option<u64>,
    /// The files that cannot be read, with their version; `None`: `current`.
    pub(crate) unreadable: Vec<(Option<u64>, StoreError)>,
    /// The names of files that do not belong to a store.
    pub(crate) foreign: Vec<String>,
}

impl<'a> History<'a> {
    pub(crate) fn new(folder: Folder, key: String, temporary: &'a Folder) -> Self {
        Self {
            folder,
            key,
            temporary,
        }
    }

    /// Opens the folder of an application, if it has one.
    pub(crate) fn of(
        names: &Folder,
        temporary: &'a Folder,
        application: &Application,
    ) -> Result<Self, StoreError> {
        application.check()?;
        let key = application.folder();
        match names.folder(&key) {
            Ok(folder) => Ok(Self::new(folder, key, temporary)),
            Err(error) if error.is_absence() => Err(application.unknown()),
            Err(error) => Err(error.into()),
        }
    }

    /// The version of `application`, if there is one.
    pub(crate) fn find(
        &self,
        application: &Application,
    ) -> Result<Option<StoredVersion>, StoreError> {
        let found = self.find_open(application)?;
        Ok(found.map(|(stored, _)| stored))
    }

    /// Like [`Self::find`], with the file that the version was read from.
    pub(crate) fn find_open(
        &self,
        application: &Application,
    ) -> Result<Option<(StoredVersion, File)>, StoreError> {
        let current = self.read_open(CURRENT);
        let Some(version) = application.version else {
            return current;
        };
        match current {
            Ok(Some(current)) if current.0.version == version => Ok(Some(current)),
            Ok(_) => self.read_open(&version.to_string()),
            // A damaged `current` does not affect other versions.
            Err(error) if error.is_damage() => self.read_open(&version.to_string()),
            Err(error) => Err(error),
        }
    }

    /// All versions. A file that cannot be read does not hide others.
    pub(crate) fn all(&self) -> Result<Versions, StoreError> {
        let mut all = Versions {
            by_version: BTreeMap::new(),
            current: None,
            unreadable: Vec::new(),
            foreign: Vec::new(),
        };
        for file in self.folder.names()? {
            match version_of(&file) {
                Some(version) => match self.read(&file) {
                    Ok(stored) => all.by_version.extend(stored.map(|it| (version, it))),
                    Err(error) => all.unreadable.push((Some(version), error)),
                },
                None if file != CURRENT => all.foreign.push(self.folder.name(&file)),
                None => {}
            }
        }
        // `current` is read last, even if it was not listed: its statement decides, and it may be
        // replaced while the folder is read.
        match self.read(CURRENT) {
            Ok(current) => {
                all.current = current.as_ref().map(|current| current.version);
                all.by_version.extend(current.map(|it| (it.version, it)));
            }
            Err(error) => all.unreadable.push((None, error)),
        }
        Ok(all)
    }

    /// Whether the folder is empty.
    pub(crate) fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.folder.names()?.is_empty())
    }

    /// Adds a version. The newest becomes the current one, unless hosts would lose the application
    /// by that, or an older one was chosen. Also returns whether this repaired a damaged `current`.
    pub(crate) fn put(&self, mut stored: StoredVersion) -> Result<(Standing, bool), StoreError> {
        let (current, mended) = match self.settled() {
            // A damaged `current` is replaced, if the version is at least as new as all others.
            Err(error) if error.is_damage() && self.newest()? <= Some(stored.version) => {
                (None, true)
            }
            current => (current?, false),
        };
        let standing = match &current {
            Some(current) if current.version != stored.version => stored.standing(current),
            _ => Standing::Current,
        };
        if standing == Standing::Current {
            stored.chosen = current.is_some_and(|it| it.version == stored.version && it.chosen);
            self.replace(CURRENT, &stored)?;
        }
        stored.chosen = false;
        self.replace(&stored.version.to_string(), &stored)?;
        Ok((standing, mended))
    }

    /// Makes a version the current one. Returns the previous one.
    pub(crate) fn make_current(&self, mut stored: StoredVersion) -> Result<Choice, StoreError> {
        let previous = match self.settled() {
            // A damaged `current` is replaced.
            Err(error) if error.is_damage() => None,
            settled => settled?.map(|current| current.version),
        };
        stored.chosen = self.newest()? > Some(stored.version);
        self.replace(CURRENT, &stored)?;
        Ok(Choice {
            previous,
            stays: stored.chosen,
            other_kind: None,
        })
    }

    /// The existing versions, including those that cannot be read.
    pub(crate) fn versions(&self) -> Result<BTreeSet<u64>, StoreError> {
        let names = self.folder.names()?;
        Ok(names.iter().filter_map(|name| version_of(name)).collect())
    }

    /// The newest of these versions.
    fn newest(&self) -> Result<Option<u64>, StoreError> {
        Ok(self.versions()?.pop_last())
    }

    /// Removes a version. Returns the version that is current afterwards. If the current version is
    /// removed, the readable version before it becomes current, or else the newest readable one. If
    /// no version would be left, this does nothing and returns `None`.
    pub(crate) fn remove(
        &self,
        application: &Application,
        going: u64,
    ) -> Result<Option<u64>, StoreError> {
        // A damaged version can be removed.
        let current = match self.read(CURRENT) {
            Err(error) if error.is_damage() => None,
            current => current?,
        };
        let chosen = current.as_ref().is_some_and(|current| current.chosen);
        let current = current.map(|current| current.version);
        let mut versions = self.versions()?;
        versions.extend(current);
        if !versions.remove(&going) {
            return Err(application.unknown());
        }
        if versions.is_empty() {
            return Ok(None);
        }
        let next = match current {
            Some(current) if current != going => None,
            _ => Some(self.next(going, &versions)?),
        };
        // As long as `current` has the version, the version exists.
        self.folder.remove(&going.to_string())?;
        self.folder.sync()?;
        match next {
            None => Ok(current),
            Some(mut next) => {
                next.chosen = chosen;
                self.replace(CURRENT, &next)?;
                Ok(Some(next.version))
            }
        }
    }

    /// The version that becomes current if a version is removed.
    fn next(&self, going: u64, others: &BTreeSet<u64>) -> Result<StoredVersion, StoreError> {
        let (before, after) = (others.range(..going), others.range(going..));
        let mut first_error = None;
        for version in before.rev().chain(after.rev()) {
            match self.read(&version.to_string()) {
                Ok(Some(stored)) => return Ok(stored),
                Err(error) if !error.is_damage() => return Err(error),
                Ok(None) => {}
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        let nothing =
            || StoreError::damaged(self.folder.name(CURRENT), "there is no other version");
        Err(first_error.unwrap_or_else(nothing))
    }

    /// The current version, after completing a change that a crash interrupted.
    fn settled(&self) -> Result<Option<StoredVersion>, StoreError> {
        let current = self.read(CURRENT)?;
        if let Some(current) = &current {
            let mut current = current.clone();
            current.chosen = false;
            let name = current.version.to_string();
            let own = match self.read(&name) {
                Err(error) if error.is_damage() => None,
                own => own?,
            };
            if own.as_ref() != Some(&current) {
                self.replace(&name, &current)?;
            }
        }
        Ok(current)
    }

    /// The version in a file, if there is one.
    fn read(&self, file: &str) -> Result<Option<StoredVersion>, StoreError> {
        Ok(self.read_open(file)?.map(|(stored, _)| stored))
    }

    /// The version in a file, if there is one, and the file.
    fn read_open(&self, name: &str) -> Result<Option<(StoredVersion, File)>, StoreError> {
        let read = self.folder.read_open(name, MAX_SMALL_LEN);
        let read = read.map_err(StoreError::from);
        match read.and_then(|(bytes, file)| Ok((self.decode(name, &bytes)?, file))) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_absence() => Ok(None),
            Err(StoreError::Damaged { name: at, what }) if name == CURRENT => {
                Err(StoreError::Current { name: at, what })
            }
            Err(error) => Err(error),
        }
    }

    /// The version, if it belongs in this file.
    fn decode(&self, file: &str, bytes: &[u8]) -> Result<StoredVersion, StoreError> {
        let damaged = |what: String| StoreError::damaged(self.folder.name(file), what);
        let stored = StoredVersion::decode(bytes).map_err(|error| damaged(error.to_string()))?;
        if stored.folder() != self.key {
            return Err(damaged("it is a version of another application".to_owned()));
        }
        if version_of(file).is_some_and(|version| version != stored.version) {
            return Err(damaged("it is another version".to_owned()));
        }
        Ok(stored)
    }

    fn replace(&self, name: &str, stored: &StoredVersion) -> Result<(), StoreError> {
        let bytes = stored.encode()?;
        Ok(self.folder.replace(self.temporary, name, &bytes)?)
    }
}
