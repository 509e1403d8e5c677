//! `edgec build`: from an input to signed artifacts, one for each target.
//!
//! validate, initialize on request, optimize, then for each target precompile, package, sign, verify. The
//! artifacts of one input are written when all of them exist.

mod audit;
mod failures;
mod init;
mod manifest;
mod progress;
mod report;
mod workers;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use edgec_artifact::{MAX_VERSION, Validity};
use edgec_compiler::{
    CompilerProcess, DebugInfo, EngineProfile, KindChoice, Level, Optimized, Optimizer,
};
use edgec_packager::{SignedArtifact, UnsignedArtifact};
use edgec_targets::Target;

use self::failures::{defect, precompile_failure};
use self::init::Init;
use self::manifest::Release;
use self::progress::Progress;
use self::report::{ArtifactReport, InputReport, Summary};
use self::workers::{optimizer, this_program};
use crate::cold_start::ColdStart;
use crate::commands::validate::{adapt_failure, input_failure};
use crate::failure::{Exit, Failure, code};
use crate::files::{self, Access};
use crate::naming::{self, Job, Output};
use crate::render::out;
use crate::render::{self, Format};
use crate::signer::{Signer, SignerArguments};
use crate::trust::self_check;
use crate::{COMPILER_WORKER, Outcome, signals, time};

/// Compile components for every target, and sign the artifacts
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Components or core modules, binary (.wasm) or text (.wat); `-` is standard input
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// CPU to compile for, or several with commas; repeatable [default: x86_64,aarch64]
    #[arg(short, long = "target", value_name = "TARGET", value_delimiter = ',')]
    targets: Vec<String>,
    /// A file for one artifact, else a folder for NAME.TARGET.cwasm [default: .]
    #[arg(short, long, value_name = "FILE|DIR")]
    output: Option<PathBuf>,
    /// What a core module becomes: `auto` makes a component of one that uses WASI preview 1
    #[arg(long, value_name = "auto|component|module", default_value = "auto", value_parser = parse_kind)]
    kind: KindChoice,
    /// Call this export now, and start every instance from the state that it leaves (docs/init.md)
    #[arg(long, value_name = "FUNCTION")]
    init: Option<String>,
    /// How much Binaryen optimizes each core module
    #[arg(short = 'O', value_name = "LEVEL", default_value = DEFAULT_LEVEL, value_parser = parse_level)]
    level: Level,
    /// Which hosts the code is for: `default`, any Wasmtime of the version; `edge`, hosts that
    /// interrupt what runs and load it quickly
    #[arg(long, value_name = "default|edge", default_value = "default", value_parser = parse_profile)]
    profile: EngineProfile,
    /// A `wasm-opt` program to use instead of the Binaryen that is built in
    #[arg(long, value_name = "PROGRAM")]
    wasm_opt: Option<PathBuf>,
    /// How many seconds the optimizer may take for one core module
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = clap::value_parser!(u64).range(1..=MAX_TIMEOUT))]
    optimizer_timeout: u64,
    /// How many seconds compiling may take for one program and target, and `--init` for a program
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = clap::value_parser!(u64).range(1..=MAX_TIMEOUT))]
    compile_timeout: u64,
    /// How much memory `--init`, optimizing and compiling may each use (on Linux)
    #[arg(long, value_name = "MIB", default_value = "8192", value_parser = clap::value_parser!(u64).range(64..=1 << 30))]
    worker_memory: u64,
    /// The application's name [default: the input's file name without its ending]
    #[arg(long)]
    name: Option<String>,
    /// The application's version: a number that grows with each release
    #[arg(long, value_name = "NUMBER", default_value = "0", value_parser = clap::value_parser!(u64).range(..=MAX_VERSION))]
    app_version: u64,
    /// The version as people write it
    #[arg(long, value_name = "TEXT")]
    display_version: Option<String>,
    /// The release channel, such as `stable`
    #[arg(long)]
    channel: Option<String>,
    /// When the artifact was issued, RFC 3339 or seconds since 1970; never taken from the clock
    /// [default: SOURCE_DATE_EPOCH, where it is set]
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    issued: Option<u64>,
    /// From when on the artifact may be used
    #[arg(long, value_name = "TIME", value_parser = time::parse_date)]
    not_before: Option<u64>,
    /// From when on the artifact may no longer be used
    #[arg(long, value_name = "TIME", value_parser = time::parse_date)]
    expires: Option<u64>,
    /// How the summary is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Write what symbolizes a backtrace beside each artifact: NAME.TARGET.debug (`edgec symbolize`)
    #[arg(long)]
    debug_file: bool,
    /// Print errors and warnings only
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    signer: SignerArguments,
}

