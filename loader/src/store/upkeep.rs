//! What a store's owner does with it: list, remove names, collect what no name points at, look
//! whether everything is as it was admitted.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;

use edgec_verifier::{
    LoadMode, MAX_ARTIFACT_LEN, Manifest, Measured as Known, TrustPolicy, VerityDigest,
    fsverity_digest,
};
use rustix::fs::{FlockOperation, flock};
use serde::Serialize;

use super::history::History;
use super::release::{Application, Entry, Release};
use super::{CHANGES, Store, StoreError};
use crate::LoadError;
use crate::load::now;
use crate::loaded::demand;

/// One artifact of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Listed {
    /// The application.
    pub name: String,
    /// Its release channel, where it states one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Its version.
    pub version: u64,
    /// Whether loads of the name take this version.
    pub current: bool,
    /// The CPU that it is for.
    pub target: String,
    /// The engine profile that it is for.
    pub profile: String,
    /// The image's fs-verity digest.
    pub image: VerityDigest,
    /// The image's length in bytes.
    pub length: u64,
    /// What it takes on the disk, in bytes: holes take nothing.
    pub disk: u64,
    /// How a load finds it kept; none when the image is not there, or not as a store keeps one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<LoadMode>,
}

/// How often something is begun again when what it is about changes.
const TRIES: usize = 3;

/// What a collection did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Collected {
    /// The images that were removed.
    pub images: Vec<String>,
    /// What they took on the disk, in bytes.
    pub bytes: u64,
    /// Images that no name points at and that a process has in use; the next collection looks again.
    pub in_use: Vec<String>,
    /// Remains of admissions that did not end.
    pub remains: usize,
}

/// One artifact of a store that was looked at.
struct Examined {
    listed: Listed,
    entry: Entry,
    /// What is wrong with its image, as far as that is seen without reading it.
    fault: Option<StoreError>,
}

