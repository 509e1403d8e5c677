//! Works on all applications of a host: several at a time, each when something is to be done.

mod queue;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use edgec_verifier::Clock;

use self::queue::{Queue, State, Takes, Task};
use crate::config::{ApplicationConfig, FleetConfig, Url};
use crate::follower::{Follower, Policies, Shared, Step};
use crate::gate::{All, CommandProbe, MetricsProbe, Probe};
use crate::report::{Level, Report};
use crate::shelf::Shelf;
use crate::sightings::Sightings;
use crate::silent::Silent;
use crate::source::{Fault, Source, Trouble};
use crate::state::{StateError, StateFolder};
use crate::status::{Board, Phase, StatusServer};
use crate::stop::Stop;

/// The longest time for which the answer of a watched host is good.
const SIGHTING: Duration = Duration::from_secs(10);

/// What a host that keeps itself current is made of.
pub struct Parts {
    /// The name of the host in the fleet.
    pub host: String,
    /// Where releases come from.
    pub source: Box<dyn Source>,
    /// The store.
    pub shelf: Box<dyn Shelf>,
    /// Where the policy comes from.
    pub policies: Box<Policies>,
    /// The clock.
    pub clock: Box<dyn Clock>,
    /// What is told about the work.
    pub report: Arc<dyn Report>,
    /// The admin interface of the `edgec serve` around this, for gates that name none.
    pub admin: Option<Url>,
}

/// Keeps a host current.
pub struct Sync {
    shared: Shared,
    followers: Vec<Follower>,
    concurrency: usize,
    _server: Option<StatusServer>,
}

/// Why a host cannot be kept current.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// The state cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The address of the status is taken, or not one of this machine.
    #[error("cannot listen at {address}, the address of the status")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// A gate reads metrics, and nothing says where they are.
    #[error(
        "the gate of `{application}` reads metrics, and names no `url`: only inside `edgec serve` \
         with an admin interface can it be left out"
    )]
    NoMetrics {
        /// The application.
        application: String,
    },
}

impl SyncError {
    /// A short name for the error that does not change between releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::State(error) => error.code(),
            Self::Listen { .. } => "listen",
            Self::NoMetrics { .. } => "sync-config",
        }
    }
}

/// What one round over all applications has come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Round {
    /// Each application, its state, and what failed.
    pub applications: Vec<(String, Phase, Option<Trouble>)>,
}

impl Round {
    /// Who has to do something; `None` if every application is current, or waits for its turn.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        let faults = self
            .applications
            .iter()
            .filter_map(|(_, phase, trouble)| match trouble {
                Some(trouble) => Some(trouble.fault),
                None => matches!(phase, Phase::WentBack | Phase::Failed).then_some(Fault::Refused),
            });
        let faults: Vec<Fault> = faults.collect();
        match faults.contains(&Fault::Refused) {
            true => Some(Fault::Refused),
            false => faults.first().copied(),
        }
    }
}

impl Sync {
    /// Opens the state in `state`, and begins to serve the status.
    ///
    /// # Errors
    ///
    /// [`SyncError`].
    pub fn open(config: &FleetConfig, state: &Path, parts: Parts) -> Result<Self, SyncError> {
        let mut followers = Vec::new();
        for application in &config.applications {
            let probe = probe(application, parts.admin.as_ref())?;
            followers.push(Follower::new(application.clone(), probe));
        }
        let state = StateFolder::open(state)?;
        let board = Arc::new(Board::new(&parts.host));
        let server = match config.status {
            None => None,
            Some(address) => {
                let started = StatusServer::start(address, Arc::clone(&board));
                let started = started.map_err(|source| SyncError::Listen { address, source })?;
                let at = started.address();
                parts
                    .report
                    .line(Level::Info, None, &format!("status: http://{at}/status"));
                Some(started)
            }
        };
        let period = config.poll.interval.get().min(SIGHTING);
        Ok(Self {
            shared: Shared {
                host: parts.host,
                source: parts.source,
                shelf: parts.shelf,
                state,
                policies: parts.policies,
                clock: parts.clock,
                report: parts.report,
                board,
                poll: config.poll.clone(),
                mirrors: config.registry.mirrors.clone(),
                keep: config.keep,
                watch: config.watch.clone(),
                sightings: Sightings::new(period),
                silent: Silent::new(
                    config.poll.interval.get(),
                    config.poll.backoff.get(),
                    config.poll.concurrency,
                ),
            },
            followers,
            concurrency: config.poll.concurrency,
            _server: server,
        })
    }

