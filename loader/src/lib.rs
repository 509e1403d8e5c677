//! Loading signed artifacts into Wasmtime: what a runtime links.
//!
//! [`load`] takes a file and a trust policy and gives back a component that was verified
//! and whose bytes nobody can change any more; a file that does not verify never gets
//! near the engine. [`engine`] builds the engine that the artifacts fit.
//!
//! ```no_run
//! use edgec_loader::{EngineProfile, Expected, PublicKey, TrustPolicy, TrustedKey, engine, load};
//!
//! let key = PublicKey::from_pem(&std::fs::read_to_string("ci.pub.pem")?)?;
//! let policy = TrustPolicy::new(vec![TrustedKey { name: "ci".into(), key }], 1)?;
//! let engine = engine(EngineProfile::Default)?;
//! let loaded = load(&engine, "app.x86_64.cwasm", &policy, &Expected::application("app"))?;
//! println!("{} {}", loaded.manifest().name, loaded.manifest().version);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `unsafe` is allowed in this crate only: for mapping memory and for handing verified
//! code to the engine.

#![expect(
    unsafe_code,
    reason = "mapping memory and handing verified code to the engine"
)]

mod load;
mod private;
mod profile;
#[cfg(target_os = "linux")]
mod sealed;
#[cfg(target_os = "linux")]
#[allow(dead_code, reason = "the store calls it")]
mod verity;

pub use edgec_verifier::{
    AcceptedSignature, Check, CheckName, Contradiction, Discount, Discounted, Expected, KeyError,
    KeyId, Kind, LayoutError, Manifest, Misfit, PolicyError, PolicyFileError, PolicyStateError,
    PublicKey, Status, TrustPolicy, TrustedKey, Unfit, VerifyError, remember,
};
pub use load::{LoadError, LoadMode, Loaded, LoadedComponent, LoadedModule, load, load_module};
pub use profile::{EngineProfile, config, engine};
/// The engine, of the one version that the artifacts fit.
pub use wasmtime;
