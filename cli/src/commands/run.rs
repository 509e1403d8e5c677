//! `edgec run`: verify an artifact, then run the command in it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use edgec_loader::store::{Application, Store, StoreError};
use edgec_loader::{
    EngineProfile, HostEngine, HostProfile, Limits, LoadError, LoadedComponent, Status,
    VerifiedFile, VerifyError, best_of,
};
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::p2::bindings::sync::Command;
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::Outcome;
use crate::commands::{store, verify};
use crate::failure::{Exit, Failure, trace};
use crate::file_kind::{Wanted, explain_file};
use crate::render;
use crate::trust::{Trust, TrustArguments};

/// The exit code of a program that trapped, as Wasmtime's command line has it (128 +
/// SIGABRT).
const TRAPPED: u8 = 134;

/// Verify an artifact and run the `wasi:cli` command in it
///
/// The program's exit code is passed on, 0 or 1 as WASI 0.2 has it; 134 when it trapped. It
/// sees the arguments after the artifact, the variables and folders that are named, standard
/// input and output, and nothing else of this machine. Options of edgec go before the artifact.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten, next_help_heading = "Whom to trust")]
    trust: TrustArguments,
    /// Take the program from this store, by its name. EDGEC_STORE is not asked: without this option, what is named is a
    /// file, whatever the environment
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with = "name",
        help_heading = "Artifact"
    )]
    store: Option<PathBuf>,
    /// Another artifact of the same release: of all that are named, the one that fits this machine best is run
    #[arg(
        long,
        value_name = "ARTIFACT",
        conflicts_with = "store",
        help_heading = "Artifact"
    )]
    also: Vec<PathBuf>,
    /// A folder that the program may use, and the name that it sees
    #[arg(long, value_name = "HOST[::GUEST]", help_heading = "Program")]
    dir: Vec<String>,
    /// An environment variable for the program; without `=`, this process's own value
    #[arg(long, value_name = "NAME[=VALUE]", help_heading = "Program")]
    env: Vec<String>,
    /// The artifact, and after it the program's own arguments, whatever they look like
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_names = ["ARTIFACT", "ARGUMENT"],
        num_args = 1..,
        help_heading = None::<&str>
    )]
    program: Vec<OsString>,
}

/// What a command exports, up to the version.
const COMMAND: &str = "wasi:cli/run@0.2.";

/// More exports than these are not named where one is missing.
const MOST_EXPORTS: usize = 20;

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

pub(crate) fn run(arguments: Arguments) -> Outcome {
    let Some((artifact, program_arguments)) = arguments.program.split_first() else {
        return Err(Failure::usage("artifact", "no artifact is named"));
    };
    let path = Path::new(artifact);
    let trust = arguments.trust.resolve()?;
    let (engine, loaded) = match &arguments.store {
        Some(store) => from_store(store, path, &trust)?,
        None => from_file(path, &arguments.also, &trust)?,
    };
    for check in loaded.checks() {
        if check.status == Status::Warned {
            let evidence = render::safe(&check.evidence);
            eprintln!(
                "warning[{}]: {}: {evidence}",
                check.name,
                render::path(path)
            );
        }
    }
    // The program itself is asked: a manifest may only sum up what it exports.
    let program = loaded.program().component_type();
    let mut exports: Vec<&str> = program
        .exports(engine.engine())
        .map(|(name, _)| name)
        .collect();
    if !exports.iter().any(|name| name.starts_with(COMMAND)) {
        exports.sort_unstable();
        let more = match exports.len().saturating_sub(MOST_EXPORTS) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        exports.truncate(MOST_EXPORTS);
        let message = "this component is not a command: it does not export `wasi:cli/run`";
        return Err(Failure::new(Exit::Rejected, "not-a-command", message)
            .about(path.display())
            .hint(format!("it exports: {}{more}", exports.join(", "))));
    }
    let wasi = context(&arguments, path, program_arguments)?;
    run_command(&engine, &loaded, wasi)
}

fn from_file(
    path: &Path,
    also: &[PathBuf],
    trust: &Trust,
) -> Result<(HostEngine, LoadedComponent), Failure> {
    let open = |path: &Path| {
        let file = VerifiedFile::open(path, &trust.policy, &trust.expected);
        file.map_err(|error| file_failure(&error, path))
    };
    let mut verified = open(path)?;
    let mut taken = path;
    if !also.is_empty() {
        let mut files = vec![verified];
        for path in also {
            files.push(open(path)?);
        }
        let best = best_of(&HostProfile::here(), files);
        let (place, file) = best.map_err(|error| load_failure(&error))?;
        verified = file;
        let mut paths = std::iter::once(path).chain(also.iter().map(PathBuf::as_path));
        taken = paths.nth(place).unwrap_or(path);
    }
    let failed = |error: LoadError| load_failure(&error).about(taken.display());
    // A profile that this edgec does not have is refused by its name when it is loaded.
    let profile = verified.manifest().engine.profile.parse();
    let engine = engine(profile.unwrap_or(EngineProfile::Default))?;
    let loaded = verified.component(&engine).map_err(failed)?;
    Ok((engine, loaded))
}

