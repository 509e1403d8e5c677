//! Compiles WebAssembly to native images: read, adapt, validate, initialize on request, flatten,
//! optimize, order, precompile.
//!
//! Each stage is a file and a function, in a folder by subject. The type shows the state of the
//! program:
//!
//! ```text
//! bytes ─ read ─▶ Input ─ adapt ─▶ ValidComponent ─ initialize, optimize, order, take_names ─▶ ValidComponent
//!      ─ precompile(target, profile) ─▶ NativeImage ─ strip ─▶ NativeImage, DebugSections
//!      ─ trim ─▶ NativeImage
//! ```
//!
//! This crate prints nothing, signs nothing and does not know the artifact format.

// `front_end` joins four folders: in one process, an input is read, compared with what its user
// demands, and prepared for the optimizer.
mod front_end;
mod gate;
mod lint;

/// From bytes to a valid component, or an error that says why not.
mod input {
    pub(crate) mod adapt;
    pub(crate) mod bodies;
    pub(crate) mod engine_faults;
    pub(crate) mod engine_limits;
    pub(crate) mod excerpt;
    pub(crate) mod features;
    pub(crate) mod found;
    pub(crate) mod interface;
    pub(crate) mod invalid;
    pub(crate) mod operands;
    pub(crate) mod preview1;
    pub(crate) mod read;
    pub(crate) mod source_line;
    pub(crate) mod text_place;
    pub(crate) mod totals;
    pub(crate) mod valid_component;
    pub(crate) mod validate;
    pub(crate) mod validator_limits;
    pub(crate) mod walk;
    pub(crate) mod wit;
}

/// The meaning of indices in a component, and counts that need it.
mod index {
    pub(crate) mod beyond;
    pub(crate) mod component_types;
    pub(crate) mod follow;
    pub(crate) mod inlining;
    pub(crate) mod resources;
    pub(crate) mod spaces;
}

/// Work on a program while it is still WebAssembly.
mod wasm {
    pub(crate) mod assembler;
    pub(crate) mod binaryen;
    pub(crate) mod component_names;
    pub(crate) mod component_writer;
    pub(crate) mod data_apart;
    pub(crate) mod finish;
    pub(crate) mod flatten;
    pub(crate) mod function_names;
    pub(crate) mod gain;
    pub(crate) mod indices;
    pub(crate) mod kept;
    pub(crate) mod last_steps;
    pub(crate) mod legacy_exceptions;
    pub(crate) mod module_parts;
    pub(crate) mod modules;
    pub(crate) mod names;
    pub(crate) mod optimize;
    pub(crate) mod order;
    pub(crate) mod outline;
    pub(crate) mod passes;
    pub(crate) mod prune_imports;
    pub(crate) mod reads;
    pub(crate) mod same_types;
    pub(crate) mod sections;
    pub(crate) mod set_aside;
    pub(crate) mod share_modules;
    pub(crate) mod spare;
    pub(crate) mod trim_exports;
}

/// The engine as a compiler: native code, and running a program at build time.
#[cfg(feature = "precompile")]
mod native {
    pub(crate) mod compiler_process;
    pub(crate) mod compiler_worker;
    pub(crate) mod function_pack;
    pub(crate) mod initialize;
    pub(crate) mod initializer;
    pub(crate) mod instance_state;
    pub(crate) mod kept_functions;
    pub(crate) mod precompile;
    pub(crate) mod recompile;
    pub(crate) mod settings;
}

/// Reads and writes native images and debug files.
mod image {
    #[cfg(feature = "precompile")]
    pub(crate) mod code_map;
    pub(crate) mod debug_info;
    pub(crate) mod elf;
    #[cfg(feature = "precompile")]
    pub(crate) mod load_parts;
    pub(crate) mod metadata;
    #[cfg(feature = "precompile")]
    pub(crate) mod native_image;
    #[cfg(feature = "precompile")]
    pub(crate) mod put_data;
    #[cfg(feature = "precompile")]
    pub(crate) mod rewrite;
    #[cfg(feature = "precompile")]
    pub(crate) mod strip;
    #[cfg(feature = "precompile")]
    pub(crate) mod trim;
}

/// Separate processes for work on hostile input: how they are started, limited and confined.
mod worker {
    pub(crate) mod answer;
    pub(crate) mod ask;
    pub(crate) mod deadline;
    pub(crate) mod environment;
    pub(crate) mod kept;
    pub(crate) mod launcher;
    pub(crate) mod limits;
    pub(crate) mod machine;
    pub(crate) mod missing_walls;
    pub(crate) mod parallel;
    pub(crate) mod process;
    pub(crate) mod reading;
    pub(crate) mod said;
    pub(crate) mod stage;
    pub(crate) mod stuck;
    pub(crate) mod threads;
    pub(crate) mod walls;
    pub(crate) mod wire;

