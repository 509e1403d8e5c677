//! Loads signed WebAssembly artifacts into Wasmtime: what a runtime links.
//!
//! `edgec build` compiles and signs. A host has a [`TrustPolicy`], which says whom it trusts. This
//! crate gives the host verified programs whose bytes no process can change any more. A file that
//! fails verification never reaches the engine.
//!
//! ```toml
//! [dependencies]
//! edgec-loader = "0.1"
//! # Only if the host gives WASI to its programs. The version is that of `edgec_loader::wasmtime`.
//! wasmtime-wasi = { version = "48", default-features = false, features = ["p2"] }
//! ```
//!
//! # A host
//!
//! This host runs a core module that answers with a number. The next section has a component.
//!
//! ```
//! use edgec_loader::wasmtime::{Linker, Store};
//! use edgec_loader::{
//!     EngineProfile, Expected, HostEngine, LoadError, TrustPolicy, VerifiedFile, load_module,
//! };
//!
//! fn answer(
//!     engine: &HostEngine,
//!     artifact: &std::path::Path,
//!     policy: &TrustPolicy,
//! ) -> Result<i32, Box<dyn std::error::Error>> {
//!     // The name says which application is expected. Another one is refused, although the policy
//!     // trusts its signer.
//!     let expected = Expected::application("acme/answer").in_channel("stable");
//!     let loaded = load_module(engine, artifact, policy, &expected)?;
//!     for check in loaded.checks() {
//!         println!("{}: {}", check.name, check.evidence);
//!     }
//!     // Once for each program.
//!     let program = loaded.instantiate_pre(&Linker::new(engine))?;
//!     // Once for each request: a new instance, with a deadline in ticks of the engine's clock.
//!     let mut store = Store::new(engine, ());
//!     store.set_epoch_deadline(100);
//!     let instance = program.instantiate(&mut store)?;
//!     let answer = instance.get_typed_func::<(), i32>(&mut store, "answer")?;
//!     Ok(answer.call(&mut store, ())?)
//! }
//!
//! // A host reads its policy from a file, again and again: `store::PolicyFile`.
//! let policy = TrustPolicy::from_toml(
//!     "threshold = 1
//! [[key]]
//! name = 'release'
//! pem = '''
//! -----BEGIN PUBLIC KEY-----
//! MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
//! -----END PUBLIC KEY-----
//! '''
//! ",
//! )?;
//! // Once for the process.
//! let engine = HostEngine::builder(EngineProfile::Edge).build()?;
//! let _ticker = engine.tick(std::time::Duration::from_millis(10));
//!
//! # let artifact = std::path::Path::new("../fuzz/seeds/verify/signed.cwasm");
//! // That key signed this artifact, but it is another application: a wrong name is not a
//! // wrong key. Each error has a code, which does not change between releases.
//! let error = answer(&engine, artifact, &policy).unwrap_err();
//! let error: &LoadError = error.downcast_ref().ok_or("another error")?;
//! assert!(matches!(error, LoadError::Unexpected(_)));
//! assert_eq!(error.code(), "application");
//! // No engine is needed to read a verified file.
//! let file = VerifiedFile::open(artifact, &policy, &Expected::application("signed"))?;
//! assert_eq!(file.manifest().target.id, "x86_64");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A component that uses WASI
//!
//! `wasmtime-wasi` gives a program its imports, and knows the types of its exports:
//!
//! ```no_run
//! use edgec_loader::wasmtime::Store;
//! use edgec_loader::wasmtime::component::{Linker, ResourceTable};
//! use edgec_loader::{EngineProfile, Expected, HostEngine, TrustPolicy, load};
//! use wasmtime_wasi::p2::bindings::sync::CommandPre;
//! use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
//!
//! /// The parts of its host that one run of a program sees.
//! struct Run {
//!     wasi: WasiCtx,
//!     table: ResourceTable,
//! }
//!
//! impl WasiView for Run {
//!     fn ctx(&mut self) -> WasiCtxView<'_> {
//!         let (ctx, table) = (&mut self.wasi, &mut self.table);
//!         WasiCtxView { ctx, table }
//!     }
//! }
//!
//! # fn host(policy: &TrustPolicy) -> Result<(), Box<dyn std::error::Error>> {
//! // Once for the process.
//! let engine = HostEngine::builder(EngineProfile::Edge).build()?;
//! let _ticker = engine.tick(std::time::Duration::from_millis(10));
//! let mut linker = Linker::<Run>::new(&engine);
//! wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
//!
//! // Once for each program.
//! let loaded = load(&engine, "hello.cwasm", policy, &Expected::application("acme/hello"))?;
//! let command = loaded.instantiate_pre(&linker)?.try_map(CommandPre::new)?;
//!
//! // Once for each run.
//! let wasi = WasiCtx::builder().inherit_stdio().build();
//! let table = ResourceTable::new();
//! let mut run = Store::new(&engine, Run { wasi, table });
//! run.set_epoch_deadline(100);
//! let instance = command.program().instantiate(&mut run)?;
//! let outcome = instance.wasi_cli_run().call_run(&mut run)?;
//! println!("{outcome:?}");
//! # Ok(())
//! # }
//! ```
//!
//! # Where to go on
//!
//! | for | see |
//! |---|---|
//! | a policy file that is read again, signed by a root key, with refusal of older versions | [`store::PolicyFile`] |
//! | loading in constant time, from a store that verified at admission | [`store::LoadFromStore`] |
//! | serving a name while newer versions come, or trust is withdrawn | [`store::Deployment`] |
//! | artifacts from a store or a registry of the host's own | [`store::ArtifactSource`], [`VerifiedFile::from_bytes`] |
//! | the artifact for this CPU, among several files | [`best_of`] |
//! | memory that is set up once for many instances | [`Limits::Pooled`], [`PoolPlan`] |
//! | large programs whose requests take no page faults | [`ResidentPages`] |
//! | an engine with settings of the host's own, or of a later patch | [`HostEngine::builder`] |
//! | logs and metrics of loads, refusals, verdicts and instances | [`Observer`], [`Event`] |
//! | why an artifact was refused | [`LoadError`], [`error_chain`] |
//!
//! Stores, deployments and policy files that are read again need Linux: they are in [`store`].
//! `docs/hosting.md` and `loader/examples` have two complete hosts to copy, for `wasi:cli` programs
//! and for `wasi:http` programs.
//!
//! # Time
//!
//! At each load, validities are compared with the system's clock, or with the host's own [`Clock`]:
//! of an engine ([`HostEngineBuilder::clock`]), of a policy's file
//! ([`store::PolicyFile::with_clock`]), of a store ([`store::ArtifactStore::with_clock`]). As long
//! as a clock does not know the time, for example a system clock that was never set, nothing is
//! loaded ([`LoadError::Clock`]). A monotonic clock measures how long ago a policy was read.
//!
//! # Cargo features
//!
//! - `async`: loads and refreshes on Tokio's threads for blocking work (`load_async`,
//!   `Deployment::refresh_async`). Calls into programs can be asynchronous without it.
//! - `tracing`: an [`Observer`] that writes events with the crate `tracing` (`trace`).
//!
//! `unsafe` is allowed only in the modules that hand verified code to the engine, or state that
//! bytes do not change.

