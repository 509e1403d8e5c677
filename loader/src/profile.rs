//! Engine profiles: the settings that artifact and host must share.

use wasmtime::{Collector, Config, Engine, Result, WasmBacktraceDetails};

/// A named set of engine settings. An artifact states its profile in the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EngineProfile {
    /// The settings of an unmodified Wasmtime 48.
    Default,
}

impl EngineProfile {
    /// The profile's name in a manifest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
        }
    }
}

/// The configuration that a host must use for artifacts of `profile`.
///
/// What artifacts do not depend on (the allocation strategy, stack sizes) is left at
/// Wasmtime's defaults and may be changed. The engine refuses artifacts whose settings
/// differ from its own, unless it is told not to compare versions
/// (`Config::module_version`), which a host must not do.
///
/// A program of the default profile cannot be interrupted: it has neither fuel nor epochs.
pub fn config(profile: EngineProfile) -> Config {
    let EngineProfile::Default = profile;
    let mut config = Config::new();
    // The defaults, but for what follows a cargo feature or the environment.
    config.collector(Collector::Copying);
    config.concurrency_support(true);
    config.wasm_backtrace_details(WasmBacktraceDetails::Disable);
    config
}

/// An engine for artifacts of `profile`.
///
/// # Errors
///
/// What Wasmtime says when it cannot be had on this machine.
pub fn engine(profile: EngineProfile) -> Result<Engine> {
    Engine::new(&config(profile))
}
