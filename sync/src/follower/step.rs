//! One step of an application: what the machine says, done.

use std::time::{Duration, Instant};

use edgec_store::Standing;
use edgec_verifier::{UnixTime, error_chain};

use super::{Follower, Missed, Shared};
use crate::config::Period;
use crate::machine::{Next, Plan, Wait, Watched};
use crate::report::Level;
use crate::source::{Taken, Trouble, Wanted};
use crate::state::{Stage, StateError};

/// For so long, the gate watches a release without a look at the registry. Most gates have judged
/// by then. One that takes longer must not hide newer releases and timestamps: the time is short
/// against that for which timestamps hold.
const UNDISTURBED: Duration = Duration::from_secs(600);

impl Follower {
    /// Does what there is to do, and returns when there is something again.
    pub(super) fn try_step(&mut self, shared: &Shared, now: Instant) -> Result<Instant, Missed> {
        // Before anything that can fail, so that the status has it. A store that cannot be read
        // fails below.
        if let Ok(current) = shared.shelf.current(&self.application) {
            self.status.version = current;
        }
        if !self.is_read {
            self.read(shared)?;
        }
        // A release on trial is not bad, so there is nothing to forgive. An order that cannot be
        // read does not keep the gate from its work.
        if self.known.trial.is_none() {
            self.obey(shared)?;
        }
        self.status.wave = self.wave(&shared.host);
        // Neither the gate nor the way back waits for a registry.
        if self.judges(shared, now) {
            self.status.waits = None;
            return Ok(self.judge(shared, now)?);
        }
        let stage = self.known.trial.as_ref().map(|it| &it.stage);
        if let Some(Stage::GoingBack { .. }) = stage {
            self.status.waits = None;
            return Ok(self.go_back(shared, now)?);
        }
        if now >= self.next_poll {
            self.tell(shared);
            match (self.look(shared, now), self.is_watching()) {
                // A registry that fails does not stop the gate.
                (Err(Missed::Trouble(trouble)), true) => {
                    self.fail(shared, now, &trouble);
                }
                (Err(Missed::Silent(_, until)), true) => self.next_poll = until,
                (Err(Missed::Busy(_)), true) => self.next_poll = now + Self::pause(shared, 0),
                (looked, _) => looked?,
            }
        }
        let plan = self.plan(shared)?;
        self.status.waits = None;
        match self.known.next(&plan, Self::now(shared)?) {
            Next::Nothing => Ok(self.next_poll),
            Next::Wait(wait) => Ok(self.wait(shared, now, &wait)),
            Next::Admit => self.admit(shared, now),
            Next::Watch => Ok(self.judge(shared, now)?),
            Next::GoBack => Ok(self.go_back(shared, now)?),
        }
    }

    /// Whether the gate judges now, and the registry is not asked.
    fn judges(&self, shared: &Shared, now: Instant) -> bool {
        self.is_watching() && (self.is_local(now) || !self.looks_while_it_watches(shared, now))
    }

    /// Whether the gate watches a release.
    pub(super) fn is_watching(&self) -> bool {
        let trial = self.known.trial.as_ref();
        trial.is_some_and(|it| it.stage == Stage::Watching)
    }

    /// Whether the registry is asked between two checks of the gate. A registry that answers slowly
    /// holds up the next check, and so the way back from a bad release.
    pub(super) fn looks_while_it_watches(&self, shared: &Shared, now: Instant) -> bool {
        let Some(watch) = &self.watch else {
            return false;
        };
        let is_long = watch.lasts(now) >= UNDISTURBED;
        // If the newest timestamp ends, hosts stop the application.
        let ends = Self::now(shared).is_ok_and(|now| {
            let soon = now.checked_add(UNDISTURBED).unwrap_or(UnixTime::MAX);
            let ends = self.known.expires;
            ends.is_some_and(|ends| now < ends && ends <= soon)
        });
        is_long || ends || self.not_judged.is_some()
    }

