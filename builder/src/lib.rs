//! Builds signed artifacts with reports, from the bytes of a program, a plan and a signer. Also
//! rebuilds an artifact from its input, and says what differs.
//!
//! ```text
//! input ─ Plan::compile ─▶ Program, Unsigned ─ sign ─▶ Signed ─ check ─▶ Built
//! manifest, input ─ Rebuild::new ─▶ Rebuild ─ differences ─▶ Vec<Difference>
//! ```
//!
//! ```toml
//! [dependencies]
//! # This compiles Binaryen, which is C++. Without default features, a build takes a `wasm-opt`
//! # program (`Tools::with_wasm_opt`).
//! edgec-builder = "0.1"
//! ```
//!
//! Programs are not trusted, so all work on them happens in separate processes, of another program
//! or of this one: [`WorkerProgram`] says which. In this example, the program is its own worker. If
//! `edgec` is installed, [`WorkerProgram::find`] takes the place of the first two statements.
//!
//! ```rust,standalone_crate
//! use std::error::Error;
//!
//! use edgec_builder::targets::default_targets;
//! use edgec_builder::{
//!     Confinement, EngineProfile, Limits, Plan, Recipe, SecretKey, Tools, WorkerProgram,
//! };
//!
//! fn main() -> Result<(), Box<dyn Error>> {
//!     if let Some(worked) = edgec_builder::answer(std::env::args_os().skip(1)) {
//!         return Ok(worked?);
//!     }
//!     let worker = WorkerProgram::this()?;
//!     let limits = Limits::new(Confinement::Offered);
//!     let recipe = Recipe::new(EngineProfile::default(), Tools::new(worker, &limits));
//!     let mut plan = Plan::new(recipe, default_targets());
//!     plan.release.version = 7;
//!     let key = SecretKey::generate()?;
//!
//!     let input = b"(component)".to_vec();
//!     let (program, built) = plan.build("empty", input, &key, &())?;
//!     println!("{} ({:?})", program.name, built.times.total);
//!     for artifact in built.artifacts {
//!         println!("{}: {} bytes", artifact.target.id, artifact.bytes.len());
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # Where to go on
//!
//! | for | see |
//! |---|---|
//! | the kind, component types for a core module, the optimization level, merged core modules, a call at build time | the fields of [`Recipe`] |
//! | what is demanded of a program: a world, imports, limits | [`Plan::gate`], [`Gate`] |
//! | the release, debug files, the hosts that must be able to load the artifacts | the fields of [`Plan`], [`Release`], [`FleetPlan`] |
//! | one target or another set of targets | [`targets::find`], [`targets::all`] |
//! | time, memory and confinement of the processes | [`Limits`] |
//! | a `wasm-opt` program instead of the built-in Binaryen | [`Tools::with_wasm_opt`] |
//! | a key in a file, or one that is elsewhere: a token, a service | [`SecretKey`], [`Signer`] |
//! | work of the caller between compiling, signing and checking | [`Plan::compile`], [`Unsigned::sign`], [`Signed::check`] |
//! | the provenance of a build | [`Origin`], [`Unsigned::with_provenance`] |
//! | a build without a key | [`Unsigned::leave_unsigned`] |
//! | a display of the progress | [`Progress`] |
//! | why there is no artifact, or no worker program | [`BuildError`], [`WorkerProgramError`] |
//! | what an input compiles to, compared with an artifact | [`Rebuild`] |
//! | two manifests or two images, compared | [`difference`] |
//! | an artifact that is not verified | [`unverified`] |
//! | a file that says what a folder builds, and budgets | [`project`](mod@project) |
//! | several programs at a time, within a limit on memory | [`Lanes`] |
//!
//! This crate prints nothing, writes no files and holds no private keys. An error prints itself and
//! not its source: [`error_chain`](verifier::error_chain) prints both.

#![forbid(unsafe_code)]
#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs, unnameable_types)]

mod at_once;
mod audit;
mod build;
mod built;
#[cfg(target_os = "linux")]
pub mod cache;
mod check;
pub mod difference;
mod error;
mod fleet;
mod manifest;
mod pipeline;
mod plan;
mod prepared;
mod progress;
pub mod project;
mod provenance;
mod rebuild;
mod recipe;
mod room;
mod side_by_side;
mod stages;
mod times;
mod tools;
mod unsigned;
pub mod unverified;
mod worker;

/// The crate of the format: the parts of a manifest, envelopes, images.
pub use edgec_artifact as artifact;
/// The crate of the stages: what they find out, and why they fail.
pub use edgec_compiler as compiler;
/// The crate of signing.
pub use edgec_packager as packager;
/// The crate of the targets.
pub use edgec_targets as targets;
/// The crate of verification.
pub use edgec_verifier as verifier;

pub use build::{Program, Signed, Unsigned};
pub use built::{Built, BuiltArtifact, Stated};
pub use check::self_check;
pub use edgec_compiler::{
    Confinement, EngineProfile, Flatten, Gate, KindChoice, Level, PruneImports,
};
pub use edgec_packager::{SecretKey, Signer};
pub use edgec_targets::Target;
pub use error::{
    BuildError, FleetError, RebuildError, RoomError, SelfAuditError, SelfCheckError, TableError,
    UnknownSetting, Unserved,
};
pub use fleet::{FleetPlan, ServedHost};
pub use manifest::Release;
pub use plan::{DebugFiles, Plan, SelfAudit};
pub use prepared::{Initialized, Prepared, TranslatedExceptions};
pub use progress::{Progress, Step};
pub use provenance::Origin;
pub use rebuild::Rebuild;
pub use recipe::Recipe;
pub use room::check_room;
pub use side_by_side::{Lanes, peak_memory};
pub use times::{ArtifactTimes, Times};
pub use tools::{LegacyExceptions, Limits, Tools};
pub use worker::{Role, WorkerProgram, WorkerProgramError, answer};
