//! `edgec run`: verify an artifact, then run the command in it.

mod execute;

use std::env::VarError;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use edgec_loader::store::{Application, ArtifactStore, LoadFromStore as _, StoreError};
use edgec_loader::{
    Check, EngineProfile, HostEngine, HostProfile, LoadError, LoadedComponent, LoadedModule,
    ProgramKind, Status, VerifiedFile, best_of,
};
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use crate::Outcome;
use crate::companion::StatementArguments;
use crate::failure::{Exit, Failure};
use crate::failures::loader::{file_failure, load_failure, store_failure};
use crate::key_material::looks_like;
use crate::render;
use crate::trust::{Trust, TrustArguments};

/// Verify an artifact and run the command in it
///
/// Commands are components of the `wasi:cli` world and core modules of WASI preview 1. edgec passes
/// on the program's exit code (in WASI 0.2, a component has only 0 and 1); 134 means a trap. The
/// program sees its arguments, the named variables and folders, standard input and output, clocks
/// and random numbers, and nothing else of this machine.
///
/// Options of edgec go before or after the artifact. The program gets everything after `--`, and
/// everything from the first argument after the artifact that is not an option of edgec. After the
/// artifact, `--help` also goes to the program.
///
/// Put untrusted arguments after `--`: `edgec run --key K app.cwasm -- "$@"`. Otherwise, an
/// argument `--dir=/` would give the program a folder, and `--env=NAME` a variable.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten, next_help_heading = "Trust")]
    trust: TrustArguments,
    #[command(flatten, next_help_heading = "Trust")]
    statements: StatementArguments,
    /// Take the program from this store, by its name. EDGEC_STORE is ignored: without this option,
    /// the argument is always a file
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with_all = ["name", "provenance", "bundle", "StatementArguments"],
        help_heading = "Artifact"
    )]
    store: Option<PathBuf>,
    /// Another artifact of the same release; edgec runs the one that fits this machine best
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
    /// The artifact
    #[arg(required = true, help_heading = None::<&str>)]
    artifact: PathBuf,
    /// The program's own arguments
    #[arg(allow_hyphen_values = true, value_name = "ARGUMENT", help_heading = None::<&str>)]
    program: Vec<OsString>,
}

impl Arguments {
    /// If an option that edgec lacks went to the program instead, says so.
    fn explain(&self, failure: Failure) -> Failure {
        let options: &[&str] = match failure.code() {
            "no-trust" => &["--key", "--trust"],
            "no-release" => &["--release"],
            "no-timestamp" => &["--timestamp"],
            "no-notary" => &["--notary"],
            "no-provenance" => &["--provenance"],
            "no-log-proof" => &["--bundle"],
            _ => return failure,
        };
        let first = self.program.first();
        let is_help = first.is_some_and(|word| word == "--help" || word == "-h");
        if is_help && failure.code() == "no-trust" {
            return failure.hint(
                "`edgec run --help` is the help of edgec; for the program's help, name a public \
                 key with --key, or a trust policy with --trust",
            );
        }
        let words = self.program.iter().map(|word| word.to_string_lossy());
        let mut names = words.filter_map(|word| {
            let name = word.split('=').next().unwrap_or_default();
            options.iter().find(|option| **option == name)
        });
        let Some(option) = names.next() else {
            return failure;
        };
        // edgec's options ended at the program's first word, or at `--`.
        let behind = match first.map(|word| word.to_string_lossy()) {
            Some(first) if first.starts_with(*option) => "`--`".to_owned(),
            // An option may hold a secret of the program.
            Some(first) if !first.starts_with('-') && looks_like(first.as_bytes()).is_none() => {
                format!("`{first}`")
            }
            _ => "the program's first argument".to_owned(),
        };
        failure.hint(format!(
            "`{option}` after {behind} was given to the program; put it before the artifact"
        ))
    }
}

/// A verified program of either kind.
enum Program {
    Component(LoadedComponent),
    Module(LoadedModule),
}

impl Program {
    fn checks(&self) -> &[Check] {
        match self {
            Program::Component(component) => component.checks(),
            Program::Module(module) => module.checks(),
        }
    }
}

