//! One step of an application: what the machine says, done.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use edgec_store::Standing;

use super::{Follower, Shared};
use crate::config::Period;
use crate::gate::{Subject, Verdict, Watch};
use crate::machine::{Next, Plan, Wait, Watched};
use crate::report::Level;
use crate::source::{Taken, Trouble, Wanted};
use crate::state::{End, Stage};

impl Follower {
    /// Does what there is to do, and returns when there is something again.
    pub(super) fn try_step(&mut self, shared: &Shared, now: Instant) -> Result<Instant, Trouble> {
        // Before anything that can fail, so that the status has it. A store that cannot be read
        // fails below.
        if let Ok(current) = shared.shelf.current(&self.application) {
            self.status.version = current;
        }
        if !self.is_read {
            self.read(shared)?;
        }
        // A host goes back without a look at the registry.
        let goes_back = matches!(
            &self.known.trial,
            Some(trial) if matches!(trial.stage, Stage::GoingBack { .. })
        );
        // A check of the gate does not wait for a registry either, once there was a look.
        let checks = self.status.polls > 0
            && now >= self.next_check
            && matches!(&self.known.trial, Some(trial) if trial.stage == Stage::Watching);
        if !goes_back && !checks && now >= self.next_poll {
            self.tell(shared);
            let looked = self.look(shared, now);
            // A registry that fails does not stop the gate.
            if self
                .known
                .trial
                .as_ref()
                .is_none_or(|it| it.stage == Stage::Admitting)
            {
                looked?;
            } else if let Err(trouble) = looked {
                self.fail(shared, now, &trouble);
            }
        }
        let plan = self.plan(shared)?;
        self.status.waits = None;
        match self.known.next(&plan, Self::now(shared)?) {
            Next::Nothing => Ok(self.next_poll),
            Next::Wait(wait) => Ok(self.wait(shared, now, &wait)),
            Next::Admit => self.admit(shared, now),
            Next::Watch => self.judge(shared, now),
            Next::GoBack => self.go_back(shared, now),
        }
    }

    /// Puts what is known on the board, before work that may take long.
    fn tell(&mut self, shared: &Shared) {
        self.status.know(&self.known);
        shared.board.put(&self.label, &self.status);
    }

    /// Reads what is known, after a start.
    fn read(&mut self, shared: &Shared) -> Result<(), Trouble> {
        let (name, channel) = (&self.config.name, self.config.channel.as_deref());
        let known = shared.state.read(name, channel);
        self.known = known.map_err(|error| super::state_trouble(&error))?;
        self.is_read = true;
        Ok(())
    }

    /// What decides whose turn it is.
    fn plan(&mut self, shared: &Shared) -> Result<Plan, Trouble> {
        let before = self.known.clone();
        let current = shared.shelf.current(&self.application)?;
        if self.known.recover(current) {
            self.keep(shared, &before)?;
        }
        self.status.version = current;
        let rollout = &self.config.rollout;
        let wave = self.wave(&shared.host);
        self.status.wave = wave;
        let pauses = rollout.waves.iter().take(wave).map(|it| it.pause.get());
        let opens = pauses.fold(Duration::ZERO, Duration::saturating_add);
        let mut plan = Plan {
            wave,
            opens,
            first: rollout.first,
            current,
            watched: Vec::new(),
        };
        let now = Self::now(shared)?;
        if let Some(newest) = self.known.wanted().filter(|it| it.opens(opens, now) <= now) {
            let release = newest.release;
            shared.sightings.refresh(&shared.watch);
            let (name, channel) = (&self.config.name, self.config.channel.as_deref());
            for host in shared.watch.iter().filter(|it| it.host != shared.host) {
                let wave = self.wave(&host.host);
                let sighting = shared.sightings.about(host, name, channel, &release);
                let patience = host.patience.map(Period::get);
                plan.watched
                    .push(Watched::new(&host.host, wave, patience, sighting));
            }
        }
        Ok(plan)
    }

    /// Waits for this host's turn. Returns when to look again.
    fn wait(&mut self, shared: &Shared, now: Instant, wait: &Wait) -> Instant {
        let text = match wait {
            Wait::Until(time) => format!("its wave begins at {time}"),
            Wait::For { host, said } => format!("`{host}` of an earlier wave: {said}"),
            Wait::Stopped { host, reason } => {
                format!("`{host}` refused the release: {reason}; publish a newer one")
            }
        };
        if self.last_wait != text {
            let level = match wait {
                Wait::Stopped { .. } => Level::Warn,
                _ => Level::Info,
            };
            shared
                .report
                .line(level, Some(&self.label), &format!("it waits: {text}"));
            self.last_wait.clone_from(&text);
        }
        self.status.waits = Some(text);
        match wait {
            Wait::Until(time) => {
                let seconds = shared
                    .clock
                    .now()
                    .map_or(1, |now| time.seconds().saturating_sub(now.seconds()).max(1));
                // The hosts of a wave do not begin together: a cache fetches what several hosts
                // want at the same moment several times.
                let interval = shared.poll.interval.get();
                let spread = interval.mul_f64(crate::backoff::chance());
                let turn = now.checked_add(Duration::from_secs(seconds) + spread);
                turn.map_or(self.next_poll, |turn| turn.min(self.next_poll))
            }
            _ => self.next_poll.min(now + shared.sightings.period()),
        }
    }

