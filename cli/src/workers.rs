//! The processes that are started for what may crash or hang.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use edgec_compiler::{
    Assembler, CompilerProcess, Confinement, Deadline, FrontEnd, MachineError, Optimizer,
    VersionError, Wall, Worker, WorkerLimits,
};
use serde::Serialize;

use crate::failure::{Exit, Failure, chain};
use crate::machine::machine_failure;
use crate::number::{MEBIBYTES, SECONDS, number};
use crate::pipeline::Init;
use crate::render::safe;
use crate::{
    ASSEMBLER_WORKER, COMPILER_WORKER, FRONT_END_WORKER, INITIALIZER_WORKER, LAUNCHER_WORKER,
    WALLS_WORKER,
};

/// A day, in seconds.
const MAX_TIMEOUT: u64 = 86_400;

/// What the processes may take.
#[derive(clap::Args)]
pub(crate) struct WorkerArguments {
    /// Use this `wasm-opt` program instead of the built-in Binaryen; it is confined too, and can
    /// write no files (docs/environment.md)
    #[arg(long, value_name = "PROGRAM")]
    wasm_opt: Option<PathBuf>,
    /// Seconds of --compile-timeout that the optimizer may take, for all core modules of a program
    /// together
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = number(1..=MAX_TIMEOUT, SECONDS))]
    optimizer_timeout: u64,
    #[command(flatten)]
    limits: LimitArguments,
}

/// What the work on one program may take.
#[derive(clap::Args)]
pub(crate) struct LimitArguments {
    /// Seconds that all work on one program may take together: validation, `--init`, optimization
    /// and compilation for all targets
    #[arg(long, value_name = "SECONDS", default_value = "1800", value_parser = number(1..=MAX_TIMEOUT, SECONDS))]
    compile_timeout: u64,
    /// Memory that each process that works on the program may use (on Linux); up to four optimize
    /// at a time
    #[arg(long, value_name = "MIB", default_value = "8192", value_parser = number(64..=1 << 30, MEBIBYTES))]
    worker_memory: u64,
    /// Refuse to work on a program if this system cannot fully confine edgec's processes
    /// (docs/threat-model.md; `edgec host` says what it lacks)
    #[arg(long)]
    require_confinement: bool,
}

impl LimitArguments {
    /// How long the work on one program may take.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.compile_timeout)
    }

    /// The process that reads inputs.
    pub(crate) fn front_end(&self) -> Result<FrontEnd, Failure> {
        let worker = self.worker(FRONT_END_WORKER)?;
        Ok(FrontEnd { worker })
    }

    fn limits(&self) -> WorkerLimits {
        WorkerLimits {
            memory: self.worker_memory << 20,
            confinement: match self.require_confinement {
                true => Confinement::Required,
                false => Confinement::Offered,
            },
        }
    }

    fn worker(&self, verb: &str) -> Result<Worker, Failure> {
        worker(verb, self.limits()).map_err(|error| failure(&error))
    }
}

/// The processes of a build.
pub(crate) struct Workers {
    /// How long the work on one program may take.
    pub(crate) timeout: Duration,
    pub(crate) front_end: FrontEnd,
    pub(crate) optimizer: Optimizer,
    pub(crate) assembler: Assembler,
    pub(crate) compiler: CompilerProcess,
    initializer: Worker,
}

impl Workers {
    pub(crate) fn new(arguments: &WorkerArguments) -> Result<Self, Failure> {
        let limits = &arguments.limits;
        let optimizer_timeout = Duration::from_secs(arguments.optimizer_timeout);
        let program = arguments.wasm_opt.clone();
        Ok(Self {
            timeout: limits.timeout(),
            optimizer: optimizer(
                program,
                optimizer_timeout,
                limits.timeout(),
                limits.limits(),
            )?,
            front_end: limits.front_end()?,
            assembler: Assembler {
                worker: limits.worker(ASSEMBLER_WORKER)?,
            },
            compiler: CompilerProcess {
                worker: limits.worker(COMPILER_WORKER)?,
            },
            initializer: limits.worker(INITIALIZER_WORKER)?,
        })
    }

    /// The call of a function before everything else.
    pub(crate) fn init(&self, function: String) -> Init {
        Init::new(function, self.initializer.clone())
    }
}

