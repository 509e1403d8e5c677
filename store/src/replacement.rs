//! What an admission may replace, and what stays of it.

use edgec_verifier::{Manifest, TrustPolicy, UnixTime, VerifiedRelease};

use super::application::Application;
use super::copy::Found;
use super::rollback::RollbackRefusal;
use super::staged::Staged;
use super::statements::{Given, Record};
use super::version::{Entry, Standing, StoredVersion};
use super::{ArtifactStore, MAX_SMALL_LEN, StoreError};

/// What a store has of the version of an arriving artifact.
pub(super) struct Earlier {
    /// Whether the version is in the store.
    pub(super) is_there: bool,
    /// Its artifact for the same target and profile.
    pub(super) entry: Option<Entry>,
    /// That artifact's envelope, if it is whole.
    pub(super) envelope: Option<Vec<u8>>,
}

impl Earlier {
    /// Whether the arriving artifact replaces another one: its manifest differs.
    pub(super) fn replaces(
        &self,
        store: &ArtifactStore,
        manifest: &Manifest,
        found: &Found,
    ) -> Result<bool, StoreError> {
        let Some(entry) = &self.entry else {
            return Ok(false);
        };
        let is_same = match &self.envelope {
            Some(_) => store.payload(entry)? == found.payload,
            // Its envelope is lost, and a good one takes its place.
            None => entry.image == manifest.image.fsverity,
        };
        match (is_same, &found.release) {
            (true, _) => Ok(false),
            (false, Some(_)) => Ok(true),
            (false, None) => {
                let application = Application {
                    version: None,
                    ..Application::of(manifest)
                };
                Err(RollbackRefusal::SameVersion {
                    what: application.to_string(),
                    version: manifest.version,
                    fits: entry.fits(),
                }
                .into())
            }
        }
    }
}

impl Found {
    /// The statements of the caller that were verified.
    pub(super) fn given(&self) -> Given<'_> {
        Given {
            release: self.release.as_ref(),
            timestamp: self.timestamp.as_ref(),
        }
    }
}

impl ArtifactStore {
    /// What the store has of this version of an application.
    pub(super) fn earlier(
        &self,
        application: &Application,
        arriving: &Entry,
    ) -> Result<Earlier, StoreError> {
        let mut is_damaged = false;
        let stored = match self.history(application) {
            Err(StoreError::Unknown { .. }) => None,
            history => match history?.find(application) {
                // A damaged version is replaced.
                Err(error) if error.is_damage() => {
                    is_damaged = true;
                    None
                }
                stored => stored?,
            },
        };
        let is_there = stored.is_some() || is_damaged;
        let artifacts = stored.map(|stored| stored.artifacts).unwrap_or_default();
        let entry = artifacts.into_iter().find(|it| it.is_for(arriving));
        let envelope = entry.as_ref().and_then(|entry| self.envelope(entry).ok());
        Ok(Earlier {
            is_there,
            entry,
            envelope,
        })
    }

    /// The record of an arriving artifact: what was known of its signatures stays.
    pub(super) fn new_record(
        &self,
        earlier: Option<&Entry>,
        arriving: &Entry,
        found: &Found,
        now: UnixTime,
    ) -> Result<Record, StoreError> {
        let known = |entry: &Entry| match self.record(entry) {
            // A damaged record proves nothing.
            Err(error) if error.is_damage() => Ok(Record::default()),
            record => record,
        };
        let same = earlier.map(|entry| (entry, self.payload(entry).ok()));
        let mut record = match same {
            Some((entry, Some(payload))) if payload == found.payload => known(entry)?,
            _ => known(arriving)?,
        };
        for key in &found.keys {
            record.keys.entry(*key).or_insert(now);
        }
        if let Some(release) = &found.release {
            record.release = Some(release.release.serial);
        }
        Ok(record)
    }

    /// Keeps the record of an artifact.
    pub(super) fn put_record(&self, entry: &Entry, record: &Record) -> Result<(), StoreError> {
        let (artifacts, name) = (&self.0.artifacts, entry.record_name());
        let damaged = |error| StoreError::damaged(artifacts.name(&name), error);
        let bytes = serde_json::to_vec(record).map_err(damaged)?;
        let known = artifacts.read(&name, MAX_SMALL_LEN);
        if known.ok().as_ref() != Some(&bytes) {
            artifacts.put(&self.0.temporary, &name, &bytes)?;
        }
        Ok(())
    }

