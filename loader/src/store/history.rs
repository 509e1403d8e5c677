//! The folder of an application: its releases, and which of them loads take.
//!
//! Every change is one renaming or one removal, so that a crash leaves the folder as it was or as
//! it should become. For that, `current` counts: what it says of its version is so, and the
//! version's own file follows. When a crash came between, the next change makes that good.

use std::collections::BTreeMap;
use std::fs::File;

use super::StoreError;
use super::folder::Folder;
use super::release::{Application, CURRENT, Release, Standing};

/// The folder of an application.
pub(crate) struct History<'a> {
    folder: Folder,
    /// Where its files are made.
    temporary: &'a Folder,
}

impl<'a> History<'a> {
    pub(crate) fn new(folder: Folder, temporary: &'a Folder) -> Self {
        Self { folder, temporary }
    }

    /// Opens the folder of an application that has one.
    pub(crate) fn of(
        names: &Folder,
        temporary: &'a Folder,
        application: &Application,
    ) -> Result<Self, StoreError> {
        application.check()?;
        match names.folder(&application.folder()) {
            Ok(folder) => Ok(Self::new(folder, temporary)),
            Err(error) if error.is_absence() => Err(application.unknown()),
            Err(error) => Err(error),
        }
    }

    /// The release that is meant, if there is one.
    pub(crate) fn find(&self, application: &Application) -> Result<Option<Release>, StoreError> {
        let found = self.find_open(application)?;
        Ok(found.map(|(release, _)| release))
    }

    /// As [`Self::find`], with the file that it was read from.
    pub(crate) fn find_open(
        &self,
        application: &Application,
    ) -> Result<Option<(Release, File)>, StoreError> {
        let current = self.read_open(CURRENT);
        let found = match application.version {
            None => current?,
            Some(version) => match current {
                Ok(Some(current)) if current.0.version == version => Some(current),
                // Damaged, it says nothing about another.
                Ok(_) | Err(StoreError::Damaged { .. }) => self.read_open(&version.to_string())?,
                Err(error) => return Err(error),
            },
        };
        if let Some((release, _)) = &found
            && !release.is(application)
        {
            let name = self.folder.name(&application.release());
            let what = "it is the release of another application";
            return Err(StoreError::damaged(name, what));
        }
        Ok(found)
    }

    /// Every release by its version, and the current version.
    pub(crate) fn all(&self) -> Result<(BTreeMap<u64, Release>, Option<u64>), StoreError> {
        let mut releases = BTreeMap::new();
        for name in self.folder.names()? {
            if name == CURRENT {
                continue;
            }
            // None when it was removed since.
            let Some(release) = self.read(&name)? else {
                continue;
            };
            if release.version.to_string() != name {
                let what = "it is the release of another version";
                return Err(StoreError::damaged(self.folder.name(&name), what));
            }
            releases.insert(release.version, release);
        }
        let current = self.read(CURRENT)?;
        let version = current.as_ref().map(|current| current.version);
        releases.extend(current.map(|current| (current.version, current)));
        Ok((releases, version))
    }

    /// Whether nothing was ever put in.
    pub(crate) fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.folder.names()?.is_empty())
    }

    /// Puts a release in; the newest becomes the current one, unless hosts would lose the application by
    /// that, or an older one was chosen.
    pub(crate) fn put(&self, mut release: Release) -> Result<Standing, StoreError> {
        let current = match self.settled() {
            // It is what is replaced, by nothing older than what there is.
            Err(StoreError::Damaged { .. }) if self.newest()? <= Some(release.version) => None,
            current => current?,
        };
        let standing = match &current {
            Some(current) if current.version != release.version => release.standing(current),
            _ => Standing::Current,
        };
        if standing == Standing::Current {
            release.chosen = current.is_some_and(|it| it.version == release.version && it.chosen);
            self.replace(CURRENT, &release)?;
        }
        release.chosen = false;
        self.replace(&release.version.to_string(), &release)?;
        Ok(standing)
    }

    /// Makes a release the current one.
    pub(crate) fn make_current(&self, mut release: Release) -> Result<(), StoreError> {
        match self.settled() {
            // It is what is replaced.
            Err(StoreError::Damaged { .. }) => {}
            settled => drop(settled?),
        }
        release.chosen = self.newest()? > Some(release.version);
        self.replace(CURRENT, &release)
    }

    /// The newest version that there is.
    fn newest(&self) -> Result<Option<u64>, StoreError> {
        let names = self.folder.names()?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).max())
    }

    /// Removes a version. If the current one went, the one before it becomes current, and when there is none,
    /// the newest. When none would be left, nothing is done and the answer is no.
    pub(crate) fn remove(&self, application: &Application, going: u64) -> Result<bool, StoreError> {
        // What is damaged can be removed.
        let current = match self.read(CURRENT) {
            Err(StoreError::Damaged { .. }) => None,
            current => current?,
        };
        let chosen = current.as_ref().is_some_and(|current| current.chosen);
        let current = current.map(|current| current.version);
        let names = self.folder.names()?;
        let versions = names.iter().filter_map(|name| name.parse().ok());
        let mut versions: Vec<u64> = versions.chain(current).collect();
        if !versions.contains(&going) {
            return Err(application.unknown());
        }
        versions.retain(|version| *version != going);
        let before = versions.iter().filter(|version| **version < going).max();
        let Some(next) = before.or(versions.iter().max()) else {
            return Ok(false);
        };
        let stays = current.is_some_and(|current| current != going);
        let next = match stays {
            true => None,
            false => self.read(&next.to_string())?,
        };
        // While `current` still has it, it is there.
        self.folder.remove(&going.to_string())?;
        self.folder.sync()?;
        if let Some(mut next) = next {
            next.chosen = chosen;
            self.replace(CURRENT, &next)?;
        }
        Ok(true)
    }

    /// The current release, after what a crash left undone of it.
    fn settled(&self) -> Result<Option<Release>, StoreError> {
        let current = self.read(CURRENT)?;
        if let Some(current) = &current {
            let mut current = current.clone();
            current.chosen = false;
            let name = current.version.to_string();
            let own = match self.read(&name) {
                Err(StoreError::Damaged { .. }) => None,
                own => own?,
            };
            if own.as_ref() != Some(&current) {
                self.replace(&name, &current)?;
            }
        }
        Ok(current)
    }

    /// The release in a file, if there is one.
    fn read(&self, name: &str) -> Result<Option<Release>, StoreError> {
        Ok(self.read_open(name)?.map(|(release, _)| release))
    }

    /// The release in a file, if there is one, and the file.
    fn read_open(&self, name: &str) -> Result<Option<(Release, File)>, StoreError> {
        match self.folder.read_open(name) {
            Ok((bytes, file)) => {
                let release = Release::decode(&bytes, &self.folder.name(name))?;
                Ok(Some((release, file)))
            }
            Err(error) if error.is_absence() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn replace(&self, name: &str, release: &Release) -> Result<(), StoreError> {
        self.folder
            .replace(self.temporary, name, &release.encode()?)
    }
}
