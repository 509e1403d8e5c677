//! Removes files that no name points at. It removes only files that a store writes. It removes no
//! artifact if anything that may name one cannot be read.

use std::collections::{BTreeMap, BTreeSet};

use edgec_files::{FolderError, Hold, is_temporary_name, try_lock};
use edgec_verifier::{Sha256Digest, VerityDigest};
use serde::Serialize;

use super::survey::Problem;
use super::{ArtifactStore, CHANGES, StoreError};

/// The results of a collection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Collection {
    /// The images that were removed.
    pub images: Vec<String>,
    /// The number of removed envelopes, with what lies beside them: provenances, records, rebuilds,
    /// and releases.
    pub envelopes: usize,
    /// The space that the removed files took on the disk, in bytes.
    pub bytes: u64,
    /// Images that no name points at, but a process has in use. The next collection looks at them
    /// again.
    pub in_use: Vec<String>,
    /// The number of files that were left by unfinished admissions and removals.
    pub remains: usize,
    /// Files that do not belong to a store. They were not touched.
    pub foreign: Vec<String>,
    /// Whether all artifacts were kept, because something that may name one of them cannot be read.
    pub spared: bool,
}

/// The results of a collection, and its problems.
#[derive(Debug)]
#[non_exhaustive]
pub struct Collected {
    /// The results.
    pub collection: Collection,
    /// The problems with files that could not be read or removed.
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
        // What lies beside an envelope lives as long as that one.
        let name = [
            ".dsse",
            ".provenance",
            ".tlog-proof",
            ".sbom",
            ".rebuilds",
            ".admitted",
        ]
        .iter()
        .find_map(|ending| name.strip_suffix(ending))?;
        let (digest, envelope) = name.split_once('-')?;
        let both = image(digest) && envelope.parse::<Sha256Digest>().is_ok();
        both.then_some(Self::Envelope)
    }
}

impl ArtifactStore {
    /// Removes artifacts that no name points at and no process has in use, and files that were left
    /// by unfinished admissions. It waits until running admissions have ended.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if a folder of the store cannot be read.
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
            let staged = self.all_staged()?;
            let staged = staged.iter().map(|staged| &staged.version);
            let versions = survey.versions.iter().map(|(stored, _)| stored);
            let (mut named, mut belonging) = (BTreeSet::new(), BTreeMap::new());
            for stored in versions.chain(staged) {
                for entry in &stored.artifacts {
                    named.extend(entry.file_names());
                    if let Ok(Some(serial)) = self.record(entry).map(|record| record.release) {
                        let serials: &mut BTreeSet<u64> =
                            belonging.entry(stored.folder()).or_default();
                        serials.insert(serial);
                    }
                }
            }
            self.collect_artifacts(&named, &mut collection, &mut problems)?;
            collection.envelopes += self.collect_releases(&belonging)?;
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
        // Images first: an image in use keeps its envelopes, since it is judged by them again.
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
        // The mode does not matter: loads may have taken the file before its mode changed.
        let file = match self.0.artifacts.open_unjudged(&name) {
            Ok(file) => file,
            // No load has taken this, and it does not belong to the store.
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

    /// Removes a regular file. Does not touch anything else.
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
