//! Follows one application: looks at its reference, waits for this host's turn, admits, watches,
//! and goes back. Each step leaves the state on the disk before and after it changes the store, so
//! a crash at any point leaves a host that serves, and a next step that goes on.

mod judge;
mod look;
mod step;

use std::sync::Arc;
use std::time::{Duration, Instant};

use edgec_store::Application;
use edgec_verifier::{Clock, Expected, TrustPolicy, UnixTime};

use crate::config::{ApplicationConfig, PollConfig, WatchConfig};
use crate::gate::{All, Probe, Rules, Watch};
use crate::position;
use crate::report::{Level, Report};
use crate::shelf::Shelf;
use crate::sightings::Sightings;
use crate::silent::Silent;
use crate::source::{Fault, Offered, Source, Trouble};
use crate::state::{Known, StateError, StateFolder};
use crate::status::{ApplicationStatus, Board, Phase};

/// Where the policy comes from. It is asked again for each release.
pub type Policies = dyn Fn() -> Result<TrustPolicy, Trouble> + Send + Sync;

/// What all applications of a host share.
pub(crate) struct Shared {
    /// The name of the host in the fleet.
    pub(crate) host: String,
    pub(crate) source: Box<dyn Source>,
    pub(crate) shelf: Box<dyn Shelf>,
    pub(crate) state: StateFolder,
    pub(crate) policies: Box<Policies>,
    pub(crate) clock: Box<dyn Clock>,
    pub(crate) report: Arc<dyn Report>,
    pub(crate) board: Arc<Board>,
    pub(crate) poll: PollConfig,
    pub(crate) mirrors: Vec<String>,
    pub(crate) keep: usize,
    pub(crate) watch: Vec<WatchConfig>,
    pub(crate) sightings: Sightings,
    pub(crate) silent: Silent,
}

/// One application of a host.
pub(crate) struct Follower {
    config: ApplicationConfig,
    label: String,
    application: Application,
    expected: Expected,
    known: Known,
    /// Whether `known` has been read from the disk.
    is_read: bool,
    probe: Box<dyn Probe>,
    rules: Rules,
    every: Duration,
    watch: Option<Watch>,
    /// Why the gate cannot judge the release that it watches, although the host had enough time.
    not_judged: Option<String>,
    /// What the last look has read, until it is admitted.
    seen: Option<Seen>,
    /// When the reference is looked at next.
    next_poll: Instant,
    /// When the gate checks a release next, while it watches one.
    next_check: Instant,
    /// How many looks there were since all places were asked.
    looks: u32,
    /// How many steps have failed in a row.
    failures: u32,
    /// What it waited for last, so that it is told once.
    last_wait: String,
    /// Why it did not obey an order last, so that it is told once.
    last_order: String,
    status: ApplicationStatus,
}

/// What a look has read of a release that waits for its turn.
struct Seen {
    place: String,
    offer: Box<dyn Offered>,
    /// The step of the look.
    at: Instant,
}

/// What a step has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// When there is something to do again.
    pub(crate) due: Instant,
    /// The state after it.
    pub(crate) phase: Phase,
    /// Whether it waits for something that the status names.
    pub(crate) waits: bool,
    /// The place that it could not ask, because another application finds out whether its host
    /// answers. The step is taken again after that.
    pub(crate) is_held_by: Option<String>,
    /// What failed.
    pub(crate) trouble: Option<Trouble>,
}

/// Why a step did not come to its end.
#[derive(Debug)]
pub(crate) enum Missed {
    /// It failed.
    Trouble(Trouble),
    /// No place was asked, because their hosts did not answer lately, with this failure. One of
    /// them may be asked again at this time.
    Silent(Trouble, Instant),
    /// Another application finds out whether the host of this place answers.
    Busy(String),
}

impl From<Trouble> for Missed {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl Follower {
    /// Follows an application with a probe for its gate. Without a gate, a release is healthy as
    /// soon as it is admitted.
    pub(crate) fn new(config: ApplicationConfig, probe: Option<Box<dyn Probe>>) -> Self {
        let application = Application::new(&config.name);
        let expected = Expected::application(&config.name);
        let (application, expected) = match &config.channel {
            Some(channel) => (
                application.in_channel(channel),
                expected.in_channel(channel),
            ),
            None => (application, expected),
        };
        let gate = config.gate.as_ref().filter(|_| probe.is_some());
        let rules = match gate {
            None => Rules::new(Duration::ZERO, Duration::ZERO, 1),
            Some(gate) => {
                let take = gate.metrics.as_ref().map(|it| it.take.get());
                Rules::new(
                    gate.watched_for.get(),
                    take.unwrap_or_default(),
                    gate.failures,
                )
            }
        };
        let every = gate.map_or(Duration::ZERO, |gate| gate.every.get());
        let status = ApplicationStatus {
            name: config.name.clone(),
            channel: config.channel.clone(),
            reference: config.reference.to_string(),
            waves: config.rollout.waves.len().max(1),
            ..ApplicationStatus::default()
        };
        Self {
            label: config.label(),
            application,
            expected,
            known: Known::default(),
            is_read: false,
            probe: probe.unwrap_or_else(|| Box::new(All(Vec::new()))),
            rules,
            every,
            watch: None,
            not_judged: None,
            seen: None,
            next_poll: Instant::now(),
            next_check: Instant::now(),
            looks: 0,
            failures: 0,
            last_wait: String::new(),
            last_order: String::new(),
            status,
            config,
        }
    }

