//! The statements beside artifacts that a store keeps: releases, timestamps, and rebuilds; and what
//! it remembers about them.
//!
//! ```text
//! releases/<key>/         an application in a channel, by the name of its folder in `names/`
//!   floors                the highest numbers that were admitted
//!   <serial>.release      a release
//!   <serial>.timestamp    the newest timestamp about it
//!   staged                artifacts of a release that does not yet have one for every target
//! clock                   a time that has passed
//! ```
//!
//! The floors say which release is the newest, and so which timestamp counts. They are written
//! last, as a whole: a load sees the statements before a change, or those after it.

use std::collections::{BTreeMap, BTreeSet};

use edgec_files::{Folder, FolderError, Identity};
use edgec_verifier::artifact::MAX_COMPANION_LEN;
use edgec_verifier::{
    Expected, KeyId, Sha256Digest, TrustPolicy, UnixTime, VerifiedRelease, VerifiedTimestamp,
    verify_timestamp,
};
use serde::{Deserialize, Serialize};

use super::application::Application;
use super::rollback::Floors;
use super::version::Entry;
use super::{ArtifactStore, MAX_SMALL_LEN, StoreError};

/// The folder of the statements.
pub(super) const RELEASES: &str = "releases";
pub(super) const FLOORS: &str = "floors";
/// How often statements are read anew if they change while they are read. Each change is a new
/// release or timestamp, so a second change in a row is already rare.
const CONSISTENT_TRIES: usize = 8;

/// What a store remembers about one artifact's admission.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Record {
    /// When the store first saw the signature of each key on this manifest.
    pub(super) keys: BTreeMap<KeyId, UnixTime>,
    /// The serial of the release that it belongs to, if it came with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) release: Option<u64>,
}

impl ArtifactStore {
    /// The floors of an application, after following a root's order about them.
    pub(super) fn floors(
        &self,
        application: &Application,
        policy: &TrustPolicy,
    ) -> Result<Floors, StoreError> {
        let mut floors = self.kept_floors(application)?;
        if let Some(reset) = policy.floor_reset(&application.name, application.channel.as_deref()) {
            floors.follow(reset);
        }
        Ok(floors)
    }

    /// The floors of an application as they were written.
    pub(super) fn kept_floors(&self, application: &Application) -> Result<Floors, StoreError> {
        let Some(folder) = self.statements(application)? else {
            return Ok(Floors::new(application));
        };
        match folder.read(FLOORS, MAX_SMALL_LEN) {
            Err(error) if error.is_absence() => Ok(Floors::new(application)),
            bytes => decode_floors(&folder, &bytes?),
        }
    }

    /// The folder of an application's statements, if it has one.
    pub(super) fn statements(
        &self,
        application: &Application,
    ) -> Result<Option<Folder>, StoreError> {
        let found = self.0.root.folder(RELEASES);
        match found.and_then(|releases| releases.folder(&application.folder())) {
            Err(error) if error.is_absence() => Ok(None),
            found => Ok(Some(found?)),
        }
    }

    /// Tells the statements of an application from those before the last change.
    pub(super) fn statements_identity(&self, application: &Application) -> Option<Identity> {
        let place = format!("{RELEASES}/{}/{FLOORS}", application.folder());
        self.0.root.identity(&place)
    }

    /// Keeps statements and floors. The caller holds the lock of changes.
    pub(super) fn put_statements(
        &self,
        application: &Application,
        mut floors: Floors,
        given: Given<'_>,
        policy: &TrustPolicy,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        let releases = self.0.root.folder_or_new(RELEASES)?;
        let folder = releases.folder_or_new(&application.folder())?;
        let temporary = &self.0.temporary;
        if let Some(release) = given.release {
            let bytes = &release.envelope;
            let name = release_name(release.release.serial);
            let known = folder.read(&name, MAX_SMALL_LEN);
            // Of one release with different signatures, the union stays.
            let bytes = match &known {
                Ok(known) => policy.union_of_signatures(known, bytes, MAX_COMPANION_LEN),
                Err(_) => None,
            }
            .unwrap_or_else(|| bytes.to_vec());
            if known.ok().as_deref() != Some(&*bytes) {
                folder.put(temporary, &name, &bytes)?;
            }
        }
        if let Some(stamp) = given.timestamp
            && floors.release == Some(stamp.timestamp.release)
        {
            let expires = stamp.timestamp.expires.seconds();
            // A mirror can repeat an older timestamp of the same release.
            let is_later = floors.timestamp.is_none_or(|(_, known)| expires > known);
            if is_later || !given.is_kept_good(&folder, policy, now)? {
                let bytes = &stamp.envelope;
                folder.put(temporary, &timestamp_name(floors.serial), bytes)?;
                floors.timestamp = Some((Sha256Digest::of(bytes), expires));
            }
        }
        folder.sync()?;
        if self.kept_floors(application)? != floors {
            let bytes = serde_json::to_vec(&floors);
            let damaged = |error| StoreError::damaged(folder.name(FLOORS), error);
            folder.replace(temporary, FLOORS, &bytes.map_err(damaged)?)?;
            releases.sync()?;
        }
        if let Some(stamp) = given.timestamp {
            let mut clock = self.clock_floor()?;
            if clock.raise(stamp.timestamp.issued, now) {
                self.put_clock(clock)?;
            }
        }
        Ok(())
    }