/// A day, in seconds.
const MAX_TIMEOUT: u64 = 86_400;

/// Measured on real programs; docs/optimizer.md has the figures.
const DEFAULT_LEVEL: &str = "1";

/// <https://reproducible-builds.org/specs/source-date-epoch/>
fn source_date() -> Result<Option<u64>, Failure> {
    const VARIABLE: &str = "SOURCE_DATE_EPOCH";
    let Some(text) = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let seconds = text.parse();
    seconds.map(Some).map_err(|_| {
        Failure::usage("source-date", "not a number of seconds since 1970").about(VARIABLE)
    })
}

fn parse_kind(text: &str) -> Result<KindChoice, &'static str> {
    match text {
        "auto" => Ok(KindChoice::Auto),
        "component" => Ok(KindChoice::Component),
        "module" => Ok(KindChoice::Module),
        _ => Err("one of auto, component, module"),
    }
}

fn parse_profile(text: &str) -> Result<EngineProfile, &'static str> {
    EngineProfile::named(text).ok_or("one of default, edge")
}

fn parse_level(text: &str) -> Result<Level, &'static str> {
    let level = Level::ALL.into_iter().find(|level| level.name() == text);
    level.ok_or("one of 0, 1, 2, 3, 4, s, z")
}

/// The arguments, resolved: nothing in here is a string that something still parses.
struct Plan {
    kind: KindChoice,
    init: Option<Init>,
    level: Level,
    profile: EngineProfile,
    debug_file: bool,
    optimizer: Optimizer,
    compiler: CompilerProcess,
    release: Release,
    signer: Signer,
    jobs: Vec<Job>,
}

pub(crate) fn run(arguments: Arguments) -> Outcome {
    let format = arguments.format;
    let quiet = arguments.quiet;
    let plan = resolve(arguments)?;
    let mut summary = Summary::new(&plan.signer);
    let mut worst: Option<Exit> = None;
    let progress = Progress::new(quiet || format == Format::Json);
    for job in &plan.jobs {
        let input = render::path(&job.input);
        let result = guarded(|| build(job, &plan, &progress));
        progress.clear();
        let report = match result {
            Ok(report) => {
                report.print_warnings();
                if format == Format::Text && !quiet {
                    report.print_notes();
                    out!("{}", report.text());
                }
                report
            }
            Err(failure) => {
                worst = worst.max(Some(failure.exit()));
                let failure = failure.or_about(&input);
                if format == Format::Text {
                    failure.print();
                }
                InputReport::failed(input, failure)
            }
        };
        summary.inputs.push(report);
    }
    match format {
        Format::Json => render::json(&summary),
        Format::Text if !quiet => out!("{}", summary.closing()),
        Format::Text => {}
    }
    Ok(worst.map_or(ExitCode::SUCCESS, code))
}

/// Runs the work on one input. A panic in a tool below is this input's failure, not the end
/// of the run.
fn guarded<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let message = "a tool gave up on this input; nothing was written";
        Err(Failure::new(Exit::Rejected, "internal", message)
            .hint("this is a defect: please report it with the input"))
    })
}

