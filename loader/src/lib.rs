//! Loading signed artifacts into Wasmtime: what a runtime links.
//!
//! [`load`] takes a file and a trust policy and gives back a component that was verified
//! and whose bytes no process can change any more; a file that does not verify never gets
//! near the engine. [`engine`] builds the engine that the artifacts fit.
//!
//! ```no_run
//! use edgec_loader::{EngineProfile, Expected, Limits, PublicKey, TrustPolicy, TrustedKey};
//! use edgec_loader::{engine, load};
//!
//! let key = PublicKey::from_pem(&std::fs::read_to_string("ci.pub.pem")?)?;
//! let policy = TrustPolicy::new(vec![TrustedKey::new("ci", key)], 1)?;
//! let engine = engine(EngineProfile::Default, &Limits::OnDemand)?;
//! let loaded = load(&engine, "app.x86_64.cwasm", &policy, &Expected::application("app"))?;
//! println!("{} {}", loaded.manifest().name, loaded.manifest().version);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `unsafe` is allowed in the modules that hand verified code to the engine or state that bytes
//! stay as they are, and nowhere else.

mod best;
mod clock;
mod engine;
mod error;
mod limits;
mod load;
mod loaded;
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "hands verified code to the engine")]
mod mapped;
#[cfg(target_os = "linux")]
mod policy_source;
#[expect(unsafe_code, reason = "hands verified code to the engine")]
mod private;
#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "states that what the kernel sealed stays as it is"
)]
mod sealed;
#[cfg(target_os = "linux")]
pub mod store;

pub use best::best_of;
pub use edgec_verifier::{
    AcceptedSignature, Check, CheckName, Clock, ClockError, Contradiction, Discount, Discounted,
    EngineProfile, Expected, HostCpu, HostProfile, HostProfileError, KeyError, KeyId, Kind,
    LayoutError, LoadMode, Manifest, Misfit, NewestPolicy, PolicyError, PolicyFileError,
    PolicyStateError, PoolLimits, PoolMisfit, PublicKey, Refusal, Status, SystemClock, TrustPolicy,
    TrustedKey, Unfit, UnixTime, UnknownProfile, Verdict, VerifyError, error_chain, remember,
};
pub use engine::{HostEngine, Ticker, engine};
pub use error::LoadError;
pub use limits::{Limits, PlanError, PoolPlan};
pub use load::{VerifiedFile, load, load_module};
pub use loaded::{LoadReport, Loaded, LoadedComponent, LoadedModule, LoadedModulePre, LoadedPre};
/// The engine, of the one version that the artifacts fit.
pub use wasmtime;
