//! Whether the version in use is trusted, and how long that verdict is valid.

use std::ops::Range;
use std::sync::Arc;

use edgec_verifier::UnixTime;

use crate::HostEngine;
use crate::distrust::{Distrust, Distrusted};
use crate::policy_source::Followed;

/// A verdict: the policy that trusts the program, and the time for which it does.
#[derive(Debug)]
pub(super) struct Trusted {
    pub(super) followed: Followed,
    pub(super) holds: Range<UnixTime>,
}

impl Trusted {
    /// Whether the verdict still holds. As long as the engine's clock does not know the time, it
    /// does not.
    pub(super) fn holds_now(&self, engine: &HostEngine) -> bool {
        engine.now().is_ok_and(|now| self.holds.contains(&now))
    }
}

/// The verdict about the version in use.
#[derive(Clone, Debug)]
pub(super) enum Trust {
    Trusted(Arc<Trusted>),
    Distrusted(Distrusted),
}

impl Trust {
    pub(super) fn trusted(followed: Followed, holds: Range<UnixTime>) -> Self {
        Self::Trusted(Arc::new(Trusted { followed, holds }))
    }

    pub(super) fn distrusted(why: Distrust) -> Self {
        Self::Distrusted(Distrusted::new(why))
    }

    /// Why the version in use is not trusted, if it is not.
    pub(super) fn distrust(&self) -> Option<&Distrusted> {
        match self {
            Self::Trusted(_) => None,
            Self::Distrusted(it) => Some(it),
        }
    }

    /// Whether the version in use is distrusted because its files may have been changed.
    pub(super) fn is_exposed(&self) -> bool {
        match self {
            Self::Trusted(_) => false,
            Self::Distrusted(it) => matches!(it.reason(), Distrust::Exposed(_)),
        }
    }
}