impl Store {
    /// Every artifact that a name points at, sorted by name, channel, version and target; also those that
    /// are lost or damaged.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn list(&self) -> Result<Vec<Listed>, StoreError> {
        let mut tries = 0;
        loop {
            let examined = self.examine()?;
            tries += 1;
            // After a name was read, an admission and a collection may have taken what it pointed at.
            let absent = |e: &Examined| e.fault.as_ref().is_some_and(StoreError::is_absence);
            if tries == TRIES || !examined.iter().any(absent) {
                return Ok(examined.into_iter().map(|e| e.listed).collect());
            }
        }
    }

    /// What the signers of every current artifact say about it. That they are trusted was seen when the artifacts
    /// were admitted.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn manifests(&self) -> Result<Vec<Manifest>, StoreError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.stated() {
                Err(error) if error.is_absence() && tries < TRIES => {}
                Err(error) => return Err(error.lost()),
                manifests => return manifests,
            }
        }
    }

    fn stated(&self) -> Result<Vec<Manifest>, StoreError> {
        let mut manifests = Vec::new();
        for (release, current) in self.releases()? {
            for entry in release.artifacts.iter().filter(|_| current) {
                let name = entry.envelope_name();
                let envelope = self.0.artifacts.read(&name)?;
                let stated = edgec_verifier::stated(&envelope);
                let name = self.0.artifacts.name(&name);
                manifests.push(stated.map_err(|error| StoreError::damaged(name, error))?);
            }
        }
        Ok(manifests)
    }

    /// Makes a version the current one, whichever is: the way back from a bad release.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unknown`].
    pub fn make_current(&self, application: &Application) -> Result<(), StoreError> {
        let _changes = self.locked(CHANGES, FlockOperation::LockExclusive)?;
        let history = self.history(application)?;
        let release = history.find(application)?;
        history.make_current(release.ok_or_else(|| application.unknown())?)
    }

    /// Removes a version of an application, or all of them when none is named. The newest of those that are left
    /// becomes current, if the current one went. The images stay until a collection.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unknown`].
    pub fn remove(&self, application: &Application) -> Result<(), StoreError> {
        let _changes = self.locked(CHANGES, FlockOperation::LockExclusive)?;
        let history = self.history(application)?;
        let others_left = match application.version {
            Some(version) => history.remove(application, version)?,
            None if history.is_empty()? => return Err(application.unknown()),
            None => false,
        };
        if others_left {
            return Ok(());
        }
        let folder = application.folder();
        self.0.names.remove_folder(&self.0.temporary, &folder)
    }

    /// Removes what no name points at and no process has in use, and the remains of admissions that did
    /// not end. Waits until admissions that run have ended.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn collect(&self) -> Result<Collected, StoreError> {
        let _gate = self.admissions(FlockOperation::LockExclusive)?;
        let _changes = self.locked(CHANGES, FlockOperation::LockExclusive)?;
        let mut collected = Collected::default();
        for name in self.0.temporary.names()? {
            self.0.temporary.clear(&name)?;
            collected.remains += 1;
        }
        let mut named = BTreeSet::new();
        for name in self.0.names.names()? {
            let folder = self.0.names.folder(&name)?;
            let (releases, _) = History::new(folder, &self.0.temporary).all()?;
            if releases.is_empty() {
                self.0.names.clear(&name)?;
                collected.remains += 1;
            }
            for entry in releases.into_values().flat_map(|release| release.artifacts) {
                named.insert(entry.image_name());
                named.insert(entry.envelope_name());
            }
        }
        let artifacts = &self.0.artifacts;
        let mut unnamed = artifacts.names()?;
        unnamed.retain(|name| !named.contains(name));
        if !unnamed.is_empty() {
            // Whoever changed a name may have been stopped before that was on the disk, and a name must
            // not come back without its image.
            self.0.root.sync_all()?;
        }
        // Images first: what is in use keeps its envelopes, by which it is judged again.
        unnamed.sort_by_key(|name| !name.ends_with(".elf"));
        for name in unnamed {
            let image = |kept: &String| name.starts_with(kept.trim_end_matches(".elf"));
            if collected.in_use.iter().any(image) {
                continue;
            }
            // What is not as a store keeps it, no load has in use.
            let image = match name.ends_with(".elf") {
                true => artifacts.file(&name).ok(),
                false => None,
            };
            let Some((file, _)) = image else {
                artifacts.clear(&name)?;
                continue;
            };
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                collected.in_use.push(name);
                continue;
            }
            artifacts.remove(&name)?;
            collected.bytes += file.metadata().map_or(0, |m| m.blocks() * 512);
            collected.images.push(name);
        }
        artifacts.sync()?;
        Ok(collected)
    }

    /// Hashes every image, and judges every artifact that a name points at under a policy, each as a host that
    /// sees it for the first time; gives what is wrong, by name.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store itself cannot be read.
    pub fn verify(
        &self,
        policy: &TrustPolicy,
    ) -> Result<Vec<(Listed, Option<LoadError>)>, StoreError> {
        let mut verified = Vec::new();
        for Examined {
            listed,
            entry,
            fault,
        } in self.examine()?
        {
            let application = Application {
                name: listed.name.clone(),
                channel: listed.channel.clone(),
                version: Some(listed.version),
            };
            let outcome = match fault {
                None => self.verify_entry(&entry, &application, policy),
                Some(fault) => Err(fault.into()),
            };
            let outcome = match outcome {
                Err(LoadError::Store(error)) if error.is_absence() => {
                    if !self.names(&application, &entry)? {
                        continue;
                    }
                    Err(error.lost().into())
                }
                outcome => outcome,
            };
            verified.push((listed, outcome.err()));
        }
        Ok(verified)
    }

    fn verify_entry(
        &self,
        entry: &Entry,
        application: &Application,
        policy: &TrustPolicy,
    ) -> Result<(), LoadError> {
        let (file, len) = self.0.artifacts.file(&entry.image_name())?;
        let mode = self.mode_of(&file, entry)?;
        // Read, not mapped: a damaged page under fs-verity is an error for who reads it, and the end of a
        // process that touches it in a mapping.
        let mut image = Vec::with_capacity(usize::try_from(len.min(MAX_ARTIFACT_LEN)).unwrap_or(0));
        let read = file.take(MAX_ARTIFACT_LEN).read_to_end(&mut image);
        read.map_err(|source| StoreError::Io {
            name: self.0.artifacts.name(&entry.image_name()),
            source,
        })?;
        let found = fsverity_digest(&image);
        if found != entry.image {
            let name = self.0.artifacts.name(&entry.image_name());
            let what = format!("its digest is {found}");
            return Err(StoreError::damaged(name, what).into());
        }
        demand(policy, mode)?;
        self.judge(
            &image,
            Known::Admitted(found),
            entry,
            application,
            policy,
            now()?,
        )?;
        Ok(())
    }

    /// Whether a name points at an artifact now.
    fn names(&self, application: &Application, entry: &Entry) -> Result<bool, StoreError> {
        match self.release(application) {
            Ok(release) => Ok(release.artifacts.contains(entry)),
            Err(StoreError::Unknown { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Looks at every image that a name points at.
    fn examine(&self) -> Result<Vec<Examined>, StoreError> {
        let mut all = Vec::new();
        for (release, current) in self.releases()? {
            for entry in &release.artifacts {
                all.push(self.examine_entry(&release, current, entry));
            }
        }
        all.sort_by(|Examined { listed: a, .. }, Examined { listed: b, .. }| {
            (&a.name, &a.channel, a.version, &a.target, &a.profile)
                .cmp(&(&b.name, &b.channel, b.version, &b.target, &b.profile))
        });
        Ok(all)
    }

    fn examine_entry(&self, release: &Release, current: bool, entry: &Entry) -> Examined {
        let mut listed = Listed {
            name: release.name.clone(),
            channel: release.channel.clone(),
            version: release.version,
            current,
            target: entry.target.clone(),
            profile: entry.profile.clone(),
            image: entry.image,
            length: 0,
            disk: 0,
            mode: None,
        };
        let fault = self.look_at(entry, &mut listed).err();
        let entry = entry.clone();
        Examined {
            listed,
            entry,
            fault,
        }
    }

    fn look_at(&self, entry: &Entry, listed: &mut Listed) -> Result<(), StoreError> {
        let name = entry.image_name();
        let (file, length) = self.0.artifacts.file(&name)?;
        let failed = |source| StoreError::Io {
            name: self.0.artifacts.name(&name),
            source,
        };
        listed.length = length;
        listed.disk = file.metadata().map_err(failed)?.blocks() * 512;
        listed.mode = Some(self.mode_of(&file, entry)?);
        Ok(())
    }

    /// Every release of every name, and whether it is the current one.
    fn releases(&self) -> Result<Vec<(Release, bool)>, StoreError> {
        let mut all = Vec::new();
        for name in self.0.names.names()? {
            let folder = match self.0.names.folder(&name) {
                Err(error) if error.is_absence() => continue,
                folder => folder?,
            };
            let (releases, current) = History::new(folder, &self.0.temporary).all()?;
            let releases = releases.into_iter();
            all.extend(releases.map(|(version, release)| (release, current == Some(version))));
        }
        Ok(all)
    }
}