fn from_store(
    at: &Path,
    application: &Path,
    trust: &Trust,
) -> Result<(HostEngine, LoadedComponent), Failure> {
    let store = Store::open(at).map_err(|error| store::failure(&error))?;
    let mut wanted = Application::new(application.to_string_lossy());
    if let Some(channel) = trust.expected.wanted_channel() {
        wanted = wanted.in_channel(channel);
    }
    // Not where the message has the name.
    let failed = |error: &LoadError| match error {
        LoadError::Store(StoreError::Unknown { .. } | StoreError::NoFit { .. }) => {
            load_failure(error)
        }
        _ => load_failure(error).or_about(application.display()),
    };
    let mut last = None;
    for profile in EngineProfile::ALL {
        let engine = engine(profile)?;
        match store.load(&engine, wanted.clone(), &trust.policy) {
            Ok(loaded) => return Ok((engine, loaded)),
            Err(error @ LoadError::Unfit(_)) => last = Some(error),
            // Says less than what is in the way of an artifact that is there.
            Err(error @ LoadError::Store(StoreError::NoFit { .. })) => {
                last.get_or_insert(error);
            }
            Err(error) => return Err(failed(&error)),
        }
    }
    let failure = last.map(|error| failed(&error));
    Err(failure.unwrap_or_else(|| Failure::usage("profile", "there are no engine profiles")))
}

fn engine(profile: EngineProfile) -> Result<HostEngine, Failure> {
    let engine = edgec_loader::engine(profile, &Limits::OnDemand);
    engine.map_err(|error| environment(&error))
}

/// The failure of a file, which may be of another kind.
pub(crate) fn file_failure(error: &LoadError, path: &Path) -> Failure {
    let failure = load_failure(error).about(path.display());
    match error {
        LoadError::Verify(VerifyError::Layout(_)) => explain_file(failure, path, Wanted::Artifact),
        _ => failure,
    }
}

pub(crate) fn load_failure(error: &LoadError) -> Failure {
    match error {
        LoadError::Verify(error) => verify::failure(error),
        LoadError::Io(error) => Failure::environment(
            "io",
            &std::io::Error::new(error.kind(), format!("cannot read: {error}")),
        ),
        LoadError::Kind { .. } => Failure::rejected(error.code(), error)
            .hint("`edgec run` runs components of the `wasi:cli` world"),
        LoadError::Store(error) => store::failure(error),
        LoadError::Mode { .. } => Failure::rejected(error.code(), error)
            .hint("load it from a store (`edgec store add`); fs-verity is for a file system that has the feature"),
        LoadError::Unfit(_) | LoadError::NoneFits { .. } => Failure::rejected(error.code(), error)
            .hint("`edgec targets --host` says which targets run here"),
        _ => Failure::rejected(error.code(), error),
    }
}

fn environment(error: &wasmtime::Error) -> Failure {
    Failure::new(Exit::Environment, "engine", format!("{error:#}"))
}

fn context(arguments: &Arguments, path: &Path, own: &[OsString]) -> Result<WasiCtx, Failure> {
    let mut wasi = WasiCtxBuilder::new();
    wasi.inherit_stdio();
    wasi.arg(path.file_name().unwrap_or_default().to_string_lossy());
    for argument in own {
        let Some(text) = argument.to_str() else {
            let message = "the program's arguments must be UTF-8, as WASI has them";
            return Err(Failure::usage("argument", message).about(argument.display()));
        };
        wasi.arg(text);
    }
    for variable in &arguments.env {
        match variable.split_once('=') {
            Some((name, value)) => {
                wasi.env(name, value);
            }
            None => {
                let value = std::env::var(variable).map_err(|error| {
                    Failure::usage("env", error.to_string()).about(format!("--env {variable}"))
                })?;
                wasi.env(variable, value);
            }
        }
    }
    for dir in &arguments.dir {
        let (host, guest) = dir.split_once("::").unwrap_or((dir, dir));
        wasi.preopened_dir(host, guest, FsPerms::ReadWrite)
            .map_err(|error| {
                Failure::new(Exit::Environment, "dir", format!("cannot open: {error:#}"))
                    .about(format!("--dir {dir}"))
            })?;
    }
    Ok(wasi.build())
}

fn run_command(engine: &HostEngine, loaded: &LoadedComponent, wasi: WasiCtx) -> Outcome {
    let mut linker = Linker::<State>::new(engine.engine());
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker).map_err(|error| environment(&error))?;
    let state = State {
        wasi,
        table: ResourceTable::new(),
    };
    let mut store = wasmtime::Store::new(engine.engine(), state);
    if engine.profile() == EngineProfile::Edge {
        // Nobody counts epochs here: the program runs until it ends.
        store.set_epoch_deadline(1);
    }
    let command = Command::instantiate(&mut store, loaded.program(), &linker)
        .map_err(|error| finished(&error))?;
    match command.wasi_cli_run().call_run(&mut store) {
        Ok(Ok(())) => Ok(ExitCode::SUCCESS),
        Ok(Err(())) => Ok(ExitCode::FAILURE),
        Err(error) => match error.downcast_ref::<I32Exit>() {
            // What a shell sees of an exit code is its low byte.
            Some(I32Exit(code)) => Ok(ExitCode::from((code & 0xff) as u8)),
            None => {
                // Names of functions are the program's.
                let trace = trace(&error);
                let lines = trace
                    .lines()
                    .map(|line| format!("  {}\n", render::safe(line)));
                eprint!(
                    "error[trap]: the program trapped\n{}",
                    lines.collect::<String>()
                );
                Ok(ExitCode::from(TRAPPED))
            }
        },
    }
}

/// An instantiation that failed: an import that this host lacks, a trap, or too little memory.
fn finished(error: &wasmtime::Error) -> Failure {
    if error.chain().any(|cause| cause.is::<std::io::Error>()) {
        return environment(error).hint(
            "an instance reserves address space: raise the limit where edgec is started (ulimit -v unlimited)",
        );
    }
    Failure::new(
        Exit::Rejected,
        "instantiate",
        format!("the program cannot be instantiated: {error:#}"),
    )
    .hint("`edgec run` offers what `wasi:cli` programs import; `edgec inspect` lists the imports")
}
