//! The newest policy that a host has seen: older ones are refused.

use std::io;
use std::path::{Path, PathBuf};

use edgec_artifact::Sha256Digest;
use edgec_files::{GuardError, PrivateError, lock_private, read_guarded, replace_private, way};
use serde::{Deserialize, Serialize};

use crate::TrustPolicy;

/// What a policy was compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Seen {
    /// Nothing: it is the first that this host has seen.
    First,
    /// The newest policy that this host had seen, which is not newer.
    Newest,
}

/// What a host remembers of the newest policy that it has seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Memory {
    name: String,
    version: u64,
    sha256: Sha256Digest,
}

/// Why a policy is not followed, or could not be remembered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyStateError {
    /// The policy has no version that could be compared.
    #[error("the trust policy states no version, which could be compared with the newest one seen")]
    NoVersion,
    /// An older policy than the newest one seen.
    #[error("version {found} of the trust policy is older than {seen}, which this host has seen")]
    Older {
        /// The policy's version.
        found: u64,
        /// The newest version seen.
        seen: u64,
    },
    /// Another policy under the version that was seen.
    #[error("version {version} of the trust policy is another one than this host has seen")]
    Changed {
        /// The version of both.
        version: u64,
    },
    /// A policy of another name.
    #[error("the trust policy is named `{found}`, this host has seen `{seen}`")]
    OtherName {
        /// The policy's name.
        found: String,
        /// The name of the policy seen.
        seen: String,
    },
    /// What was remembered cannot be read any more.
    #[error("the file that remembers the newest trust policy is damaged: {0}")]
    Damaged(String),
    /// Others can have changed what was remembered.
    #[error("the file that remembers the newest trust policy, `{}`", path.display())]
    Guard {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: GuardError,
    },
    /// A file that is not this user's own lies under the name of the lock, or of the file's next
    /// content. It is neither waited for nor written to.
    #[error("`{}`, beside the file that remembers the newest trust policy", path.display())]
    Beside {
        /// The file beside it.
        path: PathBuf,
        /// What is wrong with it.
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

    /// The error of a file that only its owner should be able to open.
    fn private(path: &Path, error: PrivateError) -> Self {
        match error {
            PrivateError::Io(error) => Self::io(path, error),
            PrivateError::NotOurs { path, source } => Self::Beside { path, source },
            error => Self::io(path, io::Error::other(error)),
        }
    }
}

/// The newest policy that a process has followed. [`remember`] does the same in a file, beyond the
/// life of the process.
#[derive(Debug, Default)]
pub struct NewestPolicy(Option<Memory>);

impl NewestPolicy {
    /// Compares a policy with the newest one that was followed, and follows it unless it is older.
    /// A policy without a version is followed only until a policy with a version was.
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

/// Compares a policy with the newest one that `path` remembers, and remembers it when it is
/// newer. The folder must exist, and no other user but root may be able to change it or one above
/// it. `<path>.lock` is created beside the file, so that of two processes the older policy never
/// wins.
///
/// # Errors
///
/// [`PolicyStateError`]; the file is then as it was.
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

/// Under the lock.
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
