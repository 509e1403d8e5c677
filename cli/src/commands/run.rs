//! `edgec run`: verify an artifact, then run the command in it.

use std::path::PathBuf;
use std::process::ExitCode;

use edgec_loader::{EngineProfile, LoadError, LoadedComponent};
use wasmtime::Store;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::p2::bindings::sync::Command;
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::Outcome;
use crate::commands::verify;
use crate::failure::{Exit, Failure};
use crate::trust::TrustArguments;

/// The exit code of a program that trapped, as Wasmtime's command line has it (128 +
/// SIGABRT).
const TRAPPED: u8 = 134;

/// Verify an artifact and run the `wasi:cli` command in it
///
/// The program's exit code is passed on; 134 when it trapped. It sees the arguments after
/// the artifact, the variables and folders that are named, standard input and output, and
/// nothing else of this machine.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    trust: TrustArguments,
    /// A folder that the program may use, and the name that it sees
    #[arg(long, value_name = "HOST[::GUEST]")]
    dir: Vec<String>,
    /// An environment variable for the program; without `=`, this process's own value
    #[arg(long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// The artifact
    artifact: PathBuf,
    /// The program's arguments, after `--` when the first begins with a dash
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

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
    let path = &arguments.artifact;
    let policy = arguments.trust.policy()?;
    let engine =
        edgec_loader::engine(EngineProfile::Default).map_err(|error| environment(&error))?;
    let loaded = edgec_loader::load(&engine, path, &policy)
        .map_err(|error| load_failure(&error).about(path.display()))?;
    let wasi = context(&arguments)?;
    run_command(&engine, &loaded, wasi)
}

fn load_failure(error: &LoadError) -> Failure {
    match error {
        LoadError::Verify(error) => verify::failure(error),
        LoadError::Io(error) => Failure::environment(
            "io",
            &std::io::Error::new(error.kind(), format!("cannot read: {error}")),
        ),
        LoadError::Kind { .. } => Failure::rejected(error.code(), error)
            .hint("`edgec run` runs components of the `wasi:cli` world"),
        LoadError::Host(_) => Failure::rejected(error.code(), error)
            .hint("`edgec targets` says which targets run here"),
        _ => Failure::rejected(error.code(), error),
    }
}

fn environment(error: &wasmtime::Error) -> Failure {
    Failure::new(Exit::Environment, "engine", format!("{error:#}"))
}

fn context(arguments: &Arguments) -> Result<WasiCtx, Failure> {
    let mut wasi = WasiCtxBuilder::new();
    wasi.inherit_stdio();
    let program = arguments.artifact.file_name().unwrap_or_default();
    wasi.arg(program.to_string_lossy());
    wasi.args(&arguments.arguments);
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
            .map_err(|error| environment(&error).about(format!("--dir {dir}")))?;
    }
    Ok(wasi.build())
}

fn run_command(engine: &wasmtime::Engine, loaded: &LoadedComponent, wasi: WasiCtx) -> Outcome {
    let mut linker = Linker::<State>::new(engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker).map_err(|error| environment(&error))?;
    let state = State {
        wasi,
        table: ResourceTable::new(),
    };
    let mut store = Store::new(engine, state);
    let command = Command::instantiate(&mut store, loaded.program(), &linker)
        .map_err(|error| finished(&error))?;
    match command.wasi_cli_run().call_run(&mut store) {
        Ok(Ok(())) => Ok(ExitCode::SUCCESS),
        Ok(Err(())) => Ok(ExitCode::FAILURE),
        Err(error) => match error.downcast_ref::<I32Exit>() {
            // What a shell sees of an exit code is its low byte.
            Some(I32Exit(code)) => Ok(ExitCode::from((code & 0xff) as u8)),
            None => {
                eprintln!("error[trap]: the program trapped: {error:?}");
                Ok(ExitCode::from(TRAPPED))
            }
        },
    }
}

/// An instantiation that failed: an import that this host lacks, or a trap.
fn finished(error: &wasmtime::Error) -> Failure {
    Failure::new(
        Exit::Rejected,
        "instantiate",
        format!("the program cannot be instantiated: {error:#}"),
    )
    .hint("`edgec run` offers the interfaces of `wasi:cli`; `edgec inspect` lists what is imported")
}