    /// Admits the newest release.
    fn admit(&mut self, shared: &Shared, now: Instant) -> Result<Instant, Trouble> {
        let policy = (shared.policies)()?;
        let taken = self.first_place(shared, now, |follower, place| {
            follower.admit_from(shared, place, &policy)
        })?;
        let Some(taken) = taken else {
            // The reference has moved on. What it names now may have another wave.
            return Ok(now);
        };
        let before = self.known.clone();
        let release = self.known.trial.as_ref().map(|it| it.release);
        let (version, serial) = release.map_or((0, 0), |it| (it.version, it.serial));
        self.status.bytes = self.status.bytes.saturating_add(taken.bytes);
        self.stand(shared, &taken, version)?;
        self.known.admitted();
        self.keep(shared, &before)?;
        self.watch = None;
        let (bytes, count) = (taken.bytes, taken.differences);
        let how = match count {
            0 => String::new(),
            count => format!(" ({count} as difference)"),
        };
        let text = format!("release {serial} (version {version}) is admitted, {bytes} bytes{how}");
        self.info(shared, &text);
        self.status.version = Some(version);
        Ok(now)
    }

    /// Admits the newest release from a place. `None`: the place names another release by now.
    fn admit_from(
        &mut self,
        shared: &Shared,
        place: &str,
        policy: &edgec_verifier::TrustPolicy,
    ) -> Result<Option<Taken>, Trouble> {
        let Some(offer) = shared.source.open(place, None)? else {
            return Err(Trouble::environment("io", "it did not answer"));
        };
        let newest = self.known.newest;
        self.take_notice(shared, &*offer, policy)?;
        if self.known.newest.map(|it| it.release) != newest.map(|it| it.release) {
            return Ok(None);
        }
        let before = self.known.clone();
        let is_begun = matches!(
            (&self.known.trial, &newest),
            (Some(trial), Some(newest))
                if trial.release == newest.release && trial.stage == Stage::Admitting
        );
        if !is_begun {
            let current = shared.shelf.current(&self.application)?;
            self.known.begin(current);
            self.probe.before();
            self.keep(shared, &before)?;
        }
        self.tell(shared);
        let taken = offer.admit(&Wanted {
            policy,
            expected: &self.expected,
            profile: self.config.profile.into(),
        })?;
        Ok(Some(taken))
    }

    /// Sees to it that loads take the version that was admitted.
    pub(super) fn stand(
        &self,
        shared: &Shared,
        taken: &Taken,
        version: u64,
    ) -> Result<(), Trouble> {
        let what = format!("version {version} of `{}`", self.label);
        match &taken.standing {
            None | Some(Standing::Current) => Ok(()),
            // This host itself went back to that version.
            Some(Standing::Chosen { current }) if self.known.chose(*current) => {
                let made = shared.shelf.make_current(&self.application, version)?;
                made.map_err(|why| Trouble::refused("sync-standing", why))
            }
            Some(Standing::Chosen { current }) => Err(Trouble::refused(
                "sync-chosen",
                format!(
                    "{what} is in the store, but version {current} was chosen with `edgec store \
                     use` and stays current: choose {version} with `edgec store use {}{} \
                     --app-version {version}`, and newer releases are followed again",
                    self.config.name,
                    match &self.config.channel {
                        Some(channel) => format!(" --channel {channel}"),
                        None => String::new(),
                    }
                ),
            )),
            Some(Standing::Lacks { current, targets }) => Err(Trouble::refused(
                "sync-lacks",
                format!(
                    "{what} is in the store, but version {current} stays current, because the \
                     store has that one also for {}: remove it with `edgec store rm`, or keep a \
                     store of its own for each kind of host",
                    targets.join(", ")
                ),
            )),
            Some(Standing::Older { current }) => Err(Trouble::refused(
                "sync-lower",
                format!(
                    "{what} is in the store, but the newer version {current} stays current: \
                     remove that one with `edgec store rm`, or publish a higher version"
                ),
            )),
            Some(other) => {
                let text = format!("{what} is not current: {other:?}");
                Err(Trouble::refused("sync-standing", text))
            }
        }
    }

    /// Lets the gate judge the release of the trial.
    fn judge(&mut self, shared: &Shared, now: Instant) -> Result<Instant, Trouble> {
        if self.watch.is_some() && now < self.next_check {
            return Ok(self.next_poll.min(self.next_check));
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
        let watch = self.watch.get_or_insert_with(|| Watch::new(rules, now));
        let reading = self.probe.read(&subject);
        let verdict = watch.take(reading, Instant::now().max(now));
        let before = self.known.clone();
        let (version, serial) = (trial.release.version, trial.release.serial);
        match verdict {
            Verdict::Again => {
                self.next_check = now + self.every;
                return Ok(self.next_poll.min(self.next_check));
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

    /// Goes back to the version before.
    fn go_back(&mut self, shared: &Shared, now: Instant) -> Result<Instant, Trouble> {
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
        Ok(now)
    }

    /// Removes versions that are no longer needed. What fails here is done the next time.
    fn tidy(&self, shared: &Shared) {
        let healthy = self.known.healthy.as_ref();
        let needed = healthy
            .into_iter()
            .flat_map(|it| [Some(it.release.version), it.before]);
        let needed: BTreeSet<u64> = needed.flatten().collect();
        if let Err(trouble) = shared.shelf.tidy(&self.application, &needed, shared.keep) {
            let text = format!("old versions stay for now: {trouble}");
            self.warn(shared, &text);
        }
    }
}
