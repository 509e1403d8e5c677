//! The arguments of a build, and the plan that they result in.

use std::path::PathBuf;

use edgec_artifact::{MAX_VERSION, UnixTime, Validity};
use edgec_builder::{DebugFiles, Recipe, Release, SelfAudit};
use edgec_compiler::{EngineProfile, Flatten, KindChoice, Level, PruneImports};
use edgec_targets::Target;

use super::origin::{self, OriginArguments, Stated};
use crate::caching::{BuildCache, CacheArguments};
use crate::failure::Failure;
use crate::file_kind::Wanted;
use crate::fleet::{FleetArguments, FleetPlan};
use crate::gate::GateArguments;
use crate::naming::{self, Job, Output, Signing};
use crate::number::number;
use crate::render::{self, Format, with_sarif};
use crate::signer::{NamedSigner, SignerArguments};
use crate::wit::WitArguments;
use crate::workers::WorkerArguments;
use crate::{files, time};

/// Compile WebAssembly for each target, and sign the artifacts
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Components or core modules, binary (.wasm) or text (.wat); `-` is standard input
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// CPU to compile for, or several with commas; repeatable [default: x86_64,aarch64]
    #[arg(
        short,
        long = "target",
        value_name = "TARGET",
        value_delimiter = ',',
        help_heading = "Targets"
    )]
    targets: Vec<String>,
    #[command(flatten, next_help_heading = "Targets")]
    fleet: FleetArguments,
    /// A file for one artifact, else a folder for NAME.TARGET.cwasm [default: .]
    #[arg(short, long, value_name = "FILE|DIR", help_heading = "Output")]
    output: Option<PathBuf>,
    /// What a core module becomes: `auto` makes a component if the module carries component types,
    /// or uses WASI preview 1 and is proved to behave the same (docs/preview1.md); others stay core
    /// modules
    #[arg(long, value_name = "auto|component|module", default_value = "auto", value_parser = parse_kind, help_heading = "Program")]
    kind: KindChoice,
    #[command(flatten, next_help_heading = "Program")]
    wit: WitArguments,
    /// Call this export at build time, and start every instance from the resulting state
    /// (docs/init.md)
    #[arg(long, value_name = "FUNCTION", help_heading = "Program")]
    init: Option<String>,
    /// How much Binaryen optimizes each core module
    #[arg(short = 'O', value_name = "LEVEL", default_value = DEFAULT_LEVEL, value_parser = parse_level, help_heading = "Program")]
    level: Level,
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
    /// `edge`, hosts that interrupt programs and load them quickly
    #[arg(
        long,
        value_name = "default|edge",
        default_value = "default",
        help_heading = "Program"
    )]
    profile: EngineProfile,
    #[command(flatten, next_help_heading = "Demands")]
    gate: GateArguments,
    #[command(flatten, next_help_heading = "Limits and tools")]
    workers: WorkerArguments,
    #[command(flatten, next_help_heading = "Cache")]
    cache: CacheArguments,
    /// The application's name [default: the input's file name without its ending]
    #[arg(long, help_heading = "Release")]
    name: Option<String>,
    /// The application's version: a number that grows with each release
    #[arg(long, value_name = "NUMBER", default_value = "0", value_parser = number(0..=MAX_VERSION, VERSION), help_heading = "Release")]
    app_version: u64,
    /// The version as people write it
    #[arg(long, value_name = "TEXT", help_heading = "Release")]
    display_version: Option<String>,
    /// The release channel, such as `stable`
    #[arg(long, help_heading = "Release")]
    channel: Option<String>,
    /// When the artifact was issued, never taken from the clock: a date such as 2030-01-31, a time
    /// as in RFC 3339, or seconds since 1970 [default: SOURCE_DATE_EPOCH, if set]
    #[arg(long, value_name = "TIME", value_parser = time::parse_date, help_heading = "Release")]
    issued: Option<UnixTime>,
    /// The time from which the artifact may be used, written as for --issued; `+1d` counts from now
    #[arg(long, value_name = "TIME", value_parser = time::parse_limit, help_heading = "Release")]
    not_before: Option<UnixTime>,
    /// The time from which the artifact may no longer be used, written as for --issued; `+90d`
    /// counts from now
    #[arg(long, value_name = "TIME", value_parser = time::parse_limit, help_heading = "Release")]
    expires: Option<UnixTime>,
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
    /// Do not audit the compiled code; use this if the audit reports a false positive
    /// (docs/audit.md)
    #[arg(long, help_heading = "Limits and tools")]
    no_self_audit: bool,
    /// Print errors and warnings only
    #[arg(short, long, help_heading = "Output")]
    pub(super) quiet: bool,
    /// Also print what confines the processes that work on the program
    #[arg(short, long, conflicts_with = "quiet", help_heading = "Output")]
    pub(super) verbose: bool,
    #[command(flatten, next_help_heading = "Provenance")]
    origin: OriginArguments,
    /// Sign nothing, for builds that must not have a key, such as those of pull requests from
    /// forks: no host takes NAME.TARGET.unsigned.cwasm
    #[arg(long, conflicts_with_all = ["SignerArguments", "provenance"], help_heading = "Who signs")]
    unsigned: bool,
    #[command(flatten)]
    signer: SignerArguments,
}

