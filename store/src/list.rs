//! The content of a store, as far as it is visible without reading images.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use edgec_files::FolderError;
use edgec_verifier::{LoadMode, VerityDigest};
use serde::Serialize;

use super::application::Application;
use super::survey::{Problem, Survey, settled};
use super::version::{Entry, StoredVersion};
use super::{ArtifactStore, StoreError};

/// One artifact of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StoredArtifact {
    /// The application.
    pub name: String,
    /// Its release channel, if it states one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Its version.
    pub version: u64,
    /// Whether loads of the name take this version.
    pub current: bool,
    /// The CPU that the artifact is for.
    pub target: String,
    /// The engine profile that the artifact is for.
    pub profile: String,
    /// The image's fs-verity digest.
    pub image: VerityDigest,
    /// Whether the artifact is there, as far as that is visible without reading the image.
    pub condition: Condition,
    /// The length of the image's file in bytes.
    pub length: u64,
    /// The size of the image's file on the disk, in bytes. Holes take no space.
    pub disk: u64,
    /// The mode in which a load finds it; `None` if the image is missing, or does not have a
    /// store's form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<LoadMode>,
}

/// Whether the image and the envelope of an artifact are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Condition {
    /// Both are there, and the image has the length in its manifest.
    Whole,
    /// One of them is missing.
    Missing,
    /// One of them has changed since its admission.
    Damaged,
    /// The system does not let this process read one of them.
    Unreadable,
}

impl Condition {
    fn of(fault: Option<&StoreError>) -> Self {
        match fault {
            None => Self::Whole,
            Some(error) if error.is_absence() => Self::Missing,
            Some(StoreError::Folder(FolderError::Io { .. })) => Self::Unreadable,
            Some(_) => Self::Damaged,
        }
    }

    /// The condition in one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Missing => "missing",
            Self::Damaged => "damaged",
            Self::Unreadable => "unreadable",
        }
    }
}

/// The content of a store.
#[derive(Debug)]
#[non_exhaustive]
pub struct Listing {
    /// Every artifact that a name points at, sorted by name, channel, version and target, with
    /// those that are missing or damaged.
    pub artifacts: Vec<StoredArtifact>,
    /// Versions that could not be read.
    pub problems: Vec<Problem>,
}

/// One examined artifact of a store.
pub(super) struct Examination {
    pub(super) artifact: StoredArtifact,
    pub(super) entry: Entry,
    /// What is wrong with it, as far as that is visible without reading the image.
    pub(super) fault: Option<StoreError>,
}

impl ArtifactStore {
    /// The content of the store, without reading an image.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the folder of the names cannot be read.
    pub fn list(&self) -> Result<Listing, StoreError> {
        let missing = |e: &Examination| e.artifact.condition == Condition::Missing;
        let (examined, problems) = settled(
            || self.examine(),
            |(examined, _)| examined.iter().any(missing),
        )?;
        let artifacts = examined.into_iter().map(|e| e.artifact).collect();
        Ok(Listing {
            artifacts,
            problems,
        })
    }

    /// The images that loads would take, one for each target and engine profile, for people and
    /// tools that examine them. Opening such a path verifies nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unknown`], or the problem with an image, as far as it is visible without
    /// reading the image.
    pub fn image_paths(
        &self,
        application: impl Into<Application>,
    ) -> Result<Vec<PathBuf>, StoreError> {
        let stored = self.stored_version(&application.into())?;
        let artifacts = self.0.path.join("artifacts");
        let path = |entry: &Entry| {
            let examined = self.examine_entry(&stored, false, entry);
            match examined.fault {
                None => Ok(artifacts.join(entry.image_name())),
                Some(fault) => Err(fault.lost()),
            }
        };
        stored.artifacts.iter().map(path).collect()
    }

    /// Examines every artifact that a name points at.
    pub(super) fn examine(&self) -> Result<(Vec<Examination>, Vec<Problem>), StoreError> {
        let Survey {
            versions, problems, ..
        } = self.survey()?;
        let mut all = Vec::new();
        for (stored, current) in &versions {
            let entries = stored.artifacts.iter();
            all.extend(entries.map(|entry| self.examine_entry(stored, *current, entry)));
        }
        all.sort_by(
            |Examination { artifact: a, .. }, Examination { artifact: b, .. }| {
                (&a.name, &a.channel, a.version, &a.target, &a.profile)
                    .cmp(&(&b.name, &b.channel, b.version, &b.target, &b.profile))
            },
        );
        Ok((all, problems))
    }

    fn examine_entry(&self, stored: &StoredVersion, current: bool, entry: &Entry) -> Examination {
        let mut artifact = StoredArtifact {
            name: stored.name.clone(),
            channel: stored.channel.clone(),
            version: stored.version,
            current,
            target: entry.target.clone(),
            profile: entry.profile.clone(),
            image: entry.image,
            condition: Condition::Whole,
            length: 0,
            disk: 0,
            mode: None,
        };
        let fault = self.look_at(entry, &mut artifact).err();
        artifact.condition = Condition::of(fault.as_ref());
        Examination {
            artifact,
            entry: entry.clone(),
            fault,
        }
    }

    fn look_at(&self, entry: &Entry, artifact: &mut StoredArtifact) -> Result<(), StoreError> {
        let image = entry.image_name();
        let (file, length) = self.0.artifacts.file(&image)?;
        let name = || self.0.artifacts.name(&image);
        let metadata = file.metadata();
        let metadata = metadata.map_err(|error| StoreError::io(name(), error))?;
        artifact.length = length;
        artifact.disk = metadata.blocks() * 512;
        artifact.mode = Some(self.mode_of(&file, entry)?);
        let signed = self.manifest(entry)?.image.length;
        if length != signed {
            let what = format!("it has {length} bytes, its manifest says {signed}");
            return Err(StoreError::damaged(name(), what));
        }
        Ok(())
    }
}
