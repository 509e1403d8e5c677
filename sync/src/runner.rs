//! Works on all applications of a host: several at a time, each when something is to be done.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use edgec_verifier::Clock;

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

/// The longest sleep of a thread that has nothing to do.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// The sleep of a thread while another one works, whose application may come next.
const SHORT_SLEEP: Duration = Duration::from_millis(50);
/// The longest time for which the answer of a watched host is good.
const SIGHTING: Duration = Duration::from_secs(10);
/// How long an application waits whose step has panicked.
const AFTER_PANIC: Duration = Duration::from_secs(60);

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
                silent: Silent::new(config.poll.interval.get(), config.poll.backoff.get()),
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
        let left = state
            .waiting
            .into_iter()
            .map(|task| (task.follower, task.last));
        state.ended.into_iter().chain(left).collect()
    }
}

/// An application, and when there is something to do.
struct Task {
    follower: Follower,
    due: Instant,
    last: Option<Step>,
    /// Whether its next step asks no registry: it checks a release, or goes back.
    is_local: bool,
}

/// Which steps a thread takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    All,
    /// Those that ask no registry.
    Local,
}

struct Queue {
    all: Mutex<State>,
}

struct State {
    waiting: Vec<Task>,
    running: usize,
    ended: Vec<(Follower, Option<Step>)>,
}

/// What a worker does next.
enum Turn {
    Work(Box<Task>),
    Sleep(Duration),
    End,
}

impl Queue {
    fn work(
        &self,
        takes: Takes,
        shared: &Shared,
        stop: &Stop,
        ends: &impl Fn(&Step, Instant) -> bool,
    ) {
        while !stop.is_told() {
            match self.next(takes, Instant::now()) {
                Turn::End => return,
                Turn::Sleep(time) => {
                    stop.wait(time);
                }
                Turn::Work(mut task) => {
                    let now = Instant::now();
                    let step = stepped(&mut task.follower, shared, now);
                    let mut state = self.lock();
                    state.running = state.running.saturating_sub(1);
                    if ends(&step, now) {
                        state.ended.push((task.follower, Some(step)));
                    } else {
                        task.due = step.due;
                        task.is_local = task.follower.is_local(step.due);
                        task.last = Some(step);
                        state.waiting.push(*task);
                    }
                }
            }
        }
    }

    /// The application that waits for the longest time.
    fn next(&self, takes: Takes, now: Instant) -> Turn {
        let mut state = self.lock();
        let waiting = state.waiting.iter().enumerate();
        let first = waiting
            .filter(|(_, task)| takes == Takes::All || task.is_local)
            .min_by_key(|(_, task)| task.due);
        match first.map(|(at, task)| (at, task.due)) {
            Some((at, due)) if due <= now => {
                state.running = state.running.saturating_add(1);
                Turn::Work(Box::new(state.waiting.swap_remove(at)))
            }
            // One that another worker has may be due sooner.
            _ if state.running > 0 => Turn::Sleep(SHORT_SLEEP),
            Some((_, due)) => {
                let time = due.saturating_duration_since(now);
                Turn::Sleep(time.min(LONGEST_SLEEP))
            }
            // Nothing is local until another worker has taken a step.
            None => match state.waiting.iter().map(|task| task.due).min() {
                Some(due) => {
                    let time = due.saturating_duration_since(now);
                    Turn::Sleep(time.clamp(SHORT_SLEEP, LONGEST_SLEEP))
                }
                None => Turn::End,
            },
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A step. A panic in it is a fault of this program, and must not stop other applications.
fn stepped(follower: &mut Follower, shared: &Shared, now: Instant) -> Step {
    let work = std::panic::AssertUnwindSafe(|| follower.step(shared, now));
    std::panic::catch_unwind(work).unwrap_or_else(|_| {
        let text = "a step panicked: this is a fault of edgec; please report it";
        let trouble = Trouble::environment("internal", text);
        shared
            .report
            .line(Level::Error, Some(follower.label()), text);
        Step {
            due: now + AFTER_PANIC,
            phase: Phase::Starting,
            waits: false,
            trouble: Some(trouble),
        }
    })
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
