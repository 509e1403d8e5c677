//! The newest policy that a host has seen, so that it can refuse older ones.

mod error;

use std::io;
use std::path::{Path, PathBuf};

use edgec_artifact::{KeyError, Sha256Digest, SignerKeys, UnixTime};
use edgec_files::{GuardError, lock_private, read_guarded, replace_private, way};
use serde::{Deserialize, Serialize};

pub use self::error::PolicyStateError;
use crate::TrustPolicy;
use crate::clock_floor::ClockFloor;
use crate::policy_file::{PolicyFileError, RootsOf, enough};
use crate::role::Role;
use crate::trusted_key::TrustedKey;

/// The result of comparing a policy with the newest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Seen {
    /// There was nothing to compare: it is the first policy that this host has seen.
    First,
    /// This host had seen a policy before, and that one is not newer.
    Newest,
}

/// The facts that a host remembers about the newest policy that it has seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Memory {
    name: String,
    version: u64,
    sha256: Sha256Digest,
    /// The root keys, of which enough must have signed the next edition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    roots: Option<Roots>,
    /// Whether the next edition must state when it expires.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    expires: bool,
    /// The floor of the clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clock: Option<ClockFloor>,
}

/// Roots, and how many of them must sign. Of each, the keys in PEM that it must sign with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Roots {
    threshold: usize,
    keys: Vec<String>,
}

/// The newest policy that a process has followed. [`remember`] keeps the same facts in a file,
/// which outlives the process.
#[derive(Debug, Default)]
pub struct NewestPolicy(Option<Memory>);

impl NewestPolicy {
    /// Compares a policy with the newest one that was followed, and follows it unless it is older.
    /// A policy without a version is accepted only until a policy with a version was followed.
    ///
    /// # Errors
    /// [`PolicyStateError`], except the errors about a file.
    pub fn follow(&mut self, policy: &TrustPolicy) -> Result<(), PolicyStateError> {
        let new = match Memory::of(policy) {
            Err(_) if self.0.is_none() => return Ok(()),
            new => new?,
        };
        if let Some(seen) = self.0.as_ref().filter(|seen| !seen.is_same(&new)) {
            seen.allows(&new, policy)?;
        }
        self.0 = Some(new);
        Ok(())
    }
}

/// Compares a policy with the newest one that `path` remembers, and remembers it if it is newer.
/// The folder must exist. No user except this one and root may be able to change it or a folder
/// above it. `<path>.lock` is created beside the file, so that the older policy never wins between
/// two processes.
///
/// # Errors
///
/// [`PolicyStateError`]. Then the file has not changed.
pub fn remember(path: impl AsRef<Path>, policy: &TrustPolicy) -> Result<Seen, PolicyStateError> {
    let mut new = Memory::of(policy)?;
    locked(path.as_ref(), |path, seen| match seen {
        Some(seen) if seen.is_same(&new) => Ok(Seen::Newest),
        Some(seen) => {
            seen.allows(&new, policy)?;
            new.clock = seen.clock;
            replace(path, &new)?;
            Ok(Seen::Newest)
        }
        None => {
            replace(path, &new)?;
            Ok(Seen::First)
        }
    })
}

/// Compares a clock with the floor that `path` remembers beside the newest policy ([`remember`]),
/// and raises the floor to the times at which accepted statements were issued. A root's order in
/// the policy sets the floor again first. If nothing is remembered yet, this does nothing.
///
/// # Errors
///
/// [`PolicyStateError`]. Then the file has not changed.
pub fn remember_time(
    path: impl AsRef<Path>,
    policy: &TrustPolicy,
    now: UnixTime,
    issued: impl IntoIterator<Item = UnixTime>,
) -> Result<(), PolicyStateError> {
    locked(path.as_ref(), |path, seen| {
        let Some(mut seen) = seen else {
            return Ok(());
        };
        let mut floor = seen.clock.unwrap_or_default();
        let before = floor;
        if let Some(reset) = policy.clock_reset() {
            floor.follow(reset);
        }
        floor.check(now)?;
        for issued in issued {
            floor.raise(issued, now);
        }
        if floor != before {
            seen.clock = Some(floor);
            replace(path, &seen)?;
        }
        Ok(())
    })
}

