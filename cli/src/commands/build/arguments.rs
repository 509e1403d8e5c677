//! The arguments of a build.

use std::num::NonZero;
use std::path::PathBuf;
use std::thread::available_parallelism;

use edgec_artifact::{MAX_VERSION, UnixTime};
use edgec_builder::project::Settings;
use edgec_builder::{DebugFiles, Lanes};
use edgec_compiler::{EngineProfile, Flatten, KindChoice, Level, PruneImports};

use super::origin::OriginArguments;
use crate::caching::CacheArguments;
use crate::companion::{FLOOR, SERIAL};
use crate::fleet::FleetArguments;
use crate::gate::GateArguments;
use crate::naming::Signing;
use crate::number::{COUNT, MEBIBYTES, number};
use crate::render::{Format, with_sarif};
use crate::signer::SignerArguments;
use crate::wit::WitArguments;
use crate::workers::WorkerArguments;
use crate::{memory, time};

/// Compile WebAssembly for each target, and sign the artifacts
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Components or core modules, binary (.wasm) or text (.wat); `-` is standard input
    /// [default: those of the project: `edgec.toml` here, else in the nearest folder above]
    #[arg(value_name = "INPUT")]
    pub(super) inputs: Vec<PathBuf>,
    /// Build the components of this project (docs/project.md)
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "inputs",
        help_heading = "Project"
    )]
    pub(super) project: Option<PathBuf>,
    /// Build only the component of this name; repeatable
    #[arg(
        long = "component",
        value_name = "NAME",
        conflicts_with = "inputs",
        help_heading = "Project"
    )]
    pub(super) components: Vec<String>,
    /// The previous artifact, or the folder of the previous artifacts, for budgets that compare;
    /// nothing verifies it
    #[arg(long, value_name = "FILE|DIR", help_heading = "Project")]
    pub(super) baseline: Option<PathBuf>,
    /// CPU to compile for, or several with commas; repeatable [default: x86_64,aarch64]
    #[arg(
        short,
        long = "target",
        value_name = "TARGET",
        value_delimiter = ',',
        help_heading = "Targets"
    )]
    pub(super) targets: Vec<String>,
    #[command(flatten, next_help_heading = "Targets")]
    pub(super) fleet: FleetArguments,
    /// A file for one artifact, else a folder for NAME.TARGET.cwasm [default: .]
    #[arg(short, long, value_name = "FILE|DIR", help_heading = "Output")]
    pub(super) output: Option<PathBuf>,
    /// What a core module becomes: `auto` makes a component if the module carries component types,
    /// or uses WASI preview 1 and is proved to behave the same (docs/preview1.md); others stay core
    /// modules [default: auto]
    #[arg(long, value_name = "auto|component|module", value_parser = parse_kind, help_heading = "Program")]
    kind: Option<KindChoice>,
    #[command(flatten, next_help_heading = "Program")]
    pub(super) wit: WitArguments,
    /// Call this export at build time, and start every instance from the resulting state
    /// (docs/init.md)
    #[arg(long, value_name = "FUNCTION", help_heading = "Program")]
    init: Option<String>,
    /// How much Binaryen optimizes each core module [default: 1]
    #[arg(short = 'O', value_name = "LEVEL", value_parser = parse_level, help_heading = "Program")]
    level: Option<Level>,
    /// Do not merge the core modules of a component; `-O0` does not merge them either
    /// (docs/flatten.md)
    #[arg(long, help_heading = "Program")]
    no_flatten: bool,
    /// Remove the imports that nothing in a component uses, so that no host need grant them
    /// (docs/prune.md)
    #[arg(long, help_heading = "Program")]
    prune_imports: bool,
    /// Do not optimize the core module with this number (as in messages), or several with commas
    #[arg(
        long = "keep-module",
        value_name = "NUMBER",
        value_delimiter = ',',
        value_parser = parse_module,
        help_heading = "Program"
    )]
    keep_modules: Vec<usize>,
    /// The hosts that the code is for: `default`, any Wasmtime of the engine's major version;
    /// `edge`, hosts that interrupt programs and load them quickly [default: default]
    #[arg(long, value_name = "default|edge", help_heading = "Program")]
    profile: Option<EngineProfile>,
    #[command(flatten, next_help_heading = "Demands")]
    pub(super) gate: GateArguments,
    /// The largest number of inputs that are built at a time [default: the number of processors]
    #[arg(short, long, value_name = "NUMBER", value_parser = number(1..=MAX_JOBS, COUNT), help_heading = "Limits and tools")]
    jobs: Option<u64>,
    /// Memory that inputs which are built at a time may take together, by an estimate from their
    /// lengths [default: three quarters of what is available]
    #[arg(long, value_name = "MIB", value_parser = number(64..=1 << 30, MEBIBYTES), help_heading = "Limits and tools")]
    memory: Option<u64>,
    #[command(flatten, next_help_heading = "Limits and tools")]
    pub(super) workers: WorkerArguments,
    #[command(flatten, next_help_heading = "Cache")]
    pub(super) cache: CacheArguments,
    /// The application's name [default: the input's file name without its ending]
    #[arg(long, help_heading = "Release")]
    pub(super) name: Option<String>,
    /// The application's version: a number that grows with each release [default: 0]
    #[arg(long, value_name = "NUMBER", value_parser = number(0..=MAX_VERSION, VERSION), help_heading = "Release")]
    pub(super) app_version: Option<u64>,
    /// The version as people write it
    #[arg(long, value_name = "TEXT", help_heading = "Release")]
    pub(super) display_version: Option<String>,
    /// The release channel, such as `stable`
    #[arg(long, help_heading = "Release")]
    pub(super) channel: Option<String>,
    /// When the artifact was issued, never taken from the clock: a date such as 2030-01-31, a time
    /// as in RFC 3339, or seconds since 1970 [default: SOURCE_DATE_EPOCH, if set]
    #[arg(long, value_name = "TIME", value_parser = time::parse_date, help_heading = "Release")]
    pub(super) issued: Option<UnixTime>,
    /// The time from which the artifact may be used, written as for --issued; `+1d` counts from now
    #[arg(long, value_name = "TIME", value_parser = time::parse_limit, help_heading = "Release")]
    pub(super) not_before: Option<UnixTime>,
    /// The time from which the artifact may no longer be used, written as for --issued; `+90d`
    /// counts from now
    #[arg(long, value_name = "TIME", value_parser = time::parse_limit, help_heading = "Release")]
    pub(super) expires: Option<UnixTime>,
    /// Also write a release of the artifacts, with this serial and signed by the same key:
    /// NAME.release.json. The serial grows with every release (docs/releases-and-timestamps.md);
    /// `edgec release make` signs with another key
    #[arg(long, value_name = "SERIAL", value_parser = number(1..=MAX_VERSION, SERIAL), conflicts_with = "unsigned", help_heading = "Release")]
    pub(super) release: Option<u64>,
    /// The lowest version that may still run, for the release [default: 0]
    #[arg(long, value_name = "NUMBER", value_parser = number(0..=MAX_VERSION, FLOOR), requires = "release", help_heading = "Release")]
    pub(super) floor: Option<u64>,
    /// The format of the summary
    #[arg(
        long,
        value_parser = with_sarif(),
        default_value = "text",
        help_heading = "Output"
    )]
    pub(super) format: Format,
    /// Write a debug file beside each artifact, which names the functions of backtraces:
    /// NAME.TARGET.debug (`edgec symbolize`)
    #[arg(long, help_heading = "Output")]
    debug_file: bool,
    /// Build a program for the engine profile `edge` although this advisory concerns its code
    /// (`edgec advisories`); repeatable
    #[arg(long, value_name = "ID", help_heading = "Limits and tools")]
    pub(super) allow_advisory: Vec<String>,
    /// Do not audit the compiled code; use this if the audit reports a false positive
    /// (docs/audit.md)
    #[arg(long, help_heading = "Limits and tools")]
    pub(super) no_self_audit: bool,
    /// Print errors and warnings only
    #[arg(short, long, help_heading = "Output")]
    pub(super) quiet: bool,
    /// Also print what confines the processes that work on the program
    #[arg(short, long, conflicts_with = "quiet", help_heading = "Output")]
    pub(super) verbose: bool,
    #[command(flatten, next_help_heading = "Provenance")]
    pub(super) origin: OriginArguments,
    /// Sign nothing, for builds that must not have a key, such as those of pull requests from
    /// forks: no host takes NAME.TARGET.unsigned.cwasm
    #[arg(long, conflicts_with_all = ["SignerArguments", "provenance"], help_heading = "Who signs")]
    unsigned: bool,
    #[command(flatten)]
    pub(super) signer: SignerArguments,
}

