//! Engines that artifacts fit: a profile, which artifact and host share, and limits, which
//! are the host's own.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use edgec_verifier::{
    Clock, ClockError, EngineProfile, EngineVersion, HostCpu, HostProfile, SystemClock, UnixTime,
};
use wasmtime::{Collector, Config, Engine, Error, Result, WasmBacktraceDetails};

use crate::engine_version::{running, tested};
use crate::observer::Observed;
use crate::{Limits, LoadError, Observer};

/// The configuration that a host must use for artifacts of `profile`.
fn config(profile: EngineProfile) -> Config {
    let mut config = Config::new();
    // The list's values, which but for these are the engine's defaults; it compares them at load.
    // Named here is what differs by profile, or what follows a cargo feature or the environment.
    config.collector(Collector::Copying);
    let settings = profile.settings();
    config.concurrency_support(settings.concurrency_support);
    config.epoch_interruption(settings.epoch_interruption);
    config.wasm_backtrace_details(WasmBacktraceDetails::Disable);
    match profile {
        EngineProfile::Default => {}
        EngineProfile::Edge => {
            // The artifacts have nothing in them that a backtrace could name.
            config.wasm_backtrace_max_frames(None);
        }
    }
    config
}

/// An engine with the profile of its artifacts. [`engine`] or [`HostEngine::builder`] makes one.
///
/// Cheap to clone; all clones are one engine. One process may have several, for instance one for
/// each profile: each takes the artifacts of its own profile.
#[derive(Clone, Debug)]
pub struct HostEngine {
    engine: Engine,
    profile: EngineProfile,
    host: Arc<HostProfile>,
    version: EngineVersion,
    /// The version with which the host ran the tests of what reads images of the edge profile.
    readers_tested: Option<EngineVersion>,
    clock: Arc<dyn Clock>,
    observed: Observed,
}

/// An engine for artifacts of `profile`, on this machine. [`HostEngine::builder`] has more settings.
///
/// # Errors
///
/// As [`HostEngineBuilder::build`].
pub fn engine(profile: EngineProfile, limits: &Limits) -> Result<HostEngine> {
    HostEngine::builder(profile).limits(limits.clone()).build()
}

/// Changes settings of an engine.
type Change = Box<dyn FnOnce(&mut Config) + Send>;

/// The settings of a [`HostEngine`]. [`HostEngine::with_cpu`] states another CPU, also later.
///
/// ```
/// use edgec_loader::{EngineProfile, HostEngine};
///
/// let engine = HostEngine::builder(EngineProfile::Edge)
///     .configure(|config| {
///         config.max_wasm_stack(256 << 10);
///     })
///     .build()?;
/// println!("Wasmtime {}", engine.version());
/// # Ok::<(), edgec_loader::wasmtime::Error>(())
/// ```
#[must_use = "`build` makes the engine"]
pub struct HostEngineBuilder {
    profile: EngineProfile,
    limits: Limits,
    changes: Vec<Change>,
    readers_tested: Option<EngineVersion>,
    clock: Arc<dyn Clock>,
    observed: Observed,
}

impl HostEngineBuilder {
    /// How instances get their memory; without this, on demand.
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Changes settings that artifacts do not depend on (stack sizes, the allocator), after all
    /// others are set. The engine refuses artifacts whose settings differ from its own, unless it
    /// is told not to compare versions (`Config::module_version`), which a host must not do.
    pub fn configure(mut self, change: impl FnOnce(&mut Config) + Send + 'static) -> Self {
        self.changes.push(Box::new(change));
        self
    }

    /// States that the host ran the tests of what reads images of the edge profile with the engine
    /// of this very version, and that they passed; `docs/edge.md` names them.
    ///
    /// Without this, an engine that is later than [`ENGINE_VERSION`](crate::ENGINE_VERSION) loads
    /// no images of that profile ([`LoadError::EngineUntested`]): they lack metadata that the
    /// tested version does not read, and a later one may read more. The version is stated, so that
    /// the statement does not go on to the next patch by itself.
    pub fn edge_readers_tested(self, version: EngineVersion) -> Self {
        let readers_tested = Some(version);
        Self {
            readers_tested,
            ..self
        }
    }