/// The program that was named, or else the Binaryen in this program, in a process of its own. It
/// has `timeout` for its work, out of `whole`, which all work on a program has. An edgec without
/// Binaryen takes the `wasm-opt` on the path.
fn optimizer(
    program: Option<PathBuf>,
    timeout: Duration,
    whole: Duration,
    limits: WorkerLimits,
) -> Result<Optimizer, Failure> {
    #[cfg(feature = "binaryen")]
    let Some(program) = program else {
        return built_in(timeout, limits);
    };
    #[cfg(not(feature = "binaryen"))]
    let program = program.unwrap_or_else(|| "wasm-opt".into());
    let launcher = worker(LAUNCHER_WORKER, limits).map_err(|error| failure(&error))?;
    let shown = program.display().to_string();
    // No program has begun: what is left for it and what the optimizer may take begin now.
    let deadline = Deadline::after(whole).or_after(timeout);
    Optimizer::of_program(program, launcher, timeout, deadline)
        .map_err(|error| version_failure(&error).or_about(shown))
}

/// The Binaryen in this program.
#[cfg(feature = "binaryen")]
fn built_in(timeout: Duration, limits: WorkerLimits) -> Result<Optimizer, Failure> {
    use edgec_compiler::{BINARYEN_VERSION, Reads, Runs, Tool};
    Ok(Optimizer {
        program: std::env::current_exe().map_err(|error| failure(&error))?,
        arguments: vec![crate::OPTIMIZER_WORKER.into(), limits.to_string().into()],
        tool: Tool::Binaryen,
        version: BINARYEN_VERSION.to_owned(),
        timeout,
        memory: limits.memory,
        reads: Reads::Binaryen116,
        spared: std::collections::BTreeSet::new(),
        runs: Runs::InProcesses,
    })
}

/// What to do about a `wasm-opt` program that does not start or misses something.
const NOT_STARTED: &str = match cfg!(feature = "binaryen") {
    true => {
        "--wasm-opt names a program of Binaryen: see that the file is there and \
         runs here; it opens no other files, and starts only programs of the system, of its own \
         folder and of PATH (docs/environment.md)"
    }
    false => {
        "this edgec is built without Binaryen and starts the `wasm-opt` on PATH, or the one that \
         --wasm-opt names: see that it is there and runs here; it opens no other files, and starts \
         only programs of the system, of its own folder and of PATH (docs/environment.md)"
    }
};

/// Why a `wasm-opt` program did not tell its version, and what to do about it.
fn version_failure(error: &VersionError) -> Failure {
    let hint = match error {
        VersionError::Machine(MachineError::Program { message, .. }) => {
            let message = format!("it cannot be asked for its `--version`: {message}");
            return Failure::new(Exit::Environment, "optimizer", message).hint(NOT_STARTED);
        }
        VersionError::Machine(source) => return machine_failure(error, source),
        VersionError::Timeout { .. } => {
            "see that it answers `--version` and ends; --optimizer-timeout SECONDS and \
             --compile-timeout SECONDS give it more time"
        }
        VersionError::Memory { .. } => "--worker-memory MIB gives it more memory",
        _ => "--wasm-opt names a program of Binaryen, which answers `--version` with one line",
    };
    Failure::environment("optimizer", error).hint(hint)
}

/// This program as a worker, by the verb that makes it one.
pub(crate) fn worker(verb: &str, limits: WorkerLimits) -> io::Result<Worker> {
    Ok(Worker {
        program: std::env::current_exe()?,
        arguments: vec![verb.into()],
        memory: limits.memory,
        confinement: limits.confinement,
    })
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

/// What confines edgec's processes on this machine. As text it is one line, since it is a comment
/// in a host profile.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConfinementReport {
    /// Whether all walls stand; none if that is not known.
    confined: Option<bool>,
    /// The walls that stand.
    walls: Vec<String>,
    /// Those that this system does not give.
    missing: Vec<String>,
    /// Why nothing is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<String>,
}

impl fmt::Display for ConfinementReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.unknown {
            None if self.missing.is_empty() => {
                write!(
                    f,
                    "edgec's processes are confined: {}",
                    self.walls.join(", ")
                )
            }
            None => write!(
                f,
                "edgec's processes are not confined by all walls; missing: {}",
                self.missing.join(", ")
            ),
            Some(why) => write!(f, "what confines edgec's processes is not known: {why}"),
        }
    }
}

/// Asks a worker process what confines it.
pub(crate) fn confinement() -> ConfinementReport {
    let worker = worker(WALLS_WORKER, offered(64 << 20));
    let missing = worker.map_err(|error| error.to_string());
    let missing = missing.and_then(|worker| worker.missing_walls().map_err(|error| chain(&error)));
    match missing {
        Ok(names) => {
            let named = |wall: &String| names.split(", ").any(|name| name == wall);
            let all = Wall::ALL.iter().map(ToString::to_string);
            let (missing, walls): (Vec<String>, Vec<String>) = all.partition(named);
            ConfinementReport {
                confined: Some(missing.is_empty()),
                walls,
                missing,
                unknown: None,
            }
        }
        Err(why) => ConfinementReport {
            confined: None,
            walls: Vec::new(),
            missing: Vec::new(),
            unknown: Some(safe(&why)),
        },
    }
}
