//! The results of a refresh.

use std::time::Duration;

use crate::LoadError;
use crate::distrust::Distrusted;
use crate::policy_source::PolicySourceError;

/// The result of a [`Deployment::refresh`](super::Deployment::refresh).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refreshed {
    /// Nothing is new, and the policy accepts the version in use.
    Unchanged,
    /// Another artifact is in use now. It can also be the same artifact from a good file, after its
    /// own file may have been changed ([`Distrust::Exposed`](super::Distrust::Exposed)).
    Replaced {
        /// The version that was in use before.
        from: u64,
        /// The version that is in use now.
        to: u64,
    },
}

/// Why a [`Deployment::refresh`](super::Deployment::refresh) did not complete.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshError {
    /// The new artifact cannot be loaded. The version in use is trusted, and stays in use.
    #[error("the store's current version was not loaded")]
    Kept(#[source] LoadError),
    /// The policy cannot be read, and the host's grace time has not passed yet
    /// ([`Deployment::refresh_within`](super::Deployment::refresh_within)). The last policy still
    /// trusts the version in use, so it stays in use.
    #[error("the trust policy cannot be read; the last one holds for {left:?} more")]
    Unread {
        /// Why the policy cannot be read.
        source: PolicySourceError,
        /// The remaining grace time.
        left: Duration,
    },
    /// The version in use is no longer trusted, and requests do not get it.
    #[error(transparent)]
    Distrusted(Distrusted),
}

impl RefreshError {
    /// A short name for the reason that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Kept(reason) => reason.code(),
            Self::Unread { source, .. } => source.code(),
            Self::Distrusted(distrusted) => distrusted.code(),
        }
    }
}
