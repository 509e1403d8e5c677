//! Removing what no name points at. Only what a store writes is removed, and no artifact while
//! anything that may name one cannot be read.

use std::collections::BTreeSet;

use edgec_files::{FolderError, Hold, is_temporary_name, try_lock};
use edgec_verifier::{Sha256Digest, VerityDigest};
use serde::Serialize;

use super::survey::Problem;
use super::{ArtifactStore, CHANGES, StoreError};

/// What a collection did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Collection {
    /// The images that were removed.
    pub images: Vec<String>,
    /// How many envelopes were.
    pub envelopes: usize,
    /// What they took on the disk, in bytes.
    pub bytes: u64,
    /// Images that no name points at and that a process has in use; the next collection looks
    /// again.
    pub in_use: Vec<String>,
    /// Remains of admissions and removals that did not end.
    pub remains: usize,
    /// What is nothing of a store's, and was left alone.
    pub foreign: Vec<String>,
    /// Whether all artifacts were kept, as something that may name any of them cannot be read.
    pub spared: bool,
}

/// What a collection did, and what was in its way.
#[derive(Debug)]
#[non_exhaustive]
pub struct Collected {
    /// What it did.
    pub collection: Collection,
    /// What could not be read or removed.
    pub problems: Vec<Problem>,
}

/// A file of `artifacts/`, by its name.
enum Kind {
    Image,
    Envelope,
}

impl Kind {
    fn of(name: &str) -> Option<Self> {
        let image = |digest: &str| digest.parse::<VerityDigest>().is_ok();
        if let Some(digest) = name.strip_suffix(".elf") {
            return image(digest).then_some(Self::Image);
        }
        let (digest, envelope) = name.strip_suffix(".dsse")?.split_once('-')?;
        let both = image(digest) && envelope.parse::<Sha256Digest>().is_ok();
        both.then_some(Self::Envelope)
    }
}

impl ArtifactStore {
    /// Removes what no name points at and no process has in use, and the remains of admissions that
    /// did not end. Waits until admissions that run have ended.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when a folder of the store cannot be read.
    pub fn collect(&self) -> Result<Collected, StoreError> {
        let _gate = self.admissions(Hold::Exclusive)?;
        let _changes = self.locked(CHANGES, Hold::Exclusive)?;
        let mut collection = Collection::default();
        let mut problems = Vec::new();
        self.collect_remains(&mut collection, &mut problems)?;
        let survey = self.survey()?;
        collection.foreign.extend(survey.foreign);
        for empty in survey.empty {
            match self.0.names.clear(&empty) {
                Ok(_) => collection.remains += 1,
                Err(error) => problems.push(error.into()),
            }
        }
        collection.spared = !survey.problems.is_empty();
        problems.extend(survey.problems);
        if !collection.spared {
            let releases = survey.releases.iter();
            let entries = releases.flat_map(|(release, _)| &release.artifacts);
            let named = entries.flat_map(|entry| [entry.image_name(), entry.envelope_name()]);
            self.collect_artifacts(&named.collect(), &mut collection, &mut problems)?;
        }
        Ok(Collected {
            collection,
            problems,
        })
    }

    fn collect_remains(
        &self,
        collection: &mut Collection,
        problems: &mut Vec<Problem>,
    ) -> Result<(), StoreError> {
        let temporary = &self.0.temporary;
        for name in temporary.names()? {
            if !is_temporary_name(&name) {
                collection.foreign.push(temporary.name(&name));
                continue;
            }
            match temporary.clear(&name) {
                Ok(true) => collection.remains += 1,
                Ok(false) => collection.foreign.push(temporary.name(&name)),
                Err(error) => problems.push(error.into()),
            }
        }
        Ok(())
    }

    fn collect_artifacts(
        &self,
        named: &BTreeSet<String>,
        collection: &mut Collection,
        problems: &mut Vec<Problem>,
    ) -> Result<(), StoreError> {
        let artifacts = &self.0.artifacts;
        let (mut images, mut envelopes) = (Vec::new(), Vec::new());
        for name in artifacts.names()? {
            match Kind::of(&name) {
                _ if named.contains(&name) => {}
                Some(Kind::Image) => images.push(name),
                Some(Kind::Envelope) => envelopes.push(name),
                None => collection.foreign.push(artifacts.name(&name)),
            }
        }
        if images.is_empty() && envelopes.is_empty() {
            return Ok(());
        }
        // A process may have changed a name and ended before the change was on the disk. The old
        // name must not come back without its image.
        self.0.root.sync_all()?;
        // Images first: what is in use keeps its envelopes, by which it is judged again.
        for name in images {
            match self.collect_image(name, collection) {
                Err(error) if error.is_absence() => {}
                done => problems.extend(done.err().map(Problem::from)),
            }
        }
        for name in envelopes {
            let image = |image: &String| name.starts_with(image.trim_end_matches(".elf"));
            if !collection.in_use.iter().any(image) {
                match self.collect_file(&name, collection) {
                    Ok(removed) => collection.envelopes += usize::from(removed),
                    Err(error) => problems.push(error.into()),
                }
            }
        }
        Ok(artifacts.sync()?)
    }

    fn collect_image(&self, name: String, collection: &mut Collection) -> Result<(), StoreError> {
        // Whatever its mode: loads may have taken it before that changed.
        let file = match self.0.artifacts.open_unjudged(&name) {
            Ok(file) => file,
            // Nothing that a load has taken, and nothing of a store's.
            Err(FolderError::NotAFile { name }) => {
                collection.foreign.push(name);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        if !try_lock(&file, Hold::Exclusive).unwrap_or(false) {
            collection.in_use.push(name);
        } else if self.collect_file(&name, collection)? {
            collection.images.push(name);
        }
        Ok(())
    }

    /// Removes a file; leaves anything that is not a regular file.
    fn collect_file(&self, name: &str, collection: &mut Collection) -> Result<bool, StoreError> {
        let artifacts = &self.0.artifacts;
        let Some(freed) = artifacts.freed_without(name)? else {
            collection.foreign.push(artifacts.name(name));
            return Ok(false);
        };
        artifacts.remove(name)?;
        collection.bytes += freed;
        Ok(true)
    }
}
