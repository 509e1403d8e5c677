//! The end of a trial: the gate judges the release, and if it is bad, the host goes back.

use std::collections::BTreeSet;
use std::time::Instant;

use super::{Follower, Shared};
use crate::gate::{Subject, Verdict, Watch};
use crate::report::Level;
use crate::source::Trouble;
use crate::state::{End, Known};

impl Follower {
    /// Lets the gate judge the release of the trial.
    pub(super) fn judge(&mut self, shared: &Shared, now: Instant) -> Result<Instant, Trouble> {
        if self.watch.is_some() && now < self.next_check {
            self.status.waits.clone_from(&self.not_judged);
            return Ok(self.watches_on(shared, now));
        }
        let Some(trial) = self.known.trial.clone() else {
            return Ok(now);
        };
        let subject = Subject {
            name: self.config.name.clone(),
            channel: self.config.channel.clone(),
            label: self.label.clone(),
            version: trial.release.version,
            serial: trial.release.serial,
            host: shared.host.clone(),
        };
        if self.watch.is_none() {
            let before = self.known.clone();
            let watches = self.known.watch();
            self.keep(shared, &before)?;
            if !watches {
                return Ok(now);
            }
        }
        let rules = self.rules;
        let watch = self
            .watch
            .get_or_insert_with(|| Watch::new(rules, trial.answered, now));
        let reading = self.probe.read(&subject);
        let verdict = watch.take(reading, Instant::now().max(now));
        let before = self.known.clone();
        if watch.answered() {
            self.known.answered();
        }
        let (version, serial) = (trial.release.version, trial.release.serial);
        match verdict {
            Verdict::Again => {
                self.not_judged = None;
                return self.check_again(shared, now, &before);
            }
            Verdict::NotJudged(why) => {
                let text = format!("the gate cannot judge it yet: {why}");
                if self.not_judged.is_none() {
                    self.known.not_judged();
                    self.warn(
                        shared,
                        &format!("release {serial} (version {version}): {text}"),
                    );
                }
                self.status.waits = Some(text.clone());
                self.not_judged = Some(text);
                return self.check_again(shared, now, &before);
            }
            Verdict::Passed(note) => {
                self.watch = None;
                self.known.passed(Self::now(shared)?);
                self.keep(shared, &before)?;
                let note = note.map_or_else(String::new, |note| format!(" ({note})"));
                let text = format!("release {serial} (version {version}) is healthy{note}");
                self.info(shared, &text);
                self.tidy(shared);
            }
            Verdict::Failed(reason) => {
                self.watch = None;
                let text = format!("release {serial} (version {version}) is bad: {reason}");
                shared.report.line(Level::Error, Some(&self.label), &text);
                self.known.refused(reason);
                self.keep(shared, &before)?;
            }
        }
        Ok(now)
    }

    /// Watches on. Returns when to look again.
    fn check_again(
        &mut self,
        shared: &Shared,
        now: Instant,
        before: &Known,
    ) -> Result<Instant, Trouble> {
        self.keep(shared, before)?;
        self.next_check = now + self.every;
        Ok(self.watches_on(shared, now))
    }

    /// When there is something to do again while the gate watches.
    fn watches_on(&self, shared: &Shared, now: Instant) -> Instant {
        match self.looks_while_it_watches(shared, now) {
            true => self.next_poll.min(self.next_check),
            false => self.next_check,
        }
    }

    /// Goes back to the version before.
    pub(super) fn go_back(&mut self, shared: &Shared, now: Instant) -> Result<Instant, Trouble> {
        let Some(trial) = self.known.trial.clone() else {
            return Ok(now);
        };
        let end = match trial.before {
            None => End::Stays {
                why: "the store has no other version to go back to".to_owned(),
            },
            Some(before) => match shared.shelf.make_current(&self.application, before)? {
                Ok(()) => End::WentBack(before),
                Err(why) => End::Stays { why },
            },
        };
        let version = trial.release.version;
        let (level, text) = match &end {
            End::WentBack(before) => {
                self.status.version = Some(*before);
                (
                    Level::Warn,
                    format!("it went back from version {version} to {before}"),
                )
            }
            End::Stays { why } => (
                Level::Error,
                format!("version {version} stays current, although it is bad: {why}"),
            ),
        };
        let before = self.known.clone();
        self.known.ended(end, Self::now(shared)?);
        self.keep(shared, &before)?;
        shared.report.line(level, Some(&self.label), &text);
        self.tidy(shared);
        Ok(now)
    }

    /// Removes versions that are no longer needed, and what was cut off. What fails here is done
    /// the next time.
    fn tidy(&self, shared: &Shared) {
        let healthy = self.known.healthy.iter();
        let healthy = healthy.flat_map(|it| [Some(it.release.version), it.before]);
        // The version that is current.
        let bad = self.known.bad.iter().map(|it| match it.end {
            End::WentBack(version) => Some(version),
            End::Stays { .. } => Some(it.release.version),
        });
        let needed: BTreeSet<u64> = healthy.chain(bad).flatten().collect();
        if let Err(trouble) = shared.shelf.tidy(&self.application, &needed, shared.keep) {
            let text = format!("old versions stay for now: {trouble}");
            self.warn(shared, &text);
        }
    }
}
