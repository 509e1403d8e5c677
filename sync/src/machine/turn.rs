//! Whose turn it is: when the wave of a host begins, and whether other hosts hold it back.

use std::time::Duration;

use edgec_artifact::UnixTime;

use crate::config::First;
use crate::state::{Known, Newest};
use crate::watch::Sighting;

/// What decides when it is a host's turn.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Plan {
    /// The wave of this host for the newest release, from 0.
    pub wave: usize,
    /// How long after the release began the wave begins: the pauses of the waves before.
    pub opens: Duration,
    /// When a host without a version takes its first one.
    pub first: First,
    /// The version that the store has current.
    pub current: Option<u64>,
    /// The watched hosts, and what each said about the newest release.
    pub watched: Vec<Watched>,
}

/// A watched host.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Watched {
    /// Its name.
    pub host: String,
    /// Its wave for the newest release.
    pub wave: usize,
    /// How long after the time of its own wave this host waits for it. `None`: forever.
    pub patience: Option<Duration>,
    /// What it said.
    pub sighting: Sighting,
}

impl Watched {
    /// A watched host.
    #[must_use]
    pub fn new(host: &str, wave: usize, patience: Option<Duration>, sighting: Sighting) -> Self {
        Self {
            host: host.to_owned(),
            wave,
            patience,
            sighting,
        }
    }
}

/// Why a host waits for its turn.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wait {
    /// Its wave begins at this time.
    Until(UnixTime),
    /// A watched host has not said yet that the release is healthy.
    For {
        /// The host.
        host: String,
        /// What it said instead.
        said: String,
    },
    /// A watched host went back from the release. A newer release ends this, or an operator who
    /// takes back the verdict of that host.
    Stopped {
        /// The host.
        host: String,
        /// Why it went back.
        reason: String,
    },
}

/// Why it is not yet this host's turn to take the newest release. `None`: it is.
pub(super) fn turn(newest: &Newest, plan: &Plan, known: &Known, now: UnixTime) -> Option<Wait> {
    if plan.current.is_none() && plan.first == First::AtOnce {
        return None;
    }
    // The store has this version already, from an init container or by hand.
    if known.healthy.is_none() && plan.current == Some(newest.release.version) {
        return None;
    }
    // The wave of that host does not matter: it tried the release, which was bad.
    for watched in &plan.watched {
        if let Sighting::WentBack(reason) = &watched.sighting {
            return Some(Wait::Stopped {
                host: watched.host.clone(),
                reason: reason.clone(),
            });
        }
    }
    let opens = newest.opens(plan.opens, now);
    if now < opens {
        return Some(Wait::Until(opens));
    }
    for watched in plan.watched.iter().filter(|it| it.wave < plan.wave) {
        let said = match &watched.sighting {
            Sighting::Healthy | Sighting::WentBack(_) => continue,
            Sighting::NotYet(said) | Sighting::Silent(said) => said,
        };
        let gives_up = watched
            .patience
            .map(|patience| opens.checked_add(patience).unwrap_or(UnixTime::MAX));
        if gives_up.is_none_or(|end| now < end) {
            return Some(Wait::For {
                host: watched.host.clone(),
                said: said.clone(),
            });
        }
    }
    None
}

impl Newest {
    /// When the release began, for the pauses of the waves: when this host saw it first, or
    /// earlier, if a signed timestamp proves that it was published earlier. So a host that was off
    /// for a day does not wait again for waves that are over. A later timestamp of the same release
    /// delays nothing.
    #[must_use]
    pub fn began(&self) -> UnixTime {
        match self.issued {
            Some(issued) => issued.min(self.first_seen),
            None => self.first_seen,
        }
    }

    /// When the wave begins that comes so long after the release began.
    #[must_use]
    pub fn opens(&self, after: Duration, now: UnixTime) -> UnixTime {
        // The clock was set back since: this must not delay a release for years.
        let began = self.began().min(now);
        began.checked_add(after).unwrap_or(UnixTime::MAX)
    }
}