/// More processes than this would only wait for each other.
const MAX_JOBS: u64 = 1024;

/// What `--app-version` takes.
const VERSION: &str = "write a whole number; --display-version takes versions such as 1.2.3";

fn parse_kind(text: &str) -> Result<KindChoice, &'static str> {
    KindChoice::named(text).ok_or("write auto, component or module")
}

fn parse_module(text: &str) -> Result<usize, &'static str> {
    let number = text.parse::<usize>();
    number.map_err(|_| "write the number of a core module; they are counted from 0")
}

fn parse_level(text: &str) -> Result<Level, &'static str> {
    Level::named(text).ok_or("write 0, 1, 2, 3, 4, s or z")
}

impl Arguments {
    /// Replaces the settings that the command line names.
    pub(super) fn replace(&self, settings: &mut Settings) {
        settings.kind = self.kind.unwrap_or(settings.kind);
        settings.level = self.level.unwrap_or(settings.level);
        settings.profile = self.profile.unwrap_or(settings.profile);
        if let Some(function) = &self.init {
            settings.init = Some(function.clone());
        }
        if !self.keep_modules.is_empty() {
            settings.spared = self.keep_modules.iter().copied().collect();
        }
        if self.no_flatten {
            settings.flatten = Flatten::Leave;
        }
        if self.prune_imports {
            settings.prune_imports = PruneImports::Unused;
        }
        if self.debug_file {
            settings.debug_files = DebugFiles::Made;
        }
    }

    /// Whether the artifacts are signed.
    pub(super) fn signing(&self) -> Signing {
        match self.unsigned {
            true => Signing::Unsigned,
            false => Signing::Signed,
        }
    }

    /// How many inputs may be built at a time.
    pub(super) fn lanes(&self) -> Lanes {
        let asked = self.jobs.and_then(|jobs| usize::try_from(jobs).ok());
        let asked = asked.and_then(NonZero::new);
        let programs = asked.or_else(|| available_parallelism().ok());
        let bytes = self.memory.map(|mebibytes| mebibytes << 20);
        let bytes = bytes.unwrap_or_else(memory::for_programs);
        Lanes::new(programs.unwrap_or(NonZero::<usize>::MIN), bytes)
    }
}