    /// What is said about the applications.
    #[must_use]
    pub fn board(&self) -> Arc<Board> {
        Arc::clone(&self.shared.board)
    }

    /// Keeps all applications current until it is told to stop. A step that runs then is finished
    /// first.
    pub fn run(self, stop: &Stop) {
        self.work(stop, |_, _| false);
    }

    /// Brings every application as far as it can come now: it is current, waits for its turn, or
    /// has failed.
    #[must_use]
    pub fn once(self, stop: &Stop) -> Round {
        let done = self.work(stop, |step, now| {
            let is_busy = matches!(
                step.phase,
                Phase::Admitting | Phase::Watching | Phase::GoingBack
            );
            // The gate may wait for a host that is not up yet.
            let rests = step.waits || !is_busy;
            // A release that waits while another one is watched comes right after that one.
            step.trouble.is_some() || rests && step.due > now
        });
        let mut round = Round::default();
        for (follower, step) in done {
            let (phase, trouble) =
                step.map_or((Phase::Starting, None), |it| (it.phase, it.trouble));
            round
                .applications
                .push((follower.label().to_owned(), phase, trouble));
        }
        round.applications.sort_by(|one, other| one.0.cmp(&other.0));
        round
    }

    /// Works on the applications until each of them has ended, or until it is told to stop.
    fn work(
        self,
        stop: &Stop,
        ends: impl Fn(&Step, Instant) -> bool + std::marker::Sync,
    ) -> Vec<(Follower, Option<Step>)> {
        let begin = Instant::now();
        let tasks = self.followers.into_iter().map(|mut follower| {
            let is_local = follower.begins_local(&self.shared, begin);
            Task {
                follower,
                due: begin,
                last: None,
                is_local,
            }
        });
        let queue = Queue {
            all: Mutex::new(State {
                waiting: tasks.collect(),
                running: 0,
                ended: Vec::new(),
                held: Vec::new(),
            }),
        };
        let shared = &self.shared;
        let workers = self.concurrency;
        std::thread::scope(|scope| {
            let (queue, ends) = (&queue, &ends);
            // Registries that hang can hold all other threads.
            let more = std::iter::repeat_n(Takes::All, workers.saturating_sub(1));
            for takes in more.chain([Takes::Local]) {
                // Fewer threads take longer, and do the same.
                let thread = std::thread::Builder::new().name("sync".to_owned());
                let _ = thread.spawn_scoped(scope, move || queue.work(takes, shared, stop, ends));
            }
            queue.work(Takes::All, shared, stop, ends);
        });
        let state = queue
            .all
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let held = state.held.into_iter().map(|(_, task)| task);
        let left = state.waiting.into_iter().chain(held);
        let left = left.map(|task| (task.follower, task.last));
        state.ended.into_iter().chain(left).collect()
    }
}

/// Checks that every gate of a file can read what it judges by. `admin` is the admin interface of
/// the `edgec serve` around this.
///
/// # Errors
///
/// [`SyncError::NoMetrics`].
pub fn check_gates(config: &FleetConfig, admin: Option<&Url>) -> Result<(), SyncError> {
    let mut all = config.applications.iter();
    all.try_for_each(|application| probe(application, admin).map(|_| ()))
}

/// The probes of an application's gate, if it has one.
fn probe(
    application: &ApplicationConfig,
    admin: Option<&Url>,
) -> Result<Option<Box<dyn Probe>>, SyncError> {
    let Some(gate) = &application.gate else {
        return Ok(None);
    };
    let mut probes: Vec<Box<dyn Probe>> = Vec::new();
    let timeout = gate.timeout.get();
    if let Some(metrics) = &gate.metrics {
        let label = application.label();
        let url = metrics.url.as_ref().or(admin);
        let url = url.ok_or_else(|| SyncError::NoMetrics {
            application: label.clone(),
        })?;
        probes.push(Box::new(MetricsProbe::new(metrics, url, &label, timeout)));
    }
    if !gate.command.is_empty() {
        probes.push(Box::new(CommandProbe::new(gate.command.clone(), timeout)));
    }
    Ok(Some(Box::new(All(probes))))
}

#[cfg(test)]
mod tests;
