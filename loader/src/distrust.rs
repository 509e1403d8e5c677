//! Why a deployment does not serve the version in use.

use std::sync::Arc;
use std::time::Duration;

use edgec_store::StoreError;

use crate::LoadError;
use crate::policy_source::PolicySourceError;

/// The version in use is not trusted, so no request may get it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the version in use is not trusted any more")]
pub struct Distrusted(#[source] Arc<Distrust>);

/// Why the version in use is not trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Distrust {
    /// There is no policy to check it against.
    #[error("there is no trust policy to check it against")]
    NoPolicy(#[source] PolicySourceError),
    /// The policy refuses it: for instance, it was revoked or has expired.
    #[error("the trust policy refuses it")]
    Refused(#[source] LoadError),
    /// The version could not be checked, for instance because its file is gone.
    #[error("it could not be checked")]
    Unjudged(#[source] LoadError),
    /// Users other than the owner and root can change the store or the program's files, or the
    /// image was written after it was loaded.
    #[error("its files in the store may have been changed")]
    Exposed(#[source] StoreError),
    /// No refresh has read a policy for too long, for instance because the thread that refreshes
    /// has ended. See [`Deployment::stale_after`](crate::store::Deployment::stale_after).
    #[error("no refresh has read the trust policy for more than {limit:?}")]
    Stale {
        /// How old the last reading may be.
        limit: Duration,
    },
    /// The last refresh ended in a panic.
    #[error("the last refresh did not finish")]
    Undecided,
}

impl Distrusted {
    pub(crate) fn new(why: Distrust) -> Self {
        Self(Arc::new(why))
    }

    /// The reason.
    pub fn reason(&self) -> &Distrust {
        &self.0
    }

    /// A short name for the reason that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self.reason() {
            Distrust::NoPolicy(error) => error.code(),
            Distrust::Refused(error) | Distrust::Unjudged(error) => error.code(),
            Distrust::Exposed(error) => error.code(),
            Distrust::Stale { .. } => "stale",
            Distrust::Undecided => "undecided",
        }
    }
}
