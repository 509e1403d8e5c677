//! Engines that artifacts fit: a profile, which artifact and host share, and limits, which
//! are the host's own.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use edgec_verifier::{EngineProfile, HostCpu, HostProfile};
use wasmtime::{Collector, Config, Engine, Result, WasmBacktraceDetails};

use crate::Limits;

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

/// An engine with the profile of its artifacts. [`engine`] makes one.
///
/// Cheap to clone; all clones are one engine.
#[derive(Clone, Debug)]
pub struct HostEngine {
    engine: Engine,
    profile: EngineProfile,
    host: Arc<HostProfile>,
}

/// An engine for artifacts of `profile`, on this machine.
///
/// # Errors
///
/// Wasmtime's error if it cannot make the engine: an instance pool needs address space
/// ([`crate::PoolPlan::address_space`]).
pub fn engine(profile: EngineProfile, limits: &Limits) -> Result<HostEngine> {
    HostEngine::with(profile, limits, |_| {})
}

impl HostEngine {
    /// Like [`engine`], but `change` can change settings that artifacts do not depend on (stack
    /// sizes, the allocator). The engine refuses artifacts whose settings differ from its own,
    /// unless it is told not to compare versions (`Config::module_version`), which a host must not
    /// do.
    ///
    /// # Errors
    ///
    /// As [`engine`].
    pub fn with(
        profile: EngineProfile,
        limits: &Limits,
        change: impl FnOnce(&mut Config),
    ) -> Result<Self> {
        let mut config = config(profile);
        limits.apply(&mut config)?;
        change(&mut config);
        let mut host = HostProfile::of_profile(profile);
        if let Limits::Pooled(plan) = limits {
            host = host.with_pool(plan.limits());
        }
        Ok(Self {
            engine: Engine::new(&config)?,
            profile,
            host: Arc::new(host),
        })
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