fn resolve(arguments: Arguments) -> Result<Plan, Failure> {
    let targets = targets(&arguments.targets)?;
    let validity = Validity {
        issued: arguments.issued.or(source_date()?),
        not_before: arguments.not_before,
        expires: arguments.expires,
    };
    if validity
        .expires
        .is_some_and(|until| until <= validity.not_before.unwrap_or(0))
    {
        return Err(Failure::usage(
            "validity",
            "--expires is not after --not-before: the artifact would never be valid",
        ));
    }
    if arguments.name.is_some() && arguments.inputs.len() > 1 {
        return Err(Failure::usage("name", "--name fits one input only"));
    }
    if let Some(channel) = &arguments.channel {
        edgec_artifact::check_name(channel)
            .map_err(|error| Failure::usage("channel", render::safe(&error.to_string())))?;
    }
    let output = Output::new(
        arguments.output.as_deref(),
        arguments.inputs.len() * targets.len(),
    )?;
    let jobs = naming::plan(
        &arguments.inputs,
        arguments.name.as_deref(),
        &targets,
        &output,
    )?;
    spare_what_is_read(&jobs, &arguments.signer, arguments.debug_file)?;
    let timeout = Duration::from_secs(arguments.optimizer_timeout);
    let memory = arguments.worker_memory << 20;
    let compiler = CompilerProcess {
        program: this_program()?,
        arguments: vec![COMPILER_WORKER.into()],
        timeout: Duration::from_secs(arguments.compile_timeout),
        memory,
    };
    let plan = Plan {
        kind: arguments.kind,
        init: arguments.init.map(|f| Init::new(f, &compiler)),
        level: arguments.level,
        profile: arguments.profile,
        debug_file: arguments.debug_file,
        optimizer: optimizer(arguments.wasm_opt, timeout, memory)?,
        compiler,
        release: Release {
            version: arguments.app_version,
            display_version: arguments.display_version,
            channel: arguments.channel,
            validity,
        },
        signer: arguments.signer.signer_or_development()?,
        jobs,
    };
    Ok(plan)
}

/// No artifact goes where an input or a key lies, and standard input is one thing.
fn spare_what_is_read(
    jobs: &[Job],
    signer: &SignerArguments,
    debug_file: bool,
) -> Result<(), Failure> {
    let inputs = jobs.iter().map(|job| job.input.clone());
    let read: Vec<PathBuf> = inputs.chain(signer.reads()).collect();
    for (_, path) in jobs.iter().flat_map(|job| &job.outputs) {
        files::spare(&read, path)?;
        if debug_file {
            files::spare(&read, &naming::debug_file(path)?)?;
        }
    }
    Ok(())
}

