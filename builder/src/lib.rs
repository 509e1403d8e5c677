//! Builds signed artifacts with reports, from the bytes of a program, a plan and a signer. Also
//! rebuilds an artifact from its input, and says what differs.
//!
//! ```text
//! input ─ Plan::compile ─▶ Program, Unsigned ─ sign ─▶ Signed ─ check ─▶ Built
//! manifest, input ─ Rebuild::new ─▶ Rebuild ─ differences ─▶ Vec<Difference>
//! ```
//!
//! Programs are not trusted, so all work on them happens in separate processes, of another program
//! or of this one: [`WorkerProgram`] says which. In this example, the program is its own worker. If
//! `edgec` is installed, [`WorkerProgram::find`] replaces the first and the third statement.
//!
//! ```rust,standalone_crate
//! use std::error::Error;
//!
//! use edgec_builder::{Limits, Plan, Recipe, Tools, WorkerProgram};
//! use edgec_compiler::{Confinement, EngineProfile};
//! use edgec_packager::SecretKey;
//!
//! fn main() -> Result<(), Box<dyn Error>> {
//!     if let Some(worked) = edgec_builder::answer(std::env::args_os().skip(1)) {
//!         return Ok(worked?);
//!     }
//!     let worker = WorkerProgram::this()?;
//!     let limits = Limits::new(Confinement::Offered);
//!     let recipe = Recipe::new(EngineProfile::default(), Tools::new(worker, &limits));
//!     let plan = Plan::new(recipe, edgec_targets::default_targets());
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
//! This crate prints nothing, writes no files and holds no private keys.

#![forbid(unsafe_code)]

mod at_once;
mod audit;
mod build;
mod check;
pub mod difference;
mod error;
mod fleet;
mod manifest;
mod pipeline;
mod plan;
mod prepared;
mod progress;
mod rebuild;
mod recipe;
mod room;
mod stages;
mod times;
mod tools;
pub mod unverified;
mod worker;

pub use at_once::at_once;
pub use build::{Built, BuiltArtifact, Program, Signed, Unsigned};
pub use check::self_check;
pub use error::{
    BuildError, FleetError, RebuildError, RoomError, SelfAuditError, SelfCheckError, TableError,
    UnknownSetting, Unserved,
};
pub use fleet::{FleetPlan, ServedHost};
pub use manifest::Release;
pub use plan::{DebugFiles, Plan, SelfAudit};
pub use prepared::{Initialized, Prepared};
pub use progress::{Progress, Step};
pub use rebuild::Rebuild;
pub use recipe::Recipe;
pub use room::check_room;
pub use times::{ArtifactTimes, Clock, Times};
pub use tools::{Limits, Tools};
pub use worker::{NoWorker, Role, WorkerProgram, answer};