pub(crate) fn run(arguments: Arguments) -> Outcome {
    let path = arguments.artifact.as_path();
    let trust = arguments.trust.resolve_with(&arguments.statements);
    let trust = trust.map_err(|failure| arguments.explain(failure))?;
    let (engine, program) = match &arguments.store {
        Some(store) => from_store(store, path, &trust)?,
        None => from_file(path, &arguments.also, &trust)
            .map_err(|failure| arguments.explain(failure))?,
    };
    for check in program.checks() {
        if check.status == Status::Warned {
            let evidence = render::safe(&check.evidence);
            eprintln!(
                "warning[{}]: {}: {evidence}",
                check.name,
                render::path(path)
            );
        }
    }
    let wasi = context(&arguments, path)?;
    let shown = render::path(path);
    let done = match &program {
        Program::Component(component) => execute::component(&engine, component, wasi, &shown),
        Program::Module(module) => execute::module(&engine, module, wasi, &shown),
    };
    done.map_err(|failure| failure.or_about(path.display()))
}

fn from_file(
    path: &Path,
    also: &[PathBuf],
    trust: &Trust,
) -> Result<(HostEngine, Program), Failure> {
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
    // An unknown profile is refused by its name at the load.
    let profile = verified.manifest().engine.profile.parse();
    let engine = engine(profile.unwrap_or(EngineProfile::Default))?;
    let program = match verified.manifest().kind {
        ProgramKind::Component => verified.component(&engine).map(Program::Component),
        ProgramKind::Module => verified.module(&engine).map(Program::Module),
    };
    Ok((engine, program.map_err(failed)?))
}

fn from_store(
    at: &Path,
    application: &Path,
    trust: &Trust,
) -> Result<(HostEngine, Program), Failure> {
    let store = ArtifactStore::open(at).map_err(|error| store_failure(&error))?;
    let mut wanted = Application::new(application.to_string_lossy());
    if let Some(channel) = trust.expected.wanted_channel() {
        wanted = wanted.in_channel(channel);
    }
    // Not added if the message already has the name.
    let failed = |error: &LoadError| match error {
        LoadError::Store(StoreError::Unknown { .. } | StoreError::NoFit { .. }) => {
            load_failure(error)
        }
        // The bytes of the image were not hashed for this load.
        LoadError::Engine(_) => load_failure(error).about(application.display()).hint(
            "if the image is damaged, `edgec store verify` says so: then add the artifact again",
        ),
        _ => load_failure(error).or_about(application.display()),
    };
    let mut last = None;
    for profile in EngineProfile::ALL {
        let engine = engine(profile)?;
        let loaded = match store.load(&engine, wanted.clone(), &trust.policy) {
            // Only the manifest says which kind of program it is, and only a load reads the
            // manifest.
            Err(LoadError::Kind { .. }) => store
                .load_module(&engine, wanted.clone(), &trust.policy)
                .map(Program::Module),
            loaded => loaded.map(Program::Component),
        };
        match loaded {
            Ok(program) => return Ok((engine, program)),
            Err(error @ LoadError::Unfit(_)) => last = Some(error),
            // This error says less than the reason why an existing artifact does not fit.
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
    let engine = HostEngine::builder(profile).build();
    engine.map_err(|error| environment(&error))
}

fn environment(error: &wasmtime::Error) -> Failure {
    Failure::new(Exit::Environment, "engine", format!("{error:#}"))
}

fn context(arguments: &Arguments, path: &Path) -> Result<WasiCtxBuilder, Failure> {
    let mut wasi = WasiCtxBuilder::new();
    wasi.inherit_stdio();
    wasi.arg(path.file_name().unwrap_or_default().to_string_lossy());
    for argument in &arguments.program {
        let Some(text) = argument.to_str() else {
            let message = "the program's arguments must be UTF-8, as WASI requires";
            return Err(Failure::usage("argument", message).about(argument.display()));
        };
        wasi.arg(text);
    }
    for variable in &arguments.env {
        if variable.is_empty() || variable.starts_with('=') {
            // The text after `=` may be a secret.
            let failure = Failure::usage("env", "the variable has no name").about("--env");
            return Err(
                failure.hint("write --env NAME=VALUE, or --env NAME for this process's own value")
            );
        }
        match variable.split_once('=') {
            Some((name, value)) => {
                wasi.env(name, value);
            }
            None => {
                let value = std::env::var(variable).map_err(|error| {
                    // The error's own text contains the value, which may be a secret.
                    let message = match error {
                        VarError::NotPresent => "the variable is not set",
                        VarError::NotUnicode(_) => "the variable is not UTF-8 text",
                    };
                    Failure::usage("env", message)
                        .about(format!("--env {variable}"))
                        .hint("set it, or write --env NAME=VALUE")
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
    Ok(wasi)
}
