//! The newest policy that a host has seen, so that it can refuse older ones.

use std::io;
use std::path::{Path, PathBuf};

use edgec_artifact::Sha256Digest;
use edgec_files::{GuardError, PrivateError, lock_private, read_guarded, replace_private, way};
use serde::{Deserialize, Serialize};

use crate::TrustPolicy;

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
}

/// Why a policy is refused, or cannot be remembered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyStateError {
    /// The policy has no version to compare.
    #[error(
        "the trust policy states no version, so it cannot be compared with the newest one seen"
    )]
    NoVersion,
    /// The policy is older than the newest one seen.
    #[error("version {found} of the trust policy is older than {seen}, which this host has seen")]
    Older {
        /// The policy's version.
        found: u64,
        /// The newest version seen.
        seen: u64,
    },
    /// The policy differs from the newest one seen, which has the same version.
    #[error("version {version} of the trust policy differs from the one that this host has seen")]
    Changed {
        /// The version of both.
        version: u64,
    },
    /// The policy has another name.
    #[error("the trust policy is named `{found}`, this host has seen `{seen}`")]
    OtherName {
        /// The policy's name.
        found: String,
        /// The name of the policy seen.
        seen: String,
    },
    /// The remembered facts cannot be read.
    #[error("the file that remembers the newest trust policy is damaged: {0}")]
    Damaged(String),
    /// Other users could have changed the remembered facts.
    #[error("the file that remembers the newest trust policy, `{}`", path.display())]
    Guard {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: GuardError,
    },
    /// A file of another user has the name of the lock, or of the file's next content. edgec
    /// neither waits for it nor writes to it.
    #[error("`{}`, beside the file that remembers the newest trust policy", path.display())]
    Beside {
        /// The file beside it.
        path: PathBuf,
        /// What is wrong with that file.
        source: GuardError,
    },
    /// The file cannot be read or written.
    #[error("cannot remember the newest trust policy in `{}`", path.display())]
    Io {
        /// The file, or the lock beside it.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl PolicyStateError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "io",
            Self::Guard { source, .. } => source.code(),
            Self::Damaged(_) => "policy-state",
            Self::Beside { .. } => "policy-state-file",
            _ => "policy-rollback",
        }
    }

    fn io(path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Io {
            path: path.to_owned(),
            source: source.into(),
        }
    }

    fn guard(path: &Path, source: GuardError) -> Self {
        let path = path.to_owned();
        Self::Guard { path, source }
    }

    /// The error about a file that only its owner should be able to open.
    fn private(path: &Path, error: PrivateError) -> Self {
        match error {
            PrivateError::Io(error) => Self::io(path, error),
            PrivateError::NotOurs { path, source } => Self::Beside { path, source },
            error => Self::io(path, io::Error::other(error)),
        }
    }
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
        if let Some(seen) = self.0.as_ref().filter(|seen| **seen != new) {
            seen.allows(&new)?;
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
    let path = path.as_ref();
    let new = Memory::of(policy)?;
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
    match seen {
        Some(seen) if seen == new => Ok(Seen::Newest),
        Some(seen) => {
            seen.allows(&new)?;
            replace(path, &new)?;
            Ok(Seen::Newest)
        }
        None => {
            replace(path, &new)?;
            Ok(Seen::First)
        }
    }
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
        })
    }

    fn allows(&self, new: &Self) -> Result<(), PolicyStateError> {
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
