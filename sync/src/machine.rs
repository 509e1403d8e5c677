//! What a host does next with an application. It decides from what it knows, from the clock and
//! from what other hosts say. It does nothing itself, so that every path can be tested.
//!
//! ```text
//!           newer release             its turn             admitted          gate passed
//!   healthy ────────────▶ waiting ──────────▶ admitting ─────────▶ watching ───────────▶ healthy
//!                            ▲                                        │ gate failed
//!                            │ newer release                          ▼
//!                            └──────────────── went back ◀─────── going back
//! ```

use std::time::Duration;

use edgec_artifact::UnixTime;

use crate::config::First;
use crate::state::{Bad, End, Healthy, Known, Newest, ReleaseId, Stage, Trial};
use crate::watch::Sighting;

/// How many times a host may start while it watches a release.
const MOST_STARTS: u32 = 5;

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

/// What a host does next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Next {
    /// Nothing: it has the newest release, or knows none.
    Nothing,
    /// It waits for its turn.
    Wait(Wait),
    /// It admits the newest release.
    Admit,
    /// It lets the gate judge the release of the trial.
    Watch,
    /// It goes back to the version before.
    GoBack,
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
    /// A watched host went back from the release. Only a newer one ends this.
    Stopped {
        /// The host.
        host: String,
        /// Why it went back.
        reason: String,
    },
}

/// What a look at a registry brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Observed {
    /// A release that this host had not seen.
    New,
    /// The newest release that it knows, perhaps with a newer timestamp.
    Same,
}

/// Why a release is not a newer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObserveError {
    /// It is older than one that this host has seen.
    #[error("it offers release {found}, and this host has seen release {seen}")]
    Older {
        /// The serial of the release.
        found: u64,
        /// The serial of the newest one.
        seen: u64,
    },
    /// Another release has the same serial.
    #[error("it offers another release {serial} than this host has seen")]
    SameSerial {
        /// The serial of both.
        serial: u64,
    },
}

impl Known {
    /// Takes notice of a verified release. `issued` is when its timestamp was issued.
    ///
    /// # Errors
    ///
    /// [`ObserveError`]. Then nothing has changed.
    pub fn observe(
        &mut self,
        release: ReleaseId,
        issued: Option<UnixTime>,
        now: UnixTime,
    ) -> Result<Observed, ObserveError> {
        if let Some(newest) = &mut self.newest {
            let (found, seen) = (release.serial, newest.release.serial);
            if found < seen {
                return Err(ObserveError::Older { found, seen });
            }
            if found == seen && release.digest != newest.release.digest {
                return Err(ObserveError::SameSerial { serial: found });
            }
            if found == seen {
                newest.issued = newest.issued.into_iter().chain(issued).min();
                // The clock was ahead when the release was seen first.
                newest.first_seen = newest.first_seen.min(now);
                return Ok(Observed::Same);
            }
        }
        self.newest = Some(Newest {
            release,
            first_seen: now,
            issued,
        });
        Ok(Observed::New)
    }

    /// What this host does next.
    #[must_use]
    pub fn next(&self, plan: &Plan, now: UnixTime) -> Next {
        if let Some(Trial {
            stage: Stage::GoingBack { .. },
            ..
        }) = &self.trial
        {
            return Next::GoBack;
        }
        let wanted = self.wanted().map(|newest| turn(newest, plan, self, now));
        match (wanted, &self.trial) {
            (Some(None), _) => Next::Admit,
            // It began to be admitted, so its turn had come.
            (_, Some(trial)) if self.is_to_be_admitted(trial) => Next::Admit,
            (_, Some(_)) => Next::Watch,
            (Some(Some(wait)), None) => Next::Wait(wait),
            (None, None) => Next::Nothing,
        }
    }

    /// The newest release, if it is neither tried, nor healthy, nor bad.
    #[must_use]
    pub fn wanted(&self) -> Option<&Newest> {
        let newest = self.newest.as_ref()?;
        let digest = newest.release.digest;
        let is = |release: Option<&ReleaseId>| release.is_some_and(|it| it.digest == digest);
        let is_known = is(self.trial.as_ref().map(|it| &it.release))
            || is(self.healthy.as_ref().map(|it| &it.release))
            || is(self.bad.as_ref().map(|it| &it.release));
        (!is_known).then_some(newest)
    }

