//! `edgec sync`: keeps a store current with references in registries.

#[cfg(feature = "serve")]
pub(crate) mod inside;
mod lines;
mod parts;
mod retry;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use edgec_loader::store::{ArtifactStore, PolicySource};
use edgec_sync::{Fault, FleetConfig, Level, Parts, Report, Stop, Sync, check_gates};

use self::lines::Lines;
use crate::Outcome;
use crate::failure::{Exit, Failure, code};
use crate::failures::sync::{signal_failure, sync_failure};
use crate::hosts::Host;
use crate::render::{cell, out, safe};
use crate::signals;
use crate::trust::PolicyArguments;

/// How often it looks whether a signal has come.
const PERIOD: Duration = Duration::from_millis(50);
/// How long a step may take to end after a signal. What is cut off then begins again at the next
/// start.
const GRACE: Duration = Duration::from_secs(8);

/// Keep a store current with references in registries, in waves and behind gates
///
/// A file (docs/sync.md) names the references, the part of the fleet that takes a release when, and
/// what decides whether it stays. Only signed releases are followed. A release is admitted to the
/// store when it is this host's turn, and an `edgec serve` with the same store takes it while
/// requests run. If the gate then refuses the release, the version before becomes current again.
///
/// It runs until SIGTERM or SIGINT. SIGHUP makes it read the file again. With `--once`, it brings
/// every application as far as it can come now, and ends: with 0 if each is current or waits for
/// its turn, with 1 if one was refused, with 3 if a registry or this machine failed, or a signal
/// ended it.
///
/// `--retry` takes back the verdict of a gate: the release is tried again. It leaves an order for
/// the process that keeps the store current, and ends; with `--once`, this process tries it.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The references, waves and gates (TOML, docs/sync.md)
    #[arg(value_name = "FLEET.toml")]
    fleet: PathBuf,
    /// The folder of the store; it is made if it does not exist
    #[arg(long, value_name = "DIR")]
    store: PathBuf,
    /// One round, then the end
    #[arg(long, help_heading = "Rounds")]
    once: bool,
    /// Try the newest release of an application again, although its gate has refused it. NAME may
    /// be NAME@CHANNEL; with VERSION, only if that is the version that was refused
    #[arg(long, value_name = "NAME[:VERSION]", help_heading = "Rounds")]
    retry: Vec<String>,
    /// The name of this host in the fleet [default: the `name` in the file, or the machine's name]
    #[arg(long, value_name = "NAME", help_heading = "Host")]
    name: Option<String>,
    /// The profile of the host that runs the programs (docs/targets.md) [default: this machine]
    #[arg(long, value_name = "FILE", help_heading = "Host")]
    host: Option<PathBuf>,
    /// The folder of the state [default: `sync` in the store]
    #[arg(long, value_name = "DIR", help_heading = "Host")]
    state: Option<PathBuf>,
    #[command(flatten, next_help_heading = "Trust")]
    trust: PolicyArguments,
}

/// What does not change while `edgec sync` runs, whatever its file says.
struct Own {
    fleet: PathBuf,
    store: ArtifactStore,
    name: Option<String>,
    host: Option<PathBuf>,
    state: Option<PathBuf>,
    /// The policy of the command line.
    policy: Option<PolicySource>,
    /// The admin interface of the `edgec serve` around this.
    admin: Option<edgec_sync::config::Url>,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let policy = arguments.trust.followed()?;
    let config = parts::read_config(&arguments.fleet)?;
    let state = state_folder(arguments.state.as_ref(), &config, &arguments.store);
    if !arguments.retry.is_empty() && !arguments.once {
        retry::order(&config, &state, &arguments.retry)?;
        return Ok(ExitCode::SUCCESS);
    }
    let lines: Arc<dyn Report> = Arc::new(Lines::new(config.log.format));
    let store = ArtifactStore::create(&arguments.store);
    let own = Own {
        fleet: arguments.fleet.clone(),
        store: store.map_err(|error| crate::failures::loader::store_failure(&error))?,
        name: arguments.name.clone(),
        host: arguments.host.clone(),
        state: arguments.state.clone(),
        policy,
        admin: None,
    };
    let sync = own.open(&config, &lines)?;
    retry::order(&config, &state, &arguments.retry)?;
    signals::handled_by_work(|| match arguments.once {
        true => once(sync),
        false => until_signal(&own, sync, &lines),
    })
}

