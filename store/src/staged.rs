//! Artifacts of a release that wait for others of the same release, and the releases that nothing
//! needs any more.

use std::collections::{BTreeMap, BTreeSet};

use edgec_files::Folder;
use serde::{Deserialize, Serialize};

use super::application::Application;
use super::statements::{FLOORS, RELEASES, decode_floors, read_if_there};
use super::version::StoredVersion;
use super::{ArtifactStore, StoreError};

const STAGED: &str = "staged";

/// Artifacts of a release that replaces another one of the same version, as soon as it has an
/// artifact for each target of that one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Staged {
    pub(super) serial: u64,
    pub(super) version: StoredVersion,
}

impl ArtifactStore {
    /// The artifacts that wait for others of the same release.
    pub(super) fn staged(&self, application: &Application) -> Result<Option<Staged>, StoreError> {
        let Some(folder) = self.statements(application)? else {
            return Ok(None);
        };
        staged_in(&folder)
    }

    /// Keeps artifacts that wait for others, or forgets them.
    pub(super) fn put_staged(
        &self,
        application: &Application,
        staged: Option<&Staged>,
    ) -> Result<(), StoreError> {
        let Some(folder) = self.statements(application)? else {
            return Ok(());
        };
        let Some(staged) = staged else {
            if folder.has(STAGED) {
                folder.remove(STAGED)?;
                folder.sync()?;
            }
            return Ok(());
        };
        let bytes = serde_json::to_vec(staged);
        let bytes = bytes.map_err(|error| StoreError::damaged(folder.name(STAGED), error))?;
        Ok(folder.replace(&self.0.temporary, STAGED, &bytes)?)
    }

    /// All artifacts that wait for others, of all applications.
    pub(super) fn all_staged(&self) -> Result<Vec<Staged>, StoreError> {
        let releases = match self.0.root.folder(RELEASES) {
            Err(error) if error.is_absence() => return Ok(Vec::new()),
            releases => releases?,
        };
        let mut all = Vec::new();
        for key in releases.names()? {
            all.extend(staged_in(&releases.folder(&key)?)?);
        }
        Ok(all)
    }

    /// Removes releases that are not the newest and that no artifact belongs to, and timestamps of
    /// older releases. Returns how many.
    pub(super) fn collect_releases(
        &self,
        belonging: &BTreeMap<String, BTreeSet<u64>>,
    ) -> Result<usize, StoreError> {
        let releases = match self.0.root.folder(RELEASES) {
            Err(error) if error.is_absence() => return Ok(0),
            releases => releases?,
        };
        let mut removed = 0;
        for key in releases.names()? {
            let folder = releases.folder(&key)?;
            let Some(floors) = read_if_there(&folder, FLOORS)? else {
                continue;
            };
            let newest = decode_floors(&folder, &floors)?.serial;
            let kept = belonging.get(&key);
            for name in folder.names()? {
                let Some((Ok(serial), kind)) = name
                    .split_once('.')
                    .map(|(serial, kind)| (serial.parse(), kind))
                else {
                    continue;
                };
                let is_kept = match kind {
                    "release" => kept.is_some_and(|kept| kept.contains(&serial)),
                    "timestamp" => false,
                    _ => continue,
                };
                if serial != newest && !is_kept {
                    folder.remove(&name)?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }
}

fn staged_in(folder: &Folder) -> Result<Option<Staged>, StoreError> {
    let Some(bytes) = read_if_there(folder, STAGED)? else {
        return Ok(None);
    };
    let damaged = |error| StoreError::damaged(folder.name(STAGED), error);
    serde_json::from_slice(&bytes).map(Some).map_err(damaged)
}
