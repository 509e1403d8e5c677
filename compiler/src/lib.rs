//! WebAssembly in, native image out: read, adapt, validate, initialize on request, optimize,
//! order, precompile.
//!
//! Each stage is a file and a function; the state of the program is in the type:
//!
//! ```text
//! bytes ─ read ─▶ Input ─ adapt ─▶ ValidComponent ─ initialize, optimize, order, take_names ─▶ ValidComponent
//!      ─ precompile(target, profile) ─▶ NativeImage ─ strip ─▶ NativeImage, DebugSections
//!      ─ trim ─▶ NativeImage
//! ```
//!
//! This crate prints nothing, signs nothing and does not know the artifact format.

mod adapt;
mod assembler;
mod beyond;
mod binaryen;
mod bodies;
#[cfg(feature = "precompile")]
mod code_map;
#[cfg(feature = "precompile")]
mod compiler_process;
mod component_types;
mod deadline;
mod debug_info;
mod elf;
mod engine_faults;
mod engine_limits;
mod environment;
mod features;
mod finish;
mod front_end;
mod function_names;
mod gain;
#[cfg(feature = "precompile")]
mod image;
#[cfg(feature = "precompile")]
mod initialize;
#[cfg(feature = "precompile")]
mod initializer;
mod inlining;
mod input;
#[cfg(feature = "precompile")]
mod instance_state;
mod interface;
mod launcher;
mod lint;
mod machine;
mod module_parts;
mod modules;
mod names;
mod operands;
mod optimize;
mod order;
mod outline;
mod parallel;
mod passes;
#[cfg(feature = "precompile")]
mod precompile;
mod preview1;
mod process;
mod resources;
mod sections;
mod set_aside;
#[cfg(feature = "precompile")]
mod settings;
mod share_modules;
mod spare;
#[cfg(feature = "precompile")]
mod strip;
mod stuck;
mod threads;
mod totals;
#[cfg(feature = "precompile")]
mod trim;
mod trim_exports;
mod validate;
mod validator_limits;
mod walls;
mod wire;
mod worker;

pub use adapt::{
    ADAPTER_VERSION, AdaptError, Adapted, Adapter, Choice, ENCODER_VERSION, KindChoice, Why, adapt,
};
pub use assembler::{AssembleError, Assembler, assembler_worker};
pub use binaryen::{
    BINARYEN_VERSION, Failure, Optimize, OptimizeError, Optimizer, Reads, Runs, Tool, VersionError,
};
#[cfg(feature = "binaryen")]
pub use binaryen::{optimizer_worker, run_binaryen};
#[cfg(feature = "precompile")]
pub use code_map::{CodeMapProcess, FunctionCode, code_map_worker};
#[cfg(feature = "precompile")]
pub use compiler_process::{CompilerProcess, Stripped, compiler_worker};
pub use deadline::{Deadline, Spent};
pub use debug_info::{DebugError, DebugInfo, Function, Lookup, Place};
pub use edgec_targets::EngineProfile;
pub use environment::{hidden_variables, hide_variable};
pub use features::supported_feature_names;
pub use finish::Finished;
pub use front_end::{
    Ahead, Facts, FrontEnd, FrontError, Fronted, Next, NotFronted, SnapshotError, front_end_worker,
};
#[cfg(feature = "precompile")]
pub use image::{Image, ImageError};
#[cfg(feature = "precompile")]
pub use initialize::WIZER_VERSION;
#[cfg(feature = "precompile")]
pub use initializer::{InitError, Initializer, Snapshot, initializer_worker};
pub use input::{Input, InputError, NotAnInput, TEXT_VERSION, read};
pub use interface::Interface;
pub use launcher::launcher_worker;
pub use lint::{
    Cause, CoreModule, Finding, Item, LintProcess, PoolLimit, Reason, Rule, Work, lint_worker,
};
pub use machine::{Limit, MachineError};
pub use modules::map_modules;
pub use names::{Names, take_names};
pub use optimize::{
    KeptFunction, Level, ModuleOutcome, ModuleReport, Optimized, Planned, Returned, Steps, optimize,
};
pub use order::order;
#[cfg(feature = "precompile")]
pub use precompile::{ENGINE_VERSION, NativeImage, PrecompileError, precompile};
pub use preview1::{Allocator, HostNeed, Lacks, Obstacle};
pub use resources::{Limits, Resources};
pub use spare::Unfit;
#[cfg(feature = "precompile")]
pub use strip::DebugSections;
#[cfg(feature = "precompile")]
pub use trim::TrimError;
pub use validate::{Location, ValidComponent, ValidateError, validate};
pub use walls::{Confinement, Opens, Wall, enter, walls_worker};
pub use worker::{ReadError, Worker, WorkerError, WorkerLimits, panic_line};

/// What a program is, in the terms of the engine: the two load differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Kind {
    /// A component (component model).
    Component,
    /// A core module.
    Module,
}

impl Kind {
    /// How worker processes are told.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Kind::Component => "component",
            Kind::Module => "module",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        let both = [Kind::Component, Kind::Module];
        both.into_iter().find(|kind| kind.name() == name)
    }
}