/// Measured on real programs; docs/optimizer.md has the figures.
const DEFAULT_LEVEL: &str = "1";

/// What `--app-version` takes.
const VERSION: &str = "write a whole number; --display-version takes versions such as 1.2.3";

/// The maximum length of `--display-version`, in bytes: every manifest has room for it.
const MAX_DISPLAY_VERSION: usize = 1024;

/// <https://reproducible-builds.org/specs/source-date-epoch/>
fn source_date() -> Result<Option<UnixTime>, Failure> {
    const VARIABLE: &str = "SOURCE_DATE_EPOCH";
    let Some(text) = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let seconds = text.parse::<u64>();
    let seconds = seconds.map_err(|_| "not a number of seconds since 1970".to_owned());
    let seconds = seconds.and_then(time::checked);
    let failure = |message: String| Failure::usage("source-date", message).about(VARIABLE);
    seconds.map(Some).map_err(failure)
}

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

/// The resolved arguments. No later code parses a string in them.
pub(super) struct Plan {
    pub(super) build: edgec_builder::Plan,
    pub(super) fleet: Option<FleetPlan>,
    pub(super) jobs: Vec<Job>,
    pub(super) cache: Option<BuildCache>,
    /// What is known about the build, if its provenance is to be written.
    pub(super) provenance: Option<Stated>,
}

impl Plan {
    /// Finds everything that can be wrong with the arguments, before any work begins. Only the key
    /// itself can cause later errors: it is read when the programs are compiled.
    pub(super) fn new(arguments: Arguments) -> Result<(Self, Option<NamedSigner>), Failure> {
        let fleet = arguments.fleet.plan(arguments.profile)?;
        let targets = match &fleet {
            Some(fleet) => fleet.plan.targets().to_vec(),
            None => targets(&arguments.targets)?,
        };
        let validity = validity(&arguments)?;
        if arguments.name.is_some() && arguments.inputs.len() > 1 {
            let message = format!(
                "--name names one program, and there are {} inputs",
                arguments.inputs.len()
            );
            return Err(Failure::usage("name", message).hint("build each of them on its own"));
        }
        let stated = arguments.origin.stated()?;
        let release = release(&arguments, validity, &stated)?;
        let signing = match arguments.unsigned {
            true => Signing::Unsigned,
            false => Signing::Signed,
        };
        // An unsigned build reads no key, even if the environment names one.
        let keys = match signing {
            Signing::Unsigned => Vec::new(),
            Signing::Signed => arguments.signer.reads(),
        };
        files::refuse_stdin_twice(&[&arguments.inputs[..], &keys[..]].concat())?;
        let output = Output::new(
            arguments.output.as_deref(),
            arguments.inputs.len() * targets.len(),
            fleet.is_some(),
        )?;
        let jobs = naming::plan(
            &arguments.inputs,
            arguments.name.as_deref(),
            &targets,
            &output,
            signing,
        )?;
        let hosts = fleet.iter().flat_map(|fleet| fleet.files.iter().cloned());
        let read = what_is_read(&jobs, keys, hosts);
        spare_for_artifacts(&jobs, &read)?;
        if arguments.debug_file {
            spare_for_debug_files(&jobs, &read)?;
        }
        if arguments.origin.provenance {
            origin::spare(&jobs, &read)?;
        }
        let mut tools = arguments.workers.tools()?;
        tools.optimizer.spared = arguments.keep_modules.into_iter().collect();
        let cache = arguments.cache.open(&tools.program);
        if let Some(cache) = &cache {
            cache.serve(&mut tools);
        }
        let signer = match signing {
            Signing::Unsigned => None,
            Signing::Signed => Some(arguments.signer.named_or_development()?),
        };
        let mut recipe = Recipe::new(arguments.profile, tools);
        recipe.kind = arguments.kind;
        recipe.wit = arguments.wit.source()?;
        recipe.init = arguments.init;
        recipe.level = arguments.level;
        if arguments.no_flatten {
            recipe.flatten = Flatten::Leave;
        }
        if arguments.prune_imports {
            recipe.prune_imports = PruneImports::Unused;
        }
        let provenance = match arguments.origin.provenance {
            true => Some(stated.with_tools(&recipe)?),
            false => None,
        };
        let mut build = edgec_builder::Plan::new(recipe, targets);
        build.release = release;
        build.gate = arguments.gate.gate()?;
        build.fleet = fleet.as_ref().map(|fleet| fleet.plan.clone());
        if arguments.debug_file {
            build.debug_files = DebugFiles::Made;
        }
        if arguments.no_self_audit {
            build.self_audit = SelfAudit::Skipped;
        }
        let plan = Self {
            build,
            fleet,
            jobs,
            cache,
            provenance,
        };
        Ok((plan, signer))
    }
}