fn targets(names: &[String]) -> Result<Vec<&'static Target>, Failure> {
    if names.is_empty() {
        return Ok(edgec_targets::default_targets());
    }
    let mut targets: Vec<&'static Target> = Vec::new();
    for name in names {
        let target = edgec_targets::find(name).map_err(|error| {
            let failure = Failure::usage("unknown-target", error.to_string());
            match error.nearest.as_slice() {
                [] => failure.hint("`edgec targets` lists them"),
                nearest => failure.hint(format!(
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

fn build(job: &Job, plan: &Plan, progress: &Progress) -> Result<InputReport, Failure> {
    let begin = Instant::now();
    let bytes = files::read(&job.input)?;
    let input = edgec_compiler::read(&bytes).map_err(|error| input_failure(&error))?;
    let from_text = input.is_from_text();
    let adapted = edgec_compiler::adapt(input, plan.kind).map_err(|error| adapt_failure(&error))?;
    let kind = adapted.component.kind();
    let validated = begin.elapsed();

    let before = adapted.component.bytes().len();
    let (component, initialized) = match &plan.init {
        Some(init) => {
            progress.initializing(&job.name, &init.function);
            let (component, done) = init.run(&adapted.component)?;
            (component, Some(done))
        }
        None => (adapted.component, None),
    };

    let begin = Instant::now();
    let mut optimized =
        edgec_compiler::optimize(component, plan.level, &plan.optimizer, |number, length| {
            progress.optimizing(&job.name, number, length);
        });
    if plan.profile == EngineProfile::Edge {
        optimized.component = edgec_compiler::order(optimized.component);
    }
    let optimizing = begin.elapsed();
    let cold_start = ColdStart::of_program(&optimized.component, plan.compiler.memory);
    let names;
    (optimized.component, names) = edgec_compiler::take_names(optimized.component);

    // Kept in memory until all of them exist: whoever stops a build finds nothing new.
    let mut written = Vec::new();
    let mut artifacts = Vec::new();
    for (target, path) in &job.outputs {
        let begin = Instant::now();
        progress.compiling(&job.name, target);
        let image = plan
            .compiler
            .precompile(&optimized.component, target, plan.profile);
        let mut image = image.map_err(|error| precompile_failure(&error))?;
        let debug = image.strip(&names).map_err(|error| defect(&error))?;
        image.trim().map_err(|error| defect(&error))?;
        let compiling = begin.elapsed();
        let facts = manifest::Facts {
            release: &plan.release,
            name: &job.name,
            input: &bytes,
            from_text,
            adapter: adapted.adapter,
            init: initialized.as_ref(),
            level: plan.level,
            optimizer: &plan.optimizer,
            optimized: &optimized,
            profile: plan.profile,
        };
        let manifest = facts.manifest(&image);
        let begin = Instant::now();
        let image = image.into_bytes();
        let debug = match plan.debug_file {
            true => Some((naming::debug_file(path)?, debug_file(debug, &image)?)),
            false => None,
        };
        let signed = package(image, manifest, plan)?;
        artifacts.push(ArtifactReport::new(
            target,
            path,
            &signed,
            debug.as_ref().map(|(path, _)| path.as_path()),
            compiling,
            begin.elapsed(),
        ));
        written.push((path.clone(), signed.into_bytes()));
        written.extend(debug);
    }
    write(&written)?;
    Ok(InputReport::new(
        job,
        kind,
        adapted.adapter,
        report::Work {
            input: bytes.len(),
            before,
            initialized,
            level: plan.level,
            validated,
            optimizing,
        },
        &optimized,
        cold_start,
        artifacts,
    ))
}

/// The debug file of an image, under the digest by which the image is known.
fn debug_file(mut debug: DebugInfo<'_>, image: &[u8]) -> Result<Vec<u8>, Failure> {
    let build_id = edgec_artifact::verity::digest(image).0;
    let placed = debug.place(image, build_id);
    placed.map_err(|error| defect(&error))?;
    Ok(debug.write())
}

/// All of them, or none.
fn write(files: &[(PathBuf, Vec<u8>)]) -> Result<(), Failure> {
    signals::uninterrupted(|| {
        let mut staged = Vec::new();
        for (path, bytes) in files {
            if let Some(folder) = path.parent() {
                files::create_folder(folder)?;
            }
            staged.push(files::stage(path, bytes, Access::Public)?);
        }
        staged.into_iter().try_for_each(files::Staged::commit)
    })
}

/// Packages, signs, and checks the result as a host would.
fn package(
    image: Vec<u8>,
    manifest: impl FnOnce(edgec_artifact::Image) -> edgec_artifact::Manifest,
    plan: &Plan,
) -> Result<SignedArtifact, Failure> {
    let unsigned = UnsignedArtifact::new(image, manifest);
    let signed = plan.signer.attach(unsigned, Vec::new())?;
    let manifest = self_check(signed.as_bytes(), &plan.signer.public())?;
    audit::check(signed.as_bytes(), &manifest)?;
    Ok(signed)
}

/// The modules that the optimizer left as they were, for warnings and manifests.
fn kept(optimized: &Optimized) -> impl Iterator<Item = (usize, &edgec_compiler::Failure)> {
    use edgec_compiler::ModuleOutcome;
    optimized
        .modules
        .iter()
        .enumerate()
        .filter_map(|(number, module)| match &module.outcome {
            ModuleOutcome::Kept(failure) => Some((number, failure)),
            ModuleOutcome::Optimized { .. } => None,
        })
}
