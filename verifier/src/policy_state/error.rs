//! Why a policy cannot follow the newest one, or cannot be remembered.

use std::io;
use std::path::{Path, PathBuf};

use edgec_files::{GuardError, PrivateError};

use crate::clock_floor::ClockBehind;

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
    /// Too few root keys of the newest policy seen have signed this one.
    #[error(
        "{accepted} of {threshold} required signatures by the root keys of the newest policy that \
         this host has seen are valid on the trust policy"
    )]
    Roots {
        /// The number of different root keys that have signed it.
        accepted: usize,
        /// The number that is required.
        threshold: usize,
    },
    /// The policy states no expiry, and the newest one seen demands that policies expire.
    #[error("the trust policy does not expire, and the one that this host has seen demands it")]
    NoExpiry,
    /// The clock shows a time that has passed.
    #[error(transparent)]
    Clock(#[from] ClockBehind),
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
            Self::Roots { .. } => "policy-root",
            Self::Clock(_) => "clock-behind",
            Self::NoExpiry => "policy-expiry",
            _ => "policy-rollback",
        }
    }

    pub(super) fn io(path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Io {
            path: path.to_owned(),
            source: source.into(),
        }
    }

    pub(super) fn guard(path: &Path, source: GuardError) -> Self {
        let path = path.to_owned();
        Self::Guard { path, source }
    }

    /// The error about a file that only its owner should be able to open.
    pub(super) fn private(path: &Path, error: PrivateError) -> Self {
        match error {
            PrivateError::Io(error) => Self::io(path, error),
            PrivateError::NotOurs { path, source } => Self::Beside { path, source },
            error => Self::io(path, io::Error::other(error)),
        }
    }
}
