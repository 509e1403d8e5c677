//! What a host knows about the releases of one application. It is kept in a file, so that a crash
//! at any point leaves a host that goes on where it was.

mod folder;
mod order;

use edgec_artifact::{Release, Sha256Digest, UnixTime};
use serde::{Deserialize, Serialize};

pub use self::folder::{StateError, StateFolder};
pub use self::order::{OrderError, order_retry};

/// What a host knows about the releases of an application.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Known {
    /// The digest of the index that held the newest release when it was looked at last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub index: Option<Sha256Digest>,
    /// The newest release that was verified.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub newest: Option<Newest>,
    /// The release that is being tried.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trial: Option<Trial>,
    /// The last release that passed its gate.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub healthy: Option<Healthy>,
    /// The last release that did not pass its gate.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bad: Option<Bad>,
    /// The last verdict of a gate that an operator took back.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub forgiven: Option<Forgiven>,
    /// When the newest timestamp about the newest release ends, if it has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires: Option<UnixTime>,
    /// The number of the last order of a root to set the numbers of the application again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reset: Option<u64>,
}

/// The numbers of a release, and what tells it from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct ReleaseId {
    /// The version of its artifacts.
    pub version: u64,
    /// Its serial.
    pub serial: u64,
    /// SHA-256 of its signed payload.
    pub digest: Sha256Digest,
}

impl ReleaseId {
    /// What tells a release from others. `digest` is that of its signed payload.
    #[must_use]
    pub fn of(release: &Release, digest: Sha256Digest) -> Self {
        Self {
            version: release.version,
            serial: release.serial,
            digest,
        }
    }

    /// The release with these numbers.
    #[must_use]
    pub const fn new(version: u64, serial: u64, digest: Sha256Digest) -> Self {
        Self {
            version,
            serial,
            digest,
        }
    }
}

/// The newest release that was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Newest {
    /// The release.
    pub release: ReleaseId,
    /// When this host saw it first.
    pub first_seen: UnixTime,
    /// The earliest time at which a verified timestamp about it was issued.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub issued: Option<UnixTime>,
}

/// A release that is being tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Trial {
    /// The release.
    pub release: ReleaseId,
    /// The version to go back to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub before: Option<u64>,
    /// How far it has come.
    pub stage: Stage,
    /// How many times a process began to watch it.
    #[serde(default)]
    pub starts: u32,
    /// Whether the host that serves has answered, just before the admission or since.
    #[serde(default)]
    pub answered: bool,
}

/// How far a trial has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Stage {
    /// The store may have the release, or not yet.
    Admitting,
    /// The store has the release, and its gate watches it.
    Watching,
    /// The gate has refused it, and the store may have gone back, or not yet.
    GoingBack {
        /// Why.
        reason: String,
    },
}

/// A release that passed its gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Healthy {
    /// The release.
    pub release: ReleaseId,
    /// When.
    pub since: UnixTime,
    /// The version that was current before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub before: Option<u64>,
}

/// A release that did not pass its gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Bad {
    /// The release.
    pub release: ReleaseId,
    /// When.
    pub at: UnixTime,
    /// Why.
    pub reason: String,
    /// What became of the host.
    pub end: End,
}

impl Bad {
    /// Which release was bad, and why.
    #[must_use]
    pub fn told(&self) -> String {
        let ReleaseId {
            serial, version, ..
        } = self.release;
        format!(
            "release {serial} (version {version}) was bad: {}",
            self.reason
        )
    }
}

/// A verdict that an operator took back, so that its release is tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Forgiven {
    /// The verdict.
    pub verdict: Bad,
    /// When it was taken back.
    pub at: UnixTime,
}

/// What became of a host whose release did not pass its gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum End {
    /// It went back to this version.
    WentBack(u64),
    /// It still has the bad release, because it could not go back.
    Stays {
        /// Why.
        why: String,
    },
}
