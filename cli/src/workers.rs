//! The processes that are started for what may crash or hang.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use edgec_compiler::{
    BINARYEN_VERSION, CompilerProcess, Confinement, FrontEnd, Optimizer, Reads, Runs, Tool, Wall,
    Worker, WorkerLimits,
};

use crate::failure::{Failure, chain};
use crate::number::{MEBIBYTES, SECONDS, number};
use crate::pipeline::Init;
use crate::render::safe;
use crate::{
    COMPILER_WORKER, FRONT_END_WORKER, INITIALIZER_WORKER, OPTIMIZER_WORKER, WALLS_WORKER, secrets,
};

/// What processes may take by default: 600 s and 8 GiB.
const TIMEOUT: Duration = Duration::from_secs(600);
const MEMORY: u64 = 8 << 30;

/// A day, in seconds.
const MAX_TIMEOUT: u64 = 86_400;

/// What the processes may take.
#[derive(clap::Args)]
pub(crate) struct WorkerArguments {
    /// A `wasm-opt` program to use instead of the Binaryen that is built in
    #[arg(long, value_name = "PROGRAM")]
    wasm_opt: Option<PathBuf>,
    /// How many seconds the optimizer may take for all core modules of a program together
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = number(1..=MAX_TIMEOUT, SECONDS))]
    optimizer_timeout: u64,
    /// How many seconds compiling may take for one program and target; and validating, and `--init`,
    /// for a program
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = number(1..=MAX_TIMEOUT, SECONDS))]
    compile_timeout: u64,
    /// How much memory validating, `--init`, compiling and each process that optimizes (up to four at a time)
    /// may use (on Linux)
    #[arg(long, value_name = "MIB", default_value = "8192", value_parser = number(64..=1 << 30, MEBIBYTES))]
    worker_memory: u64,
    /// Refuse to work on a program where this system cannot confine all of edgec's processes
    /// (docs/threat-model.md; `edgec host` says what it lacks)
    #[arg(long)]
    require_confinement: bool,
}

/// The processes of a build.
pub(crate) struct Workers {
    pub(crate) front_end: FrontEnd,
    pub(crate) optimizer: Optimizer,
    pub(crate) compiler: CompilerProcess,
    initializer: Worker,
}

impl Workers {
    pub(crate) fn new(arguments: &WorkerArguments) -> Result<Self, Failure> {
        let memory = arguments.worker_memory << 20;
        let optimizer_timeout = Duration::from_secs(arguments.optimizer_timeout);
        let confinement = match arguments.require_confinement {
            true => Confinement::Required,
            false => Confinement::Offered,
        };
        let limits = WorkerLimits {
            memory,
            confinement,
        };
        let worker = |verb| {
            let timeout = Duration::from_secs(arguments.compile_timeout);
            worker(verb, timeout, limits).map_err(|error| failure(&error))
        };
        Ok(Self {
            optimizer: optimizer(arguments.wasm_opt.clone(), optimizer_timeout, limits)?,
            front_end: FrontEnd {
                worker: worker(FRONT_END_WORKER)?,
            },
            compiler: CompilerProcess {
                worker: worker(COMPILER_WORKER)?,
            },
            initializer: worker(INITIALIZER_WORKER)?,
        })
    }

    /// The call of a function before everything else.
    pub(crate) fn init(&self, function: String) -> Init {
        Init::new(function, self.initializer.clone())
    }
}

/// The Binaryen in this program, in a process of its own, or the program that was named.
fn optimizer(
    program: Option<PathBuf>,
    timeout: Duration,
    limits: WorkerLimits,
) -> Result<Optimizer, Failure> {
    let memory = limits.memory;
    let Some(program) = program else {
        return Ok(Optimizer {
            program: std::env::current_exe().map_err(|error| failure(&error))?,
            arguments: vec![OPTIMIZER_WORKER.into(), limits.to_string().into()],
            tool: Tool::Binaryen,
            version: BINARYEN_VERSION.to_owned(),
            timeout,
            memory,
            reads: Reads::Binaryen116,
            spared: BTreeSet::new(),
            runs: Runs::InProcesses,
        });
    };
    if limits.confinement == Confinement::Required {
        let message = "a `wasm-opt` program is not confined by edgec";
        let failure = Failure::usage("confinement", message);
        return Err(failure.hint("leave out --wasm-opt or --require-confinement"));
    }
    let mut version = std::process::Command::new(&program);
    let output = secrets::without_secrets(version.arg("--version")).output();
    let version = match output {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout);
            text.lines().next().unwrap_or_default().trim().to_owned()
        }
        Ok(output) => {
            let message = format!("`--version` ended with {}", output.status);
            let error = std::io::Error::other(message);
            return Err(Failure::environment("optimizer", &error).about(program.display()));
        }
        Err(error) => {
            return Err(Failure::environment("optimizer", &error).about(program.display()));
        }
    };
    Ok(Optimizer {
        program,
        arguments: Vec::new(),
        tool: Tool::WasmOpt,
        version,
        timeout,
        memory,
        reads: Reads::Everything,
        spared: BTreeSet::new(),
        runs: Runs::InProcesses,
    })
}

/// This program as a worker, by the verb that makes it one.
pub(crate) fn worker(verb: &str, timeout: Duration, limits: WorkerLimits) -> io::Result<Worker> {
    Ok(Worker {
        program: std::env::current_exe()?,
        arguments: vec![verb.into()],
        timeout,
        memory: limits.memory,
        confinement: limits.confinement,
    })
}

/// Reads an input for a verb that has no options for its limits.
pub(crate) fn front_end() -> Result<FrontEnd, Failure> {
    let worker = worker(FRONT_END_WORKER, TIMEOUT, offered(MEMORY));
    let worker = worker.map_err(|error| failure(&error))?;
    Ok(FrontEnd { worker })
}

/// The limits of a worker that reads what a file says, and may have this much memory.
pub(crate) const fn offered(memory: u64) -> WorkerLimits {
    WorkerLimits {
        memory,
        confinement: Confinement::Offered,
    }
}

/// The failure if this program's own path is not known.
fn failure(error: &io::Error) -> Failure {
    Failure::environment("worker", error)
}

/// What confines edgec's processes on this machine, in a line for people.
pub(crate) fn confinement() -> String {
    let worker = worker(WALLS_WORKER, Duration::from_secs(10), offered(64 << 20));
    let missing = worker.map_err(|error| error.to_string());
    let missing = missing.and_then(|worker| worker.missing_walls().map_err(|error| chain(&error)));
    match missing {
        Ok(none) if none.is_empty() => {
            let all: Vec<String> = Wall::ALL.iter().map(ToString::to_string).collect();
            format!("edgec's processes are confined: {}", all.join(", "))
        }
        Ok(missing) => {
            format!("edgec's processes are not confined by all walls; missing: {missing}")
        }
        // On one line, since it is a comment in a host profile.
        Err(why) => format!(
            "what confines edgec's processes is not known: {}",
            safe(&why)
        ),
    }
}