    /// The files beside an arriving artifact: those that the caller gave, and those that its
    /// earlier envelope had.
    pub(super) fn beside(
        &self,
        earlier: Option<&Entry>,
        arriving: &Entry,
        found: &Found,
        policy: &TrustPolicy,
    ) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let mut files = Vec::new();
        let provenance = match (&found.provenance, earlier) {
            (Some(given), _) => Some(given.clone()),
            (None, Some(earlier)) => self.provenance(earlier)?,
            (None, None) => None,
        };
        files.extend(provenance.map(|bytes| (arriving.provenance_name(), bytes)));
        let proof = match (&found.log_proof, earlier) {
            (Some(given), _) => Some(given.clone()),
            (None, Some(earlier)) => self.log_proof(earlier)?,
            (None, None) => None,
        };
        files.extend(proof.map(|bytes| (arriving.log_proof_name(), bytes)));
        let sbom = match (&found.sbom, earlier) {
            (Some(given), _) => Some(given.clone()),
            (None, Some(earlier)) => self.sbom(earlier)?,
            (None, None) => None,
        };
        files.extend(sbom.map(|bytes| (arriving.sbom_name(), bytes)));
        let mut rebuilds = self.rebuilds(earlier.unwrap_or(arriving))?;
        for statement in &found.rebuilds {
            let known = rebuilds.iter_mut().find_map(|known| {
                let union = policy.union_of_signatures(known, statement, MAX_REBUILD_LEN)?;
                Some((known, union))
            });
            match known {
                Some((known, union)) => *known = union,
                // Long signatures cannot take the room of other statements.
                None => rebuilds.extend(policy.union_of_signatures(
                    statement,
                    statement,
                    MAX_REBUILD_LEN,
                )),
            }
        }
        // The newest are kept: more are not needed for any threshold.
        let old = rebuilds.len().saturating_sub(MOST_REBUILDS);
        let rebuilds = rebuilds.split_off(old);
        if !rebuilds.is_empty() {
            files.push((arriving.rebuild_name(), rebuilds.join(&b'\n')));
        }
        Ok(files)
    }

    /// A version after an artifact has arrived that belongs to `by`. If other artifacts of the
    /// version belong to an older release, the new ones are kept aside until there is one for each
    /// of them: two releases are never mixed. Then this is what is lacking.
    pub(super) fn gathered(
        &self,
        application: &Application,
        stored: &StoredVersion,
        arriving: &Entry,
        by: &VerifiedRelease,
    ) -> Result<Result<StoredVersion, Standing>, StoreError> {
        let mut old = Vec::new();
        for entry in stored.artifacts.iter().filter(|it| !it.is_for(arriving)) {
            if !self.is_listed(entry, by)? {
                old.push(entry);
            }
        }
        let serial = by.release.serial;
        let staged = self.staged(application)?;
        let staged = staged.filter(|it| it.serial == serial);
        let staged = staged.map(|it| it.version);
        // What waits may be of another version: a release has one.
        let staged = staged.filter(|it| it.version == stored.version);
        let mut staged = staged.unwrap_or_else(|| stored.without_artifacts());
        staged.put(arriving.clone());
        let lacks = |wanted: &&&Entry| !staged.artifacts.iter().any(|it| it.is_for(wanted));
        let targets: Vec<String> = old.iter().filter(lacks).map(|it| it.fits()).collect();
        if targets.is_empty() {
            let mut whole = stored.clone();
            for entry in staged.artifacts {
                whole.put(entry);
            }
            return Ok(Ok(whole));
        }
        let version = staged;
        self.put_staged(application, Some(&Staged { serial, version }))?;
        let current = application.version.unwrap_or_default();
        Ok(Err(Standing::Lacks { current, targets }))
    }
}

/// How many statements of notaries a store keeps of one artifact.
const MOST_REBUILDS: usize = 16;
/// The longest of them, in bytes (128 KiB), so that all of them are in a file that the store reads.
const MAX_REBUILD_LEN: u64 = 1 << 17;
const _: () = assert!(MOST_REBUILDS as u64 * (MAX_REBUILD_LEN + 1) < MAX_SMALL_LEN);
