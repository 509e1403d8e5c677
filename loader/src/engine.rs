//! Engines for artifacts: artifact and host share a profile, and the host sets its own limits.

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
    // Most values in the list of settings are the engine's defaults, and the engine compares them
    // at load. This sets the values that differ by profile, or depend on a cargo feature or the
    // environment.
    config.collector(Collector::Copying);
    let settings = profile.settings();
    config.concurrency_support(settings.concurrency_support);
    config.epoch_interruption(settings.epoch_interruption);
    config.wasm_backtrace_details(WasmBacktraceDetails::Disable);
    match profile {
        EngineProfile::Default => {}
        EngineProfile::Edge => {
            // The artifacts contain no names for a backtrace.
            config.wasm_backtrace_max_frames(None);
        }
    }
    config
}

/// An engine with the profile of its artifacts. [`HostEngine::builder`] makes one.
///
/// Cloning is cheap, and all clones are one engine. One process may have several engines, for
/// instance one for each profile. Each loads the artifacts of its own profile.
#[derive(Clone, Debug)]
pub struct HostEngine {
    engine: Engine,
    profile: EngineProfile,
    host: Arc<HostProfile>,
    version: EngineVersion,
    /// The version with which the host ran the tests of the readers of edge images.
    readers_tested: Option<EngineVersion>,
    clock: Arc<dyn Clock>,
    observed: Observed,
}

/// Changes settings of an engine.
type Change = Box<dyn FnOnce(&mut Config) + Send>;

/// The settings of a [`HostEngine`].
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
    /// The stated CPU, instead of the detected one.
    cpu: Option<HostCpu>,
    changes: Vec<Change>,
    readers_tested: Option<EngineVersion>,
    clock: Arc<dyn Clock>,
    observed: Observed,
}

impl HostEngineBuilder {
    /// Sets how instances get their memory. The default is memory on demand.
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// States the CPU, instead of detecting it: an emulated CPU, or one with features that must not
    /// be used. An artifact that needs another CPU is refused before the engine sees it, with the
    /// names of the missing features. The engine still asks the real CPU, so a false statement
    /// cannot make unsuitable code run.
    pub fn cpu(self, cpu: HostCpu) -> Self {
        let cpu = Some(cpu);
        Self { cpu, ..self }
    }

    /// Changes settings that artifacts do not depend on (stack sizes, the allocator), after all
    /// other settings. The engine refuses artifacts whose settings differ from its own, unless it
    /// is told not to compare versions (`Config::module_version`). A host must not do that.
    pub fn configure(mut self, change: impl FnOnce(&mut Config) + Send + 'static) -> Self {
        self.changes.push(Box::new(change));
        self
    }

    /// States that the host ran the tests of the readers of edge images with exactly this version
    /// of the engine, and that they passed. `docs/edge.md` names these tests.
    ///
    /// Without this statement, an engine that is later than
    /// [`ENGINE_VERSION`](crate::ENGINE_VERSION) loads no images of the edge profile
    /// ([`LoadError::EngineUntested`]): they lack metadata that the tested version does not read,
    /// and a later version may read more. The statement has a version so that it does not apply to
    /// the next patch by itself.
    pub fn edge_readers_tested(self, version: EngineVersion) -> Self {
        let readers_tested = Some(version);
        Self {
            readers_tested,
            ..self
        }
    }

    /// Sets the clock for loads into this engine and for its deployments. The default is the
    /// system's clock. A store and a [`PolicyFile`](crate::store::PolicyFile) have clocks of their
    /// own.
    pub fn clock(self, clock: impl Clock + 'static) -> Self {
        let clock = Arc::new(clock);
        Self { clock, ..self }
    }

    /// Sets the observer of this engine's loads, refusals, verdicts and instances.
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
        if let Some(cpu) = self.cpu {
            host = host.with_cpu(cpu);
        }
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
            .field("cpu", &self.cpu)
            .field("readers_tested", &self.readers_tested)
            .finish_non_exhaustive()
    }
}

impl HostEngine {
    /// The settings of an engine for artifacts of `profile`. Without other settings, the engine is
    /// for this machine, its instances get memory on demand, and the time is that of the system's
    /// clock.
    pub fn builder(profile: EngineProfile) -> HostEngineBuilder {
        HostEngineBuilder {
            profile,
            limits: Limits::OnDemand,
            cpu: None,
            changes: Vec::new(),
            readers_tested: None,
            clock: Arc::new(SystemClock),
            observed: Observed::default(),
        }
    }

    /// The engine itself.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The full version of the running Wasmtime. It can differ from the compiler's version, since a
    /// host may link a later patch.
    pub fn version(&self) -> EngineVersion {
        self.version
    }

    /// Checks that images of the engine's profile were tested with its version.
    pub(crate) fn tested(&self) -> Result<(), LoadError> {
        tested(self.profile, self.version, self.readers_tested)
    }

    /// The time now, by the engine's clock.
    ///
    /// # Errors
    ///
    /// [`ClockError`] if the clock does not know the time.
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

    /// This machine's profile. Artifacts are compared with it. It is made once, with the engine.
    pub fn host(&self) -> &HostProfile {
        &self.host
    }

    /// Advances the engine's epoch every `period`, in a separate thread, until the result is
    /// dropped. The deadlines of an edge program's stores count epochs
    /// (`wasmtime::Store::set_epoch_deadline`; without a deadline, a store stops its program at
    /// once). Programs of the default profile do not look at the epoch: a host cannot interrupt
    /// them.
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

/// Advances an engine's epoch as long as this value exists.
#[derive(Debug)]
#[must_use = "epochs advance as long as this value exists; without them, no deadline is reached"]
pub struct Ticker {
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Ticker {
    /// Lets epochs advance until the engine is gone: its last clone, program and store. The thread
    /// ends within one period after that.
    pub fn until_the_engine_ends(mut self) {
        self.thread = None;
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.stop.store(true, Ordering::Relaxed);
            thread.thread().unpark();
            // The thread does nothing that panics.
            let _ = thread.join();
        }
    }
}