    #[cfg(feature = "binaryen")]
    pub(crate) use self::answer::begin;
    pub use self::answer::panic_line;
    pub(crate) use self::answer::{answer, arguments, begin_behind, input, usage};
    #[cfg(test)]
    pub(crate) use self::ask::tests;
    pub(crate) use self::ask::text;
    pub use self::ask::{Worker, WorkerError, WorkerLimits};
    pub use self::reading::ReadError;
    pub(crate) use self::reading::{answer_read, read};
    pub use self::stage::{StageError, WorkerStage};
}

pub use edgec_targets::{EngineProfile, ProgramKind};
pub use front_end::{
    Ahead, Facts, FrontEnd, FrontEndError, FrontEndOutput, Intake, Next, RefusedInput,
    SnapshotError, front_end_worker,
};
pub use gate::violation::{Functions, Violation, Violations};
pub use gate::{Gate, ImportPattern, NeedLimits};
#[cfg(feature = "precompile")]
pub use image::code_map::{CodeMapProcess, FunctionCode, code_map_worker};
pub use image::debug_info::{DebugError, DebugInfo, Function, Lookup, Place};
#[cfg(feature = "precompile")]
pub use image::load_parts::{LoadItem, LoadPart};
#[cfg(feature = "precompile")]
pub use image::native_image::NativeImage;
#[cfg(feature = "precompile")]
pub use image::rewrite::{Image, ImageError};
#[cfg(feature = "precompile")]
pub use image::strip::DebugSections;
#[cfg(feature = "precompile")]
pub use image::trim::TrimError;
pub use index::resources::{Limits, Resources};
pub use input::adapt::{
    ADAPTER_VERSION, AdaptError, Adapted, Adapter, AddedTypes, Choice, ENCODER_VERSION, KindChoice,
    Why, adapt, adapt_with_wit,
};
pub use input::excerpt::{Excerpt, Instruction};
pub use input::features::supported_feature_names;
pub use input::interface::Interface;
pub use input::invalid::{Location, TextPlace, ValidateError};
pub use input::preview1::{Allocator, HostNeed, Lacks, Obstacle};
pub use input::read::{Input, InputError, NotAnInput, TEXT_VERSION, read};
pub use input::source_line::SourceLine;
pub use input::valid_component::ValidComponent;
pub use input::validate::validate;
pub use input::wit::{WitError, WitFile, WitPackage, WorldSource};
pub use lint::{
    Cause, CoreModule, Finding, Item, LintProcess, PoolLimit, Reason, Rule, Work, lint_worker,
};
#[cfg(feature = "precompile")]
pub use native::compiler_process::{CompilerProcess, Stripped};
#[cfg(feature = "precompile")]
pub use native::compiler_worker::compiler_worker;
#[cfg(feature = "precompile")]
pub use native::function_pack::{FunctionKey, functions_in};
#[cfg(feature = "precompile")]
pub use native::initialize::WIZER_VERSION;
#[cfg(feature = "precompile")]
pub use native::initializer::{InitError, Initializer, Snapshot, initializer_worker};
#[cfg(feature = "precompile")]
pub use native::precompile::{ENGINE_VERSION, PrecompileError, precompile};
#[cfg(feature = "precompile")]
pub use native::recompile::{Difference, Recompiled};
pub use wasm::assembler::{Assembler, assembler_worker};
pub use wasm::binaryen::{Optimize, OptimizeError, Optimizer, Runs, Tool, VersionError};
#[cfg(feature = "binaryen")]
pub use wasm::binaryen::{optimizer_worker, run_binaryen};
pub use wasm::finish::Finished;
pub use wasm::flatten::{Change, Flattened, KeptInstance, Reason as FlattenReason};
pub use wasm::kept::{BINARYEN_VERSION, Failure, Unfit};
pub use wasm::last_steps::LastSteps;
pub use wasm::legacy_exceptions::{LegacyProgram, OLDEST_TRANSLATOR, TranslateError, Translated};
pub use wasm::modules::{defined_functions, map_modules};
pub use wasm::names::{Names, take_names};
pub use wasm::optimize::{
    Flatten, KeptFunction, ModuleOutcome, ModuleReport, Optimized, Planned, PruneImports, Returned,
    Steps, optimize,
};
pub use wasm::order::order;
pub use wasm::passes::Level;
pub use wasm::prune_imports::NotPruned;
pub use wasm::reads::Reads;
pub use worker::deadline::{Deadline, Spent};
pub use worker::environment::{hidden_variables, hide_variable};
pub use worker::kept::{KeptAnswers, Question};
pub use worker::launcher::launcher_worker;
pub use worker::machine::{Limit, MachineError};
pub use worker::missing_walls::walls_worker;
pub use worker::walls::{Confinement, Opens, Wall, enter};
pub use worker::{
    ReadError, StageError, Worker, WorkerError, WorkerLimits, WorkerStage, panic_line,
};
