//! The processes that are started for what may crash or hang.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use edgec_compiler::{BINARYEN_VERSION, CompilerProcess, Optimizer, Reads, Runs, Tool, Worker};

use crate::failure::Failure;
use crate::number::{MEBIBYTES, SECONDS, number};
use crate::pipeline::Init;
use crate::{COMPILER_WORKER, INITIALIZER_WORKER, OPTIMIZER_WORKER, secrets};

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
    /// How many seconds compiling may take for one program and target, and `--init` for a program
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = number(1..=MAX_TIMEOUT, SECONDS))]
    compile_timeout: u64,
    /// How much memory `--init`, compiling and each process that optimizes (up to four at a time)
    /// may use (on Linux)
    #[arg(long, value_name = "MIB", default_value = "8192", value_parser = number(64..=1 << 30, MEBIBYTES))]
    worker_memory: u64,
}

/// The processes of a build.
pub(crate) struct Workers {
    pub(crate) optimizer: Optimizer,
    pub(crate) compiler: CompilerProcess,
    initializer: Worker,
}

impl Workers {
    pub(crate) fn new(arguments: &WorkerArguments) -> Result<Self, Failure> {
        let memory = arguments.worker_memory << 20;
        let optimizer_timeout = Duration::from_secs(arguments.optimizer_timeout);
        let worker = |verb| {
            let timeout = Duration::from_secs(arguments.compile_timeout);
            worker(verb, timeout, memory).map_err(|error| failure(&error))
        };
        Ok(Self {
            optimizer: optimizer(arguments.wasm_opt.clone(), optimizer_timeout, memory)?,
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
    memory: u64,
) -> Result<Optimizer, Failure> {
    let Some(program) = program else {
        return Ok(Optimizer {
            program: std::env::current_exe().map_err(|error| failure(&error))?,
            arguments: vec![OPTIMIZER_WORKER.into(), memory.to_string().into()],
            tool: Tool::Binaryen,
            version: BINARYEN_VERSION.to_owned(),
            timeout,
            memory,
            reads: Reads::Binaryen116,
            spared: BTreeSet::new(),
            runs: Runs::InProcesses,
        });
    };
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
pub(crate) fn worker(verb: &str, timeout: Duration, memory: u64) -> io::Result<Worker> {
    Ok(Worker {
        program: std::env::current_exe()?,
        arguments: vec![verb.into()],
        timeout,
        memory,
    })
}

/// This program is not to be found.
fn failure(error: &io::Error) -> Failure {
    Failure::environment("worker", error)
}
