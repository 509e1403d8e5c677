//! What a store remembers about the numbers of an application, so that what was replaced does not
//! come back.
//!
//! The facts are in a file of their own, beside the artifacts. So removing or replacing artifacts
//! does not forget them. Source of the idea: the rollback index of Android Verified Boot.

use edgec_verifier::{FloorReset, Sha256Digest, VerifiedRelease};
use serde::{Deserialize, Serialize};

use super::application::Application;

/// The highest numbers of an application in a channel that were admitted to a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Floors {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) channel: Option<String>,
    /// The highest version.
    pub(crate) version: u64,
    /// The highest serial of a release; 0 if there was none.
    pub(crate) serial: u64,
    /// The release with this serial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) release: Option<Sha256Digest>,
    /// The lowest version that may run, by that release.
    pub(crate) lowest: u64,
    /// SHA-256 of the newest timestamp's file, and when it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) timestamp: Option<(Sha256Digest, u64)>,
    /// The number of the last reset by a root.
    pub(crate) reset: u64,
}

/// Why a store does not take something that is older than what it has had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RollbackRefusal {
    /// A lower version than the highest that was admitted, and not one that is still in the store.
    #[error("version {found} of {what} is below {seen}, which this store has admitted")]
    Version {
        /// The application.
        what: String,
        /// The version.
        found: u64,
        /// The highest version that was admitted.
        seen: u64,
    },
    /// An older release than the newest that was admitted.
    #[error("release {found} of {what} is older than {seen}, which this store has admitted")]
    Serial {
        /// The application.
        what: String,
        /// The serial.
        found: u64,
        /// The highest serial that was admitted.
        seen: u64,
    },
    /// Another release with the serial of the newest that was admitted.
    #[error("there are two different releases {serial} of {what}")]
    SameSerial {
        /// The application.
        what: String,
        /// The serial of both.
        serial: u64,
    },
    /// Another artifact of a version that the store has, without a release that replaces it.
    #[error(
        "version {version} of {what} has another artifact for {fits}, and no release replaces it"
    )]
    SameVersion {
        /// The application.
        what: String,
        /// The version of both.
        version: u64,
        /// The target and profile of both.
        fits: String,
    },
    /// An artifact without a release, of an application that had one.
    #[error("the store has release {serial} of {what}, and this artifact came without one")]
    WithoutRelease {
        /// The application.
        what: String,
        /// The serial of the newest release.
        serial: u64,
    },
    /// A version that may no longer run.
    #[error(
        "version {version} of {what} is below {lowest}, the lowest that may run since release {serial}"
    )]
    BelowFloor {
        /// The application.
        what: String,
        /// The version.
        version: u64,
        /// The lowest version that may run.
        lowest: u64,
        /// The serial of the release that says so.
        serial: u64,
    },
}

impl RollbackRefusal {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Version { .. } => "version-rollback",
            Self::Serial { .. } => "serial-rollback",
            Self::SameSerial { .. } => "serial-taken",
            Self::SameVersion { .. } => "version-taken",
            Self::WithoutRelease { .. } => "no-release",
            Self::BelowFloor { .. } => "release-floor",
        }
    }
}

impl Floors {
    /// An application of which nothing was admitted.
    pub(crate) fn new(application: &Application) -> Self {
        Self {
            name: application.name.clone(),
            channel: application.channel.clone(),
            version: 0,
            serial: 0,
            release: None,
            lowest: 0,
            timestamp: None,
            reset: 0,
        }
    }

    fn what(&self) -> String {
        let application = Application::new(&self.name);
        match &self.channel {
            Some(channel) => application.in_channel(channel).to_string(),
            None => application.to_string(),
        }
    }

    /// Follows a root's order, unless it was followed before. What was admitted stays; only the
    /// floors change.
    pub(crate) fn follow(&mut self, reset: &FloorReset) {
        if reset.number > self.reset {
            self.reset = reset.number;
            self.version = reset.version;
            self.serial = reset.serial;
            self.lowest = self.lowest.min(reset.version);
            self.release = None;
            self.timestamp = None;
        }
    }

    /// Takes a release as the newest.
    pub(crate) fn take(&mut self, release: &VerifiedRelease) -> Result<(), RollbackRefusal> {
        let (what, stated) = (self.what(), &release.release);
        let (found, seen) = (stated.serial, self.serial);
        if found < seen {
            return Err(RollbackRefusal::Serial { what, found, seen });
        }
        if found == seen && self.release.is_some_and(|known| known != release.digest) {
            let serial = found;
            return Err(RollbackRefusal::SameSerial { what, serial });
        }
        if stated.version < self.version {
            return Err(RollbackRefusal::Version {
                what,
                found: stated.version,
                seen: self.version,
            });
        }
        if found > seen {
            self.timestamp = None;
        }
        self.serial = found;
        self.release = Some(release.digest);
        self.lowest = stated.floor;
        Ok(())
    }

    /// Takes an artifact of this version, which came with a release or without one. `is_there` says
    /// whether the version is in the store.
    pub(crate) fn admit(
        &mut self,
        version: u64,
        release: Option<&VerifiedRelease>,
        is_there: bool,
    ) -> Result<(), RollbackRefusal> {
        match release {
            Some(release) => self.take(release)?,
            None if self.serial > 0 => {
                return Err(RollbackRefusal::WithoutRelease {
                    what: self.what(),
                    serial: self.serial,
                });
            }
            None => {}
        }
        if version < self.version && !is_there {
            return Err(RollbackRefusal::Version {
                what: self.what(),
                found: version,
                seen: self.version,
            });
        }
        self.version = self.version.max(version);
        Ok(())
    }

    /// Whether a version may run.
    pub(crate) fn allows(&self, version: u64) -> Result<(), RollbackRefusal> {
        match version < self.lowest {
            true => Err(RollbackRefusal::BelowFloor {
                what: self.what(),
                version,
                lowest: self.lowest,
                serial: self.serial,
            }),
            false => Ok(()),
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(bytes)
    }
}