    /// What loads into this engine and its deployments take the time from; without this, the
    /// system's clock. A store and a [`PolicyFile`](crate::store::PolicyFile) have clocks of their
    /// own.
    pub fn clock(self, clock: impl Clock + 'static) -> Self {
        let clock = Arc::new(clock);
        Self { clock, ..self }
    }

    /// Who is told of loads, refusals, verdicts and instances of this engine.
    pub fn observer(self, observer: impl Observer + 'static) -> Self {
        let observed = Observed::by(observer);
        Self { observed, ..self }
    }

    /// Makes the engine.
    ///
    /// # Errors
    ///
    /// Wasmtime's error if it cannot make the engine: an instance pool needs address space
    /// ([`crate::PoolPlan::address_space`]).
    pub fn build(self) -> Result<HostEngine> {
        let version = running();
        let version = version.ok_or_else(|| Error::msg("Wasmtime does not state its version"))?;
        let mut config = config(self.profile);
        self.limits.apply(&mut config)?;
        for change in self.changes {
            change(&mut config);
        }
        let mut host = HostProfile::of_profile(self.profile).with_engine(version);
        if let Limits::Pooled(plan) = &self.limits {
            host = host.with_pool(plan.limits());
        }
        Ok(HostEngine {
            engine: Engine::new(&config)?,
            profile: self.profile,
            host: Arc::new(host),
            version,
            readers_tested: self.readers_tested,
            clock: self.clock,
            observed: self.observed,
        })
    }
}

impl fmt::Debug for HostEngineBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostEngineBuilder")
            .field("profile", &self.profile)
            .field("limits", &self.limits)
            .field("readers_tested", &self.readers_tested)
            .finish_non_exhaustive()
    }
}

impl HostEngine {
    /// An engine for artifacts of `profile`, on this machine, with settings of the host's own.
    pub fn builder(profile: EngineProfile) -> HostEngineBuilder {
        HostEngineBuilder {
            profile,
            limits: Limits::OnDemand,
            changes: Vec::new(),
            readers_tested: None,
            clock: Arc::new(SystemClock),
            observed: Observed::default(),
        }
    }

    /// The same engine, with a stated CPU instead of the detected one: an emulated CPU, or one with
    /// features that must not be used. An artifact that needs another CPU is refused before the
    /// engine sees it, with the names of the missing features. The engine still asks the real CPU,
    /// so a false statement cannot make unsuitable code run.
    #[must_use]
    pub fn with_cpu(self, cpu: HostCpu) -> Self {
        let host = HostProfile::clone(&self.host).with_cpu(cpu);
        Self {
            host: Arc::new(host),
            ..self
        }
    }

    /// The engine itself.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The full version of the Wasmtime that runs. It need not be the one of the compiler: a host
    /// may link a later patch.
    pub fn version(&self) -> EngineVersion {
        self.version
    }

    /// Whether images of the engine's profile were tested with its version.
    pub(crate) fn tested(&self) -> Result<(), LoadError> {
        tested(self.profile, self.version, self.readers_tested)
    }

    /// The time now, by the engine's clock.
    ///
    /// # Errors
    ///
    /// [`ClockError`] if the clock does not know it.
    pub fn now(&self) -> Result<UnixTime, ClockError> {
        self.clock.now()
    }

    pub(crate) fn observed(&self) -> &Observed {
        &self.observed
    }

    /// The profile that artifacts must have.
    pub fn profile(&self) -> EngineProfile {
        self.profile
    }

    /// This machine's profile, which artifacts are compared with. It is detected once.
    pub fn host(&self) -> &HostProfile {
        &self.host
    }

    /// Advances the engine's epoch every `period`, in a separate thread, until the result is
    /// dropped. The deadlines of an edge program's stores count epochs
    /// (`wasmtime::Store::set_epoch_deadline`; without a deadline, a store stops its program at
    /// once).
    pub fn tick(&self, period: Duration) -> Ticker {
        let stop = Arc::new(AtomicBool::new(false));
        let (engine, told) = (self.engine.weak(), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                thread::park_timeout(period);
                match engine.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => return,
                }
            }
        });
        Ticker {
            stop,
            thread: Some(thread),
        }
    }
}

impl Deref for HostEngine {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.engine
    }
}

/// Advances an engine's epoch while it lives.
#[derive(Debug)]
#[must_use = "epochs pass for as long as it lives; without them no deadline comes"]
pub struct Ticker {
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It does nothing that panics.
            let _ = thread.join();
        }
    }
}
