//! What a store's owner does with it: list, remove names, collect what no name points at, look
//! whether everything is as it was admitted.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;

use edgec_verifier::{Expected, Manifest, fsverity_digest};
use edgec_verifier::{
    LoadMode, MAX_ARTIFACT_LEN, Measured as Stated, Sha256Digest, Stored, TrustPolicy,
    VerityDigest, verify_stored,
};
use rustix::fs::{FlockOperation, flock};
use serde::Serialize;

use super::folder::Folder;
use super::release::{Application, CURRENT, Entry, Release};
use super::{ADMISSIONS, CHANGES, Store, StoreError};
use crate::LoadError;
use crate::load::now;
use crate::verity::{self, Measured};

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
    /// How a load finds it kept.
    pub mode: LoadMode,
}

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

impl Store {
    /// Every artifact that a name points at, sorted by name, channel, version and target.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn list(&self) -> Result<Vec<Listed>, StoreError> {
        let mut listed = Vec::new();
        for (release, current) in self.releases()? {
            for entry in &release.artifacts {
                let name = entry.image_name();
                let (file, length) = self.0.artifacts.file(&name)?;
                let failed = |source| StoreError::Io {
                    name: self.0.artifacts.name(&name),
                    source,
                };
                let mode = match verity::measure(&file).map_err(failed)? {
                    Measured::NotEnabled => LoadMode::TrustedStore,
                    _ => LoadMode::FsVerity,
                };
                listed.push(Listed {
                    name: release.name.clone(),
                    channel: release.channel.clone(),
                    version: release.version,
                    current,
                    target: entry.target.clone(),
                    profile: entry.profile.clone(),
                    image: entry.image,
                    length,
                    disk: file.metadata().map_err(failed)?.blocks() * 512,
                    mode,
                });
            }
        }
        listed.sort_by(|a, b| {
            let key = |l: &Listed| (l.name.clone(), l.channel.clone(), l.version);
            (key(a), &a.target, &a.profile).cmp(&(key(b), &b.target, &b.profile))
        });
        Ok(listed)
    }

    /// What the signers of every current artifact say about it. That they are trusted was seen when the artifacts
    /// were admitted.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn manifests(&self) -> Result<Vec<Manifest>, StoreError> {
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
        let release = self.release(application)?;
        let folder = self.0.names.folder(&application.folder())?;
        folder.replace(&self.0.temporary, CURRENT, &release.encode()?)
    }

    /// Removes a version of an application, or all of them when none is named. The newest of those that are left
    /// becomes current, if the current one went. The images stay until a collection.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unknown`].
    pub fn remove(&self, application: &Application) -> Result<(), StoreError> {
        let _changes = self.locked(CHANGES, FlockOperation::LockExclusive)?;
        let release = self.release(application)?;
        let name = application.folder();
        let folder = self.0.names.folder(&name)?;
        let versions = folder.names()?.into_iter();
        let mut left: Vec<u64> = versions.filter_map(|name| name.parse().ok()).collect();
        let going = |version: u64| application.version.is_none_or(|wanted| wanted == version);
        left.retain(|version| !going(*version));
        let current = Release::decode(&folder.read(CURRENT)?, &folder.name(CURRENT))?;
        match left.iter().max() {
            Some(newest) => {
                if going(current.version) {
                    let bytes = folder.read(&newest.to_string())?;
                    folder.replace(&self.0.temporary, CURRENT, &bytes)?;
                }
                folder.remove(&release.version.to_string())?;
                folder.sync()
            }
            None => {
                // First what loads take: a crash in between leaves a name without a current version.
                folder.remove(CURRENT)?;
                folder.sync()?;
                for file in folder.names()? {
                    folder.remove(&file)?;
                }
                self.0.names.remove_folder(&name)?;
                self.0.names.sync()
            }
        }
    }

    /// Removes what no name points at and no process has in use, and the remains of admissions that did
    /// not end. Waits until admissions that run have ended.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn collect(&self) -> Result<Collected, StoreError> {
        let _gate = self.locked(ADMISSIONS, FlockOperation::LockExclusive)?;
        let _changes = self.locked(CHANGES, FlockOperation::LockExclusive)?;
        let mut collected = Collected::default();
        for name in self.0.temporary.names()? {
            self.0.temporary.remove(&name)?;
            collected.remains += 1;
        }
        let mut named = BTreeSet::new();
        for (release, _) in self.all_releases()? {
            for entry in release.artifacts {
                named.insert(entry.image_name());
                named.insert(entry.envelope_name());
            }
        }
        let artifacts = &self.0.artifacts;
        for name in artifacts.names()? {
            if named.contains(&name) {
                continue;
            }
            if name.ends_with(".elf") {
                let (file, _) = artifacts.file(&name)?;
                if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                    collected.in_use.push(name);
                    continue;
                }
                collected.bytes += file.metadata().map_or(0, |m| m.blocks() * 512);
                artifacts.remove(&name)?;
                collected.images.push(name);
            } else {
                artifacts.remove(&name)?;
            }
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
        for listed in self.list()? {
            let application = Application {
                name: listed.name.clone(),
                channel: listed.channel.clone(),
                version: Some(listed.version),
            };
            let release = self.release(&application)?;
            let same =
                |entry: &&Entry| entry.target == listed.target && entry.profile == listed.profile;
            if let Some(entry) = release.artifacts.iter().find(same) {
                let outcome = self.verify_entry(entry, &application, policy);
                verified.push((listed, outcome.err()));
            }
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
        let envelope = self.0.artifacts.read(&entry.envelope_name())?;
        if Sha256Digest::of(&envelope) != entry.envelope {
            let name = self.0.artifacts.name(&entry.envelope_name());
            return Err(StoreError::damaged(name, "it is another envelope").into());
        }
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
        let stored = Stored {
            image: &image,
            envelope: &envelope,
            measured: Stated::Admitted(found),
        };
        let mut expected = Expected::application(&application.name);
        if let Some(channel) = &application.channel {
            expected = expected.in_channel(channel);
        }
        verify_stored(&stored, policy, &expected, now()?)?;
        Ok(())
    }

    /// Every release of every name, and whether it is the current one.
    fn releases(&self) -> Result<Vec<(Release, bool)>, StoreError> {
        let mut releases = self.all_releases()?;
        // A release and the copy of it that is current.
        let current: BTreeSet<(String, Option<String>, u64)> = releases
            .iter()
            .filter(|(_, current)| *current)
            .map(|(r, _)| (r.name.clone(), r.channel.clone(), r.version))
            .collect();
        releases.retain(|(_, is_current)| !is_current);
        for (release, is_current) in &mut releases {
            let key = (
                release.name.clone(),
                release.channel.clone(),
                release.version,
            );
            *is_current = current.contains(&key);
        }
        Ok(releases)
    }

    /// Every file that names artifacts.
    fn all_releases(&self) -> Result<Vec<(Release, bool)>, StoreError> {
        let mut releases = Vec::new();
        for name in self.0.names.names()? {
            let folder: Folder = self.0.names.folder(&name)?;
            for file in folder.names()? {
                let release = Release::decode(&folder.read(&file)?, &folder.name(&file))?;
                releases.push((release, file == CURRENT));
            }
        }
        Ok(releases)
    }
}
