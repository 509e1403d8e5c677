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

/// An engine, with what it takes artifacts of: [`engine`] makes them.
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
/// What Wasmtime says when it cannot be had: an instance pool wants address space
/// ([`crate::PoolPlan::address_space`]).
pub fn engine(profile: EngineProfile, limits: &Limits) -> Result<HostEngine> {
    HostEngine::with(profile, limits, |_| {})
}

impl HostEngine {
    /// As [`engine`], and `change` has the last word on settings that artifacts do not depend on
    /// (stack sizes, the allocator). The engine refuses artifacts whose settings differ from its
    /// own, unless it is told not to compare versions (`Config::module_version`), which a host
    /// must not do.
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

    /// The same engine on a CPU that is stated, not asked: an emulated one, or one of whose
    /// features some are not to be used. What needs another CPU is refused with the missing
    /// features named, before the engine sees it. The engine still asks the real one, so that a
    /// false statement runs nothing.
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

    /// What artifacts must be of.
    pub fn profile(&self) -> EngineProfile {
        self.profile
    }

    /// This machine, as artifacts are compared with it; asked for once.
    pub fn host(&self) -> &HostProfile {
        &self.host
    }

    /// Advances the engine's epoch every `period`, in a thread of its own, until the result is
    /// dropped: what the deadlines of an edge program's stores count
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