    /// Whether the store has taken the newest release, so that it needs newer timestamps about it.
    #[must_use]
    pub fn has_taken_newest(&self) -> bool {
        self.newest.is_some()
            && self.wanted().is_none()
            && !matches!(&self.trial, Some(trial) if trial.stage == Stage::Admitting)
    }

    /// Begins to admit the newest release. `current` is the version that the store has current.
    /// Returns whether there was one to begin with.
    pub fn begin(&mut self, current: Option<u64>) -> bool {
        let Some(newest) = &self.newest else {
            return false;
        };
        let release = newest.release;
        let before = match self.trial.take() {
            // A release that was not judged is nothing to go back to.
            Some(trial) => trial.before,
            None => current,
        };
        // Nor is one that was bad, and stayed because there was nothing else.
        let bad = self.bad.as_ref().map(|it| it.release.version);
        let before = before.filter(|it| *it != release.version && Some(*it) != bad);
        self.trial = Some(Trial {
            release,
            before,
            stage: Stage::Admitting,
            starts: 0,
        });
        true
    }

    /// The store has the release of the trial.
    pub fn admitted(&mut self) {
        self.stage(Stage::Watching);
    }

    /// The gate begins to watch the release of the trial, for the first time or after a restart.
    /// Returns whether it should: a release that ends its host again and again would never be
    /// judged otherwise.
    pub fn watch(&mut self) -> bool {
        let Some(trial) = &mut self.trial else {
            return true;
        };
        trial.starts = trial.starts.saturating_add(1);
        if trial.starts <= MOST_STARTS {
            return true;
        }
        let times = trial.starts.saturating_sub(1);
        let reason = format!("this host was started {times} times while the release was watched");
        self.refused(reason);
        false
    }

    /// The gate has passed the release of the trial.
    pub fn passed(&mut self, now: UnixTime) {
        if let Some(trial) = self.trial.take() {
            self.healthy = Some(Healthy {
                release: trial.release,
                since: now,
                before: trial.before,
            });
            // It is older, and what it says about the store is no longer true.
            self.bad = None;
        }
    }

    /// The gate has refused the release of the trial.
    pub fn refused(&mut self, reason: String) {
        self.stage(Stage::GoingBack { reason });
    }

    /// The host went back from the release of the trial, or could not.
    pub fn ended(&mut self, end: End, now: UnixTime) {
        if let Some(trial) = self.trial.take() {
            let reason = match trial.stage {
                Stage::GoingBack { reason } => reason,
                _ => String::new(),
            };
            self.bad = Some(Bad {
                release: trial.release,
                at: now,
                reason,
                end,
            });
        }
    }

    /// After a start: a trial of an older release may have been admitted or not, and cannot be
    /// admitted again once the registry has a newer one. `current` is the version that the store
    /// has current. Returns whether anything has changed.
    pub fn recover(&mut self, current: Option<u64>) -> bool {
        let Some(trial) = &self.trial else {
            return false;
        };
        if trial.stage != Stage::Admitting || self.is_to_be_admitted(trial) {
            return false;
        }
        match current == Some(trial.release.version) {
            true => self.stage(Stage::Watching),
            false => self.trial = None,
        }
        true
    }

    /// Whether this host itself chose the version that the store has current, by going back to it.
    #[must_use]
    pub fn chose(&self, version: u64) -> bool {
        let bad = self.bad.as_ref();
        bad.is_some_and(|bad| bad.end == End::WentBack(version))
    }

    fn is_to_be_admitted(&self, trial: &Trial) -> bool {
        let newest = self.newest.as_ref().map(|it| it.release.digest);
        trial.stage == Stage::Admitting && newest == Some(trial.release.digest)
    }

    fn stage(&mut self, stage: Stage) {
        if let Some(trial) = &mut self.trial {
            trial.stage = stage;
        }
    }
}

/// Why it is not yet this host's turn to take the newest release. `None`: it is.
fn turn(newest: &Newest, plan: &Plan, known: &Known, now: UnixTime) -> Option<Wait> {
    if plan.current.is_none() && plan.first == First::AtOnce {
        return None;
    }
    // The store has this version already, from an init container or by hand.
    if known.healthy.is_none() && plan.current == Some(newest.release.version) {
        return None;
    }
    // Wherever that host is: it tried the release, and it was bad.
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

#[cfg(test)]
mod tests;
