//! What a host does next with an application. It decides from what it knows, from the clock and
//! from what other hosts say. It does nothing itself, so that every path can be tested.
//!
//! ```text
//!           newer release             its turn             admitted          gate passed
//!   healthy ────────────▶ waiting ──────────▶ admitting ─────────▶ watching ───────────▶ healthy
//!                            ▲                                        │ gate failed
//!                            │ newer release, or an order to retry    ▼
//!                            └──────────────── went back ◀─────── going back
//! ```

mod turn;

use edgec_artifact::{Sha256Digest, UnixTime};

pub use self::turn::{Plan, Wait, Watched};
use crate::state::{Bad, End, Forgiven, Healthy, Known, Newest, ReleaseId, Stage, Trial};

/// How many times a host may start while it watches a release.
const MOST_STARTS: u32 = 5;

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
        let wanted = self
            .wanted()
            .map(|newest| turn::turn(newest, plan, self, now));
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
        let is_bad = |it: &u64| self.not_passed().any(|bad| bad.release.version == *it);
        let before = before.filter(|it| *it != release.version && !is_bad(it));
        self.trial = Some(Trial {
            release,
            before,
            stage: Stage::Admitting,
            starts: 0,
            answered: false,
        });
        true
    }

    /// The store has the release of the trial.
    pub fn admitted(&mut self) {
        self.stage(Stage::Watching);
    }

    /// The host that serves has answered. From now on, its silence counts against the release.
    pub fn answered(&mut self) {
        if let Some(trial) = &mut self.trial {
            trial.answered = true;
        }
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

    /// The host never answered, so the last start of the gate says nothing about the release.
    pub fn not_judged(&mut self) {
        if let Some(trial) = &mut self.trial {
            trial.starts = trial.starts.saturating_sub(1);
        }
    }

    /// The gate has passed the release of the trial.
    pub fn passed(&mut self, now: UnixTime) {
        if let Some(trial) = self.trial.take() {
            let digest = trial.release.digest;
            self.forgiven
                .take_if(|it| it.verdict.release.digest != digest);
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
            self.forgiven = None;
            self.bad = Some(Bad {
                release: trial.release,
                at: now,
                reason,
                end,
            });
        }
    }

    /// Takes back the verdict about the release with this digest: it is tried again, in its turn.
    /// Returns whether the newest release has this digest, and was bad.
    pub fn forgive(&mut self, digest: Sha256Digest, now: UnixTime) -> bool {
        let is_newest = self.newest.is_some_and(|it| it.release.digest == digest);
        let verdict = self
            .bad
            .take_if(|it| is_newest && it.release.digest == digest);
        let Some(verdict) = verdict else {
            return false;
        };
        self.forgiven = Some(Forgiven { verdict, at: now });
        true
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
        self.not_passed().any(|it| it.end == End::WentBack(version))
    }

    /// The verdicts about releases that have not passed their gate since.
    fn not_passed(&self) -> impl Iterator<Item = &Bad> {
        let healthy = self.healthy.as_ref().map(|it| it.release.digest);
        let forgiven = self.forgiven.iter().map(|it| &it.verdict);
        let forgiven = forgiven.filter(move |it| healthy != Some(it.release.digest));
        self.bad.iter().chain(forgiven)
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

#[cfg(test)]
mod tests;
