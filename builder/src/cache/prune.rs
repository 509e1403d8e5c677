//! What a cache holds, and how it stays within its size. No step of a build does this work.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::path::Path;
use std::time::{Duration, SystemTime};

use edgec_artifact::Sha256Digest;
use edgec_files::{Folder, FolderError, is_temporary_name};

use super::CacheError;
use super::asked::{IMAGES, QUESTIONS};
use super::folder::{CacheFolder, TEMPORARY};

/// A temporary file that is older than this belongs to no build that still runs.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// What a cache holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// For each kind of question: how many entries, and their length in bytes.
    pub kinds: BTreeMap<String, (u64, u64)>,
    /// The number of all entries.
    pub entries: u64,
    /// The length of all entries, in bytes.
    pub bytes: u64,
}

/// What was removed, and what is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pruned {
    /// The number of entries that were removed.
    pub entries: u64,
    /// Their length, in bytes.
    pub bytes: u64,
    /// The length of the entries that are left, in bytes.
    pub left: u64,
}

/// The outcome of a check of all entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// How many entries are whole.
    pub whole: u64,
    /// How many were damaged. They were removed.
    pub damaged: u64,
}

/// A file in the cache.
struct Found {
    kind: String,
    name: String,
    bytes: u64,
    used: SystemTime,
}

/// What the cache in a folder holds.
///
/// # Errors
///
/// [`CacheError::Folder`].
pub fn stats(path: &Path) -> Result<CacheStats, CacheError> {
    let cache = CacheFolder::open(path)?;
    let mut stats = CacheStats::default();
    for found in all(&cache)? {
        let of_kind = stats.kinds.entry(found.kind).or_default();
        of_kind.0 += 1;
        of_kind.1 = of_kind.1.saturating_add(found.bytes);
        stats.entries += 1;
        stats.bytes = stats.bytes.saturating_add(found.bytes);
    }
    Ok(stats)
}

/// Removes entries until the cache in a folder has at most `most` bytes: those first that were used
/// longest ago.
///
/// # Errors
///
/// [`CacheError::Folder`].
pub fn prune(path: &Path, most: u64) -> Result<Pruned, CacheError> {
    let cache = CacheFolder::open(path)?;
    remove_abandoned(&cache)?;
    let mut found = all(&cache)?;
    age_with_answers(&mut found);
    found.sort_by(|one, other| (one.used, &one.name).cmp(&(other.used, &other.name)));
    let lengths = found.iter().map(|it| it.bytes);
    let mut pruned = Pruned {
        left: lengths.fold(0, u64::saturating_add),
        ..Pruned::default()
    };
    for found in found {
        if pruned.left <= most {
            break;
        }
        remove(&cache, &found)?;
        pruned.entries += 1;
        pruned.bytes = pruned.bytes.saturating_add(found.bytes);
        pruned.left = pruned.left.saturating_sub(found.bytes);
    }
    Ok(pruned)
}

/// Reads every entry of the cache in a folder, and removes those that are damaged.
///
/// # Errors
///
/// [`CacheError::Folder`].
pub fn verify(path: &Path) -> Result<Verified, CacheError> {
    let cache = CacheFolder::open(path)?;
    let mut verified = Verified::default();
    for found in all(&cache)? {
        let key: Option<Sha256Digest> = found.name.parse().ok();
        match key.and_then(|key| cache.read(&found.kind, &key)) {
            Some(_) => verified.whole += 1,
            None => {
                remove(&cache, &found)?;
                verified.damaged += 1;
            }
        }
    }
    Ok(verified)
}

/// All files of the cache, apart from temporary ones.
fn all(cache: &CacheFolder) -> Result<Vec<Found>, FolderError> {
    let mut all = Vec::new();
    for kind in cache.root.names()? {
        if kind == TEMPORARY {
            continue;
        }
        let Ok(folder) = cache.root.folder(&kind) else {
            // It is no folder, so it holds no entries.
            continue;
        };
        for name in folder.names()? {
            let facts = folder.open_unjudged(&name).ok();
            let facts = facts.and_then(|file| file.metadata().ok());
            let Some(facts) = facts.filter(Metadata::is_file) else {
                // Another process removed it, or it is no file.
                continue;
            };
            all.push(Found {
                kind: kind.clone(),
                name,
                bytes: facts.len(),
                used: facts.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            });
        }
    }
    Ok(all)
}

/// A question is as old as its answer, because no build reads it. Without its answer, it is the
/// first that goes.
fn age_with_answers(found: &mut [Found]) {
    let answers = found.iter().filter(|found| found.kind == IMAGES);
    let used: BTreeMap<String, SystemTime> = answers
        .map(|answer| (answer.name.clone(), answer.used))
        .collect();
    for question in found.iter_mut().filter(|found| found.kind == QUESTIONS) {
        let of_answer = used.get(&question.name);
        question.used = of_answer.copied().unwrap_or(SystemTime::UNIX_EPOCH);
    }
}

fn remove(cache: &CacheFolder, found: &Found) -> Result<(), FolderError> {
    cache.root.folder(&found.kind)?.remove(&found.name)
}

/// Removes temporary files of builds that were stopped.
fn remove_abandoned(cache: &CacheFolder) -> Result<(), FolderError> {
    let folder: &Folder = &cache.temporary;
    let now = SystemTime::now();
    for name in folder
        .names()?
        .iter()
        .filter(|name| is_temporary_name(name))
    {
        let written = folder.open_unjudged(name).ok();
        let written = written.and_then(|file| file.metadata().ok()?.modified().ok());
        let age = written.and_then(|written| now.duration_since(written).ok());
        if age.is_some_and(|age| age > ABANDONED) {
            folder.remove(name)?;
        }
    }
    Ok(())
}