    /// The application, as `edgec serve` names it.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// Whether the first step asks no registry. If the state cannot be read, the step says so.
    pub(crate) fn begins_local(&mut self, shared: &Shared, now: Instant) -> bool {
        self.read(shared).is_ok() && self.is_local(now)
    }

    /// Does what there is to do now.
    pub(crate) fn step(&mut self, shared: &Shared, now: Instant) -> Step {
        let (mut trouble, mut is_held_by) = (None, None);
        let due = match self.try_step(shared, now) {
            Ok(due) => {
                self.failures = 0;
                due
            }
            Err(Missed::Trouble(found)) => {
                let due = self.fail(shared, now, &found);
                trouble = Some(found);
                due
            }
            Err(Missed::Silent(found, until)) => {
                self.next_poll = until;
                trouble = Some(found);
                until
            }
            Err(Missed::Busy(place)) => {
                let text = format!("another application finds out whether `{place}` answers");
                self.status.waits = Some(text);
                is_held_by = Some(place);
                now
            }
        };
        // The gate of a release does not wait until a newer one can be admitted.
        let due = match trouble.is_some() && self.is_watching() && self.next_check > now {
            true => due.min(self.next_check),
            false => due,
        };
        self.status.know(&self.known);
        self.status.fail(trouble.as_ref());
        shared.board.put(&self.label, &self.status);
        Step {
            due,
            phase: self.status.phase,
            waits: self.status.waits.is_some(),
            is_held_by,
            trouble,
        }
    }

    /// Tells about a failed step. Returns when it is tried again.
    fn fail(&mut self, shared: &Shared, now: Instant, trouble: &Trouble) -> Instant {
        let same = self.status.error.as_ref();
        let same = same.is_some_and(|it| it.message == trouble.message);
        self.failures = self.failures.saturating_add(1);
        // The same line again and again would hide others.
        if !same || self.failures.is_power_of_two() {
            let level = match trouble.fault {
                Fault::Refused => Level::Error,
                Fault::Environment => Level::Warn,
            };
            let text = format!("{} [{}]", trouble.message, trouble.code);
            shared.report.line(level, Some(&self.label), &text);
        }
        // What hangs may take longer than the pause.
        let now = now.max(Instant::now());
        self.next_poll = now + Self::pause(shared, self.failures);
        self.next_poll
    }

    /// The time until the next look, after so many failures in a row.
    fn pause(shared: &Shared, failures: u32) -> Duration {
        let poll = &shared.poll;
        crate::backoff::next(
            poll.interval.get(),
            poll.backoff.get(),
            failures,
            poll.jitter.get(),
            crate::backoff::chance(),
        )
    }

    /// Keeps what is known, if it has changed.
    fn keep(&self, shared: &Shared, before: &Known) -> Result<(), Trouble> {
        if self.known == *before {
            return Ok(());
        }
        let (name, channel) = (&self.config.name, self.config.channel.as_deref());
        let kept = shared.state.write(name, channel, &self.known);
        kept.map_err(|error| state_trouble(&error))
    }

    fn now(shared: &Shared) -> Result<UnixTime, Trouble> {
        shared.clock.now().map_err(|error| {
            Trouble::environment("clock", format!("{error}: set the clock of this machine"))
        })
    }

    /// The wave of a host for the newest release.
    fn wave(&self, host: &str) -> usize {
        let serial = self.known.newest.as_ref().map_or(0, |it| it.release.serial);
        position::wave(&self.config.rollout, host, &self.label, serial)
    }

    fn info(&self, shared: &Shared, message: &str) {
        shared.report.line(Level::Info, Some(&self.label), message);
    }

    fn warn(&self, shared: &Shared, message: &str) {
        shared.report.line(Level::Warn, Some(&self.label), message);
    }
}

pub(crate) fn state_trouble(error: &StateError) -> Trouble {
    let message = edgec_verifier::error_chain(error);
    let hint = match error {
        StateError::Damaged { .. } => {
            ": remove the file; the host then takes the newest release as one that it has not seen"
        }
        _ => "",
    };
    Trouble::environment(error.code(), format!("{message}{hint}"))
}

#[cfg(test)]
mod tests;