/// The time in which the artifacts may be used.
fn validity(arguments: &Arguments) -> Result<Validity, Failure> {
    let (issued, issued_by) = match arguments.issued {
        Some(issued) => (Some(issued), "--issued"),
        None => (source_date()?, "SOURCE_DATE_EPOCH"),
    };
    let validity = Validity::default()
        .with_issued(issued)
        .with_not_before(arguments.not_before)
        .with_expires(arguments.expires);
    refuse_never(&validity, issued_by)?;
    refuse_past(&validity)?;
    Ok(validity)
}

/// The release, as the artifacts state it.
fn release(arguments: &Arguments, validity: Validity, stated: &Stated) -> Result<Release, Failure> {
    if let Some(channel) = &arguments.channel {
        edgec_artifact::check_name(channel).map_err(|error| {
            Failure::usage("channel", render::safe(&error.to_string())).with_safe_message()
        })?;
    }
    if let Some(text) = &arguments.display_version
        && text.len() > MAX_DISPLAY_VERSION
    {
        let message = format!(
            "--display-version has {} bytes, and {MAX_DISPLAY_VERSION} is the limit",
            text.len()
        );
        return Err(Failure::usage("display-version", message));
    }
    let mut release = Release::default();
    release.version = arguments.app_version;
    release.display_version = arguments.display_version.clone();
    release.channel = arguments.channel.clone();
    release.validity = validity;
    let extensions = stated.source.extensions();
    release.extensions = extensions.map_err(|error| Failure::rejected("source", &error))?;
    Ok(release)
}

/// Refuses an artifact that expires before it becomes valid or is issued, because it would never
/// run.
fn refuse_never(validity: &Validity, issued_by: &str) -> Result<(), Failure> {
    let begins = [
        ("--not-before", validity.not_before),
        (issued_by, validity.issued),
    ];
    for (what, begin) in begins {
        let (Some(begin), Some(expires)) = (begin, validity.expires) else {
            continue;
        };
        if expires <= begin {
            let message = format!(
                "--expires ({expires}) is not after {what} ({begin}): \
                 the artifact would never be valid"
            );
            return Err(Failure::usage("validity", message));
        }
    }
    Ok(())
}

/// Refuses an artifact that has already expired, because it would never run.
fn refuse_past(validity: &Validity) -> Result<(), Failure> {
    let now = time::now()?;
    let Some(expires) = validity.expires.filter(|expires| *expires <= now) else {
        return Ok(());
    };
    let message = format!("--expires lies in the past: {expires}; it is now {now}");
    Err(Failure::usage("validity", message).hint("`--expires +90d` counts from now"))
}

/// Every file that a build reads.
fn what_is_read(
    jobs: &[Job],
    keys: Vec<PathBuf>,
    hosts: impl IntoIterator<Item = PathBuf>,
) -> Vec<PathBuf> {
    let inputs = jobs.iter().map(|job| job.input.clone());
    inputs.chain(keys).chain(hosts).collect()
}

/// Refuses to write an artifact over an input, a key or another kind of file, and to read standard
/// input twice.
fn spare_for_artifacts(jobs: &[Job], read: &[PathBuf]) -> Result<(), Failure> {
    let mut outputs = jobs.iter().flat_map(|job| &job.outputs);
    outputs.try_for_each(|(_, path)| files::spare(read, path, Wanted::Artifact))
}

/// The same for the debug files beside the artifacts.
fn spare_for_debug_files(jobs: &[Job], read: &[PathBuf]) -> Result<(), Failure> {
    let mut outputs = jobs.iter().flat_map(|job| &job.outputs);
    outputs
        .try_for_each(|(_, path)| files::spare(read, &naming::debug_file(path)?, Wanted::DebugFile))
}

fn targets(names: &[String]) -> Result<Vec<&'static Target>, Failure> {
    if names.is_empty() {
        return Ok(edgec_targets::default_targets());
    }
    let mut targets: Vec<&'static Target> = Vec::new();
    for name in names.iter().map(|name| name.trim()) {
        if name.is_empty() {
            let message = "the name of a target is missing";
            return Err(Failure::usage("unknown-target", message)
                .about("--target")
                .hint("put commas between names, as in `-t x86_64,aarch64`"));
        }
        let target = edgec_targets::find(name).map_err(|error| {
            let failure = Failure::usage("unknown-target", error.to_string());
            match (error.left_out, error.nearest.as_slice()) {
                (Some(reason), _) => failure.hint(format!("left out: {reason} (docs/targets.md)")),
                (None, _) if matches!(name, "native" | "host") => {
                    failure.hint("`edgec targets --host` lists what this machine runs, best first")
                }
                (None, []) => failure.hint("`edgec targets` lists them"),
                (None, nearest) => failure.hint(format!(
                    "did you mean {}? `edgec targets` lists all",
                    nearest.join(", ")
                )),
            }
        })?;
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    Ok(targets)
}