impl Own {
    /// Reads the file again, and checks it as far as possible without using it.
    fn read(&self, report: &Arc<dyn Report>) -> Result<FleetConfig, Failure> {
        let config = parts::read_config(&self.fleet)?;
        self.parts(&config, report)?;
        Ok(config)
    }

    /// What the work is made of.
    fn parts(&self, config: &FleetConfig, report: &Arc<dyn Report>) -> Result<Parts, Failure> {
        let host = self.host.as_ref().or(config.host.as_ref());
        let host = match host {
            Some(path) => Host::read(path)?,
            None => Host::here(),
        };
        let name = parts::name(self.name.as_deref(), config)?;
        let policies = parts::policies(config, self.policy.as_ref())?;
        let source = parts::source(config, &self.store, host.profile)?;
        check_gates(config, self.admin.as_ref()).map_err(|error| sync_failure(&error))?;
        Ok(Parts {
            host: name,
            source: Box::new(source),
            shelf: Box::new(self.store.clone()),
            policies,
            clock: Box::new(edgec_verifier::SystemClock),
            report: Arc::clone(report),
            admin: self.admin.clone(),
        })
    }

    /// The work, which begins to hold the state, and to serve the status.
    fn open(&self, config: &FleetConfig, report: &Arc<dyn Report>) -> Result<Sync, Failure> {
        let parts = self.parts(config, report)?;
        let state = state_folder(self.state.as_ref(), config, self.store.path());
        Sync::open(config, &state, parts).map_err(|error| sync_failure(&error))
    }
}

/// The folder of the state: the one that is named, or the one in the store.
fn state_folder(named: Option<&PathBuf>, config: &FleetConfig, store: &Path) -> PathBuf {
    let named = named.or(config.state.as_ref()).cloned();
    named.unwrap_or_else(|| store.join(STATE))
}

/// The folder of the state in a store.
const STATE: &str = "sync";

/// One round. A signal ends it between two steps.
fn once(sync: Sync) -> Outcome {
    let signals = Signals::watch()?;
    let stop = Arc::new(Stop::default());
    let told = Arc::clone(&stop);
    let board = sync.board();
    let thread = started(move || sync.once(&told))?;
    let round = match signals.wait_for(&thread, &stop) {
        true => joined(thread),
        false => return Ok(code(Exit::Environment)),
    };
    let all = board.all();
    for (label, phase, trouble) in &round.applications {
        let said = all.get(label);
        let version = said.and_then(|it| it.version);
        let version = version.map_or("no version".to_owned(), |it| format!("version {it}"));
        let waits = said.and_then(|it| it.waits.clone().or_else(|| it.why_bad()));
        let more = match (trouble, waits) {
            (Some(trouble), _) => format!(": {}", safe(&trouble.message)),
            (None, Some(waits)) => format!(": {}", safe(&waits)),
            (None, None) => String::new(),
        };
        let state = match trouble {
            Some(_) => "failed",
            None => phase.name(),
        };
        out!("{}: {state}, {version}{more}\n", cell(label));
    }
    Ok(match round.fault() {
        Some(Fault::Environment) => code(Exit::Environment),
        Some(_) => code(Exit::Rejected),
        // The signal may have come before every application was brought as far as it can come.
        None if signals.ends() => code(Exit::Environment),
        None => ExitCode::SUCCESS,
    })
}