    /// The statements that a policy may ask for about a stored artifact, or for witnesses, for its
    /// judgement.
    pub(super) fn with_statements(
        &self,
        mut expected: Expected,
        application: &Application,
        entry: &Entry,
        policy: &TrustPolicy,
    ) -> Result<Expected, StoreError> {
        if policy.reads_records() {
            expected = expected.with_record(self.record(entry)?.keys);
        }
        if policy.reads_rebuilds() {
            for statement in self.rebuilds(entry)? {
                expected = expected.with_rebuild(statement);
            }
        }
        if !policy.reads_releases() {
            return Ok(expected);
        }
        let Some(folder) = self.statements(application)? else {
            return Ok(expected);
        };
        // No caller has given them for this load. Another version than the newest may run, because
        // it was admitted while it was the newest.
        expected = expected.kept_by_host();
        let admitted = self.record(entry)?.release;
        for _ in 1..CONSISTENT_TRIES {
            let before = self.statements_identity(application);
            let kept = self.newest_statements(&folder, application, admitted, policy)?;
            if self.statements_identity(application) == before {
                return Ok(kept.added_to(expected));
            }
        }
        let kept = self.newest_statements(&folder, application, admitted, policy)?;
        Ok(kept.added_to(expected))
    }

    /// The newest release with its newest timestamp, and the release of an artifact's admission. If
    /// the floors change meanwhile, a file may be gone: a collection removes the statements of
    /// older releases.
    fn newest_statements(
        &self,
        folder: &Folder,
        application: &Application,
        admitted: Option<u64>,
        policy: &TrustPolicy,
    ) -> Result<Kept, StoreError> {
        let floors = self.floors(application, policy)?;
        let mut releases = Vec::new();
        for serial in [Some(floors.serial), admitted]
            .into_iter()
            .flatten()
            .collect::<BTreeSet<u64>>()
        {
            releases.extend(read_if_there(folder, &release_name(serial))?);
        }
        let timestamp = read_if_there(folder, &timestamp_name(floors.serial))?;
        Ok(Kept {
            releases,
            timestamp,
        })
    }

    /// What the store remembers about an artifact.
    pub(super) fn record(&self, entry: &Entry) -> Result<Record, StoreError> {
        let name = entry.record_name();
        let Some(bytes) = read_if_there(&self.0.artifacts, &name)? else {
            return Ok(Record::default());
        };
        let name = self.0.artifacts.name(&name);
        serde_json::from_slice(&bytes).map_err(|error| StoreError::damaged(name, error))
    }

    /// The notaries' statements that an artifact was admitted with.
    pub(super) fn rebuilds(&self, entry: &Entry) -> Result<Vec<Vec<u8>>, StoreError> {
        let bytes = read_if_there(&self.0.artifacts, &entry.rebuild_name())?;
        let bytes = bytes.unwrap_or_default();
        let lines = bytes.split(|byte| *byte == b'\n');
        let lines = lines.filter(|line| !line.is_empty());
        Ok(lines.map(<[u8]>::to_vec).collect())
    }
}

/// Statements that a store has kept about an application.
struct Kept {
    releases: Vec<Vec<u8>>,
    timestamp: Option<Vec<u8>>,
}

impl Kept {
    fn added_to(self, expected: Expected) -> Expected {
        let expected = self
            .releases
            .into_iter()
            .fold(expected, Expected::with_release);
        match self.timestamp {
            Some(timestamp) => expected.with_timestamp(timestamp),
            None => expected,
        }
    }
}

/// Verified statements.
#[derive(Clone, Copy, Default)]
pub(super) struct Given<'a> {
    pub(super) release: Option<&'a VerifiedRelease>,
    pub(super) timestamp: Option<&'a VerifiedTimestamp>,
}

impl Given<'_> {
    /// Whether the kept timestamp, of the same release, still counts. A thief of the key could make
    /// a timestamp that holds for years. When the key is revoked, that timestamp must not stand in
    /// the way.
    fn is_kept_good(
        &self,
        folder: &Folder,
        policy: &TrustPolicy,
        now: UnixTime,
    ) -> Result<bool, StoreError> {
        let (Some(release), Some(stamp)) = (self.release, self.timestamp) else {
            return Ok(true);
        };
        if release.digest != stamp.timestamp.release || now >= stamp.timestamp.expires {
            return Ok(true);
        }
        let kept = read_if_there(folder, &timestamp_name(release.release.serial))?;
        Ok(kept.is_some_and(|kept| verify_timestamp(&kept, release, policy, now).is_ok()))
    }
}

pub(super) fn decode_floors(folder: &Folder, bytes: &[u8]) -> Result<Floors, StoreError> {
    Floors::decode(bytes).map_err(|error| StoreError::damaged(folder.name(FLOORS), error))
}

fn release_name(serial: u64) -> String {
    format!("{serial}.release")
}

fn timestamp_name(serial: u64) -> String {
    format!("{serial}.timestamp")
}

pub(super) fn read_if_there(folder: &Folder, name: &str) -> Result<Option<Vec<u8>>, FolderError> {
    match folder.read(name, MAX_SMALL_LEN) {
        Err(error) if error.is_absence() => Ok(None),
        read => read.map(Some),
    }
}