/// Does `change` with the file's place and content, while no other process changes it.
fn locked<T>(
    path: &Path,
    change: impl FnOnce(&Path, Option<Memory>) -> Result<T, PolicyStateError>,
) -> Result<T, PolicyStateError> {
    let place = way::place(path).map_err(|error| match GuardError::from(error) {
        GuardError::Io(error) => PolicyStateError::io(path, error),
        error => PolicyStateError::guard(path, error),
    });
    let path = &place?;
    let lock = beside(path, "lock");
    let _lock = lock_private(&lock).map_err(|error| PolicyStateError::private(&lock, error))?;
    let seen: Option<Memory> = match read_guarded(path) {
        Ok(bytes) => Some(
            serde_json::from_slice(&bytes)
                .map_err(|error| PolicyStateError::Damaged(error.to_string()))?,
        ),
        Err(GuardError::Io(error)) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(PolicyStateError::guard(path, error)),
    };
    change(path, seen)
}

impl Memory {
    fn of(policy: &TrustPolicy) -> Result<Self, PolicyStateError> {
        let (Some(name), Some(version)) = (policy.name(), policy.version()) else {
            return Err(PolicyStateError::NoVersion);
        };
        Ok(Self {
            name: name.to_owned(),
            version,
            sha256: policy.digest(),
            roots: policy.demanded(Role::Root).map(|threshold| Roots {
                threshold,
                keys: policy.roots().map(TrustedKey::required_pem).collect(),
            }),
            expires: policy.demands_expiry_of_policies(),
            clock: None,
        })
    }

    /// Whether both are of the same edition.
    fn is_same(&self, other: &Self) -> bool {
        (&self.name, self.version, self.sha256) == (&other.name, other.version, other.sha256)
    }

    /// Whether `policy`, of which `new` are the facts, may follow this one.
    fn allows(&self, new: &Self, policy: &TrustPolicy) -> Result<(), PolicyStateError> {
        self.allows_edition(new)?;
        if self.expires && policy.expires().is_none() {
            return Err(PolicyStateError::NoExpiry);
        }
        match &self.roots {
            Some(roots) => roots.have_signed(policy),
            None => Ok(()),
        }
    }

    fn allows_edition(&self, new: &Self) -> Result<(), PolicyStateError> {
        if self.name != new.name {
            return Err(PolicyStateError::OtherName {
                found: new.name.clone(),
                seen: self.name.clone(),
            });
        }
        match new.version.cmp(&self.version) {
            std::cmp::Ordering::Greater => Ok(()),
            std::cmp::Ordering::Equal => Err(PolicyStateError::Changed {
                version: new.version,
            }),
            std::cmp::Ordering::Less => Err(PolicyStateError::Older {
                found: new.version,
                seen: self.version,
            }),
        }
    }
}

impl Roots {
    fn have_signed(&self, policy: &TrustPolicy) -> Result<(), PolicyStateError> {
        let root = |pem: &String| Ok(TrustedKey::new("root", SignerKeys::from_pem(pem)?));
        let keys: Result<Vec<TrustedKey>, KeyError> = self.keys.iter().map(root).collect();
        let keys = keys.map_err(|error| PolicyStateError::Damaged(error.to_string()))?;
        let threshold = self.threshold;
        let Some(envelope) = &policy.envelope else {
            return Err(PolicyStateError::Roots {
                accepted: 0,
                threshold,
            });
        };
        let signed = enough(envelope, keys.iter(), threshold, RootsOf::Known);
        signed.map(drop).map_err(|error| match error {
            PolicyFileError::Roots {
                accepted,
                threshold,
                ..
            } => PolicyStateError::Roots {
                accepted,
                threshold,
            },
            error => PolicyStateError::Damaged(error.to_string()),
        })
    }
}

/// Replaces the file. The caller holds the lock.
fn replace(path: &Path, new: &Memory) -> Result<(), PolicyStateError> {
    let text = serde_json::to_string(new).map_err(|error| PolicyStateError::io(path, error))?;
    replace_private(path, &beside(path, "new"), text.as_bytes())
        .map_err(|error| PolicyStateError::private(path, error))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}