#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs, unnameable_types)]

#[cfg(feature = "async")]
mod asynchronous;
mod best;
#[cfg(target_os = "linux")]
mod distrust;
mod engine;
mod engine_version;
mod error;
mod limits;
mod load;
mod loaded;
pub mod machine_memory;
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "hands verified code to the engine")]
mod mapped;
mod observer;
#[cfg(target_os = "linux")]
mod policy_source;
#[expect(unsafe_code, reason = "hands verified code to the engine")]
mod private;
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "asks the kernel for pages")]
mod resident;
#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "states that what the kernel sealed stays as it is"
)]
mod sealed;
#[cfg(target_os = "linux")]
pub mod store;

#[cfg(feature = "async")]
pub use asynchronous::{load_async, load_module_async};
pub use best::best_of;
/// The crate of verification, for everything around a policy and a manifest.
pub use edgec_verifier as verifier;
pub use edgec_verifier::{
    AcceptedSignature, ArtifactFileError, Check, CheckName, Clock, ClockError, Contradiction,
    Discount, Discounted, ENGINE_VERSION, EngineProfile, EngineVersion, Expected, GuardError,
    HostCpu, HostProfile, HostProfileError, KeyError, KeyId, LayoutError, LoadMode, LoadModeError,
    Manifest, Misfit, NameError, NewestPolicy, ParseVersionError, PolicyError, PolicyFileError,
    PolicyStateError, PoolLimits, PoolMisfit, ProgramKind, PublicKey, Refusal, Seen, Sha256Digest,
    Status, SystemClock, TrustPolicy, TrustedKey, Unfit, UnixTime, UnknownProfile, Verdict,
    VerifyError, VerityDigest, WayError, error_chain, remember,
};
pub use engine::{HostEngine, HostEngineBuilder, Ticker};
pub use error::LoadError;
pub use limits::{Limits, PlanError, PoolPlan};
pub use load::{VerifiedFile, load, load_module};
pub use loaded::{
    LoadReport, LoadTimes, Loaded, LoadedComponent, LoadedModule, LoadedModulePre, LoadedPre,
};
#[cfg(feature = "tracing")]
pub use observer::trace;
pub use observer::{Event, Observer};
#[cfg(target_os = "linux")]
pub use resident::{ResidentPages, Settled};
/// The engine: the patch of version 48 that the host links.
pub use wasmtime;