    /// Whether a step at this time certainly asks no registry: it checks a release, or goes back.
    pub(crate) fn is_local(&self, at: Instant) -> bool {
        match self.known.trial.as_ref().map(|it| &it.stage) {
            Some(Stage::GoingBack { .. }) => true,
            Some(Stage::Watching) => self.watch.is_none() || at >= self.next_check,
            _ => false,
        }
    }

    /// Puts what is known on the board, before work that may take long.
    fn tell(&mut self, shared: &Shared) {
        self.status.know(&self.known);
        shared.board.put(&self.label, &self.status);
    }

    /// Reads what is known, after a start.
    pub(super) fn read(&mut self, shared: &Shared) -> Result<(), Trouble> {
        let (name, channel) = (&self.config.name, self.config.channel.as_deref());
        let known = shared.state.read(name, channel);
        self.known = known.map_err(|error| super::state_trouble(&error))?;
        self.is_read = true;
        Ok(())
    }

    /// Tries a release again, if an operator has ordered it.
    pub(super) fn obey(&mut self, shared: &Shared) -> Result<(), Trouble> {
        let (name, channel) = (&self.config.name, self.config.channel.as_deref());
        let trouble = |error: StateError| super::state_trouble(&error);
        let order = match shared.state.order(name, channel) {
            // It cannot be obeyed, and must not stop the work. What other users can change, or this
            // one cannot read, is left to the operator.
            Err(error) => {
                let mut text = format!("an order is not obeyed: {}", error_chain(&error));
                if let StateError::Damaged { .. } = error
                    && let Err(error) = shared.state.obeyed(name, channel)
                {
                    text = format!("{text}; it cannot be removed: {}", error_chain(&error));
                }
                if self.last_order != text {
                    self.warn(shared, &text);
                    self.last_order = text;
                }
                return Ok(());
            }
            Ok(order) => order,
        };
        self.last_order.clear();
        let Some(release) = order else {
            return Ok(());
        };
        let before = self.known.clone();
        if self.known.forgive(release, Self::now(shared)?) {
            self.keep(shared, &before)?;
            let said = before.bad.map(|bad| bad.told());
            let text = format!("{}; it is tried again", said.unwrap_or_default());
            self.info(shared, &text);
        }
        shared.state.obeyed(name, channel).map_err(trouble)
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
        // A look may have brought a newer release.
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
            let begin = Instant::now();
            shared.sightings.refresh(&shared.watch, begin);
            let (name, channel) = (&self.config.name, self.config.channel.as_deref());
            for host in shared.watch.iter().filter(|it| it.host != shared.host) {
                let wave = self.wave(&host.host);
                let answer = shared.sightings.answer(host, begin);
                let sighting = answer.about(name, channel, &release);
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
                format!(
                    "`{host}` refused the release: {reason}; publish a newer one, or try it again \
                     there with --retry"
                )
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
    fn admit(&mut self, shared: &Shared, now: Instant) -> Result<Instant, Missed> {
        let policy = (shared.policies)()?;
        let taken = self.first_place(shared, now, |follower, place| {
            follower.admit_from(shared, now, place, &policy)
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
        self.seen = None;
        self.watch = None;
        self.not_judged = None;
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
        now: Instant,
        place: &str,
        policy: &edgec_verifier::TrustPolicy,
    ) -> Result<Option<Taken>, Trouble> {
        // What the look has read is not read again, if the place still has it.
        let seen = self.seen.take_if(|seen| seen.place == place);
        let opened = match &seen {
            Some(seen) if seen.at == now => None,
            Some(seen) => shared.source.open(place, Some(seen.offer.digest()))?,
            None => shared.source.open(place, None)?,
        };
        let Some(offer) = opened.or(seen.map(|seen| seen.offer)) else {
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
            // They were about the release before.
            self.watch = None;
            self.not_judged = None;
            if self.probe.before() {
                self.known.answered();
            }
            self.keep(shared, &before)?;
        }
        // This may take long.
        self.status.waits = Some(format!("it is fetched from `{place}`"));
        self.tell(shared);
        let taken = offer.admit(&Wanted {
            policy,
            expected: &self.expected,
            profile: self.config.profile.into(),
        });
        self.status.waits = None;
        Ok(Some(taken?))
    }

    /// Makes loads take the admitted version.
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
}