/// Runs until a signal ends it, and reads the file again at each SIGHUP.
fn until_signal(own: &Own, sync: Sync, lines: &Arc<dyn Report>) -> Outcome {
    let signals = Signals::watch()?;
    let (mut sync, mut lines) = (sync, Arc::clone(lines));
    loop {
        let stop = Arc::new(Stop::default());
        let told = Arc::clone(&stop);
        let thread = started(move || sync.run(&told))?;
        let next = loop {
            if signals.ends() {
                stop.tell();
                signals.wait_for(&thread, &stop);
                return Ok(ExitCode::SUCCESS);
            }
            if thread.is_finished() {
                // Only a fault of this program ends it.
                let text = "the work has ended by itself";
                return Err(Failure::new(Exit::Environment, "internal", text));
            }
            if signals.reloads() {
                match own.read(&lines) {
                    Ok(config) => break config,
                    Err(failure) => tell(&lines, &failure),
                }
            }
            std::thread::sleep(PERIOD);
        };
        stop.tell();
        if !signals.wait_for(&thread, &stop) {
            return Ok(ExitCode::SUCCESS);
        }
        joined(thread);
        lines.line(Level::Info, None, "the file was read again");
        let Some(opened) = reopened(own, next, &signals) else {
            return Ok(ExitCode::SUCCESS);
        };
        (sync, lines) = opened;
    }
}

/// Opens what the file says now. If that fails, for example because another process listens at the
/// address of the status, tries again until it works, or until there is another file. `None`: a
/// signal ends the work.
fn reopened(own: &Own, config: FleetConfig, signals: &Signals) -> Option<(Sync, Arc<dyn Report>)> {
    let mut config = config;
    loop {
        let lines: Arc<dyn Report> = Arc::new(Lines::new(config.log.format));
        match own.open(&config, &lines) {
            Ok(opened) => return Some((opened, lines)),
            Err(failure) => tell(&lines, &failure),
        }
        let begin = Instant::now();
        while begin.elapsed() < GRACE {
            if signals.ends() {
                return None;
            }
            if signals.reloads() {
                match own.read(&lines) {
                    Ok(read) => {
                        config = read;
                        break;
                    }
                    Err(failure) => tell(&lines, &failure),
                }
            }
            std::thread::sleep(PERIOD);
        }
    }
}

fn tell(lines: &Arc<dyn Report>, failure: &Failure) {
    lines.line(Level::Error, None, &parts::text(failure));
}

/// The signals that came.
struct Signals {
    ends: Arc<AtomicBool>,
    reloads: Arc<AtomicBool>,
}

impl Signals {
    fn watch() -> Result<Self, Failure> {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        let signals = Self {
            ends: Arc::default(),
            reloads: Arc::default(),
        };
        for (signal, flag) in [
            (SIGTERM, &signals.ends),
            (SIGINT, &signals.ends),
            (SIGHUP, &signals.reloads),
        ] {
            let registered = signal_hook::flag::register(signal, Arc::clone(flag));
            registered.map_err(|error| signal_failure(&error))?;
        }
        Ok(signals)
    }

    fn ends(&self) -> bool {
        self.ends.load(Ordering::SeqCst)
    }

    fn reloads(&self) -> bool {
        self.reloads.swap(false, Ordering::SeqCst)
    }

    /// Waits for the end of a thread. A signal tells it to stop, and then it has a little time.
    /// Returns whether it has ended.
    fn wait_for<T>(&self, thread: &JoinHandle<T>, stop: &Stop) -> bool {
        let mut told: Option<Instant> = None;
        while !thread.is_finished() {
            if self.ends() && told.is_none() {
                stop.tell();
                told = Some(Instant::now());
            }
            if told.is_some_and(|told| told.elapsed() > GRACE) {
                return false;
            }
            std::thread::sleep(PERIOD);
        }
        true
    }
}

fn started<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, Failure> {
    let thread = std::thread::Builder::new().name("sync".to_owned());
    let thread = thread.spawn(work);
    thread.map_err(|error| Failure::environment("io", &error))
}

fn joined<T>(thread: JoinHandle<T>) -> T {
    match thread.join() {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
