//! What comes of a refresh.

use std::time::Duration;

use crate::LoadError;
use crate::distrust::Distrusted;
use crate::policy_source::PolicySourceError;

/// What came of a [`Deployment::refresh`](super::Deployment::refresh).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refreshed {
    /// There is nothing new, and the policy accepts the version in use.
    Unchanged,
    /// Another artifact is in use now, or the same from a good file, after its own may have been
    /// changed ([`Distrust::Exposed`](super::Distrust::Exposed)).
    Replaced {
        /// The version that was in use before.
        from: u64,
        /// The version that is.
        to: u64,
    },
}

/// Why a [`Deployment::refresh`](super::Deployment::refresh) brought nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshError {
    /// The new artifact cannot be loaded. The version in use is trusted, and stays.
    #[error("the store's current version was not loaded")]
    Kept(#[source] LoadError),
    /// The policy cannot be read, and the grace time that the host named has not passed yet
    /// ([`Deployment::refresh_within`](super::Deployment::refresh_within)). The version in use is
    /// still trusted by the policy that was read last, and stays.
    #[error("there is no trust policy to read; what was read last holds for {left:?} more")]
    Unread {
        /// Why the policy cannot be read.
        source: PolicySourceError,
        /// What is left of the grace time.
        left: Duration,
    },
    /// The version in use is not trusted any more, and requests do not get it.
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
