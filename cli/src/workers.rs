//! Starts the processes for work that may crash or hang.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use edgec_builder::{LegacyExceptions, Limits, Role, Tools, WorkerProgram};
use edgec_compiler::{CompilerProcess, Confinement, FrontEnd, Wall, WorkerLimits};
use serde::Serialize;

use crate::failure::{Failure, chain};
use crate::failures::compiler::version_failure;
use crate::number::{MEBIBYTES, SECONDS, number};
use crate::render::safe;

/// A day, in seconds.
const MAX_TIMEOUT: u64 = 86_400;

/// What the processes may take.
#[derive(clap::Args)]
pub(crate) struct WorkerArguments {
    /// Use this `wasm-opt` program instead of the built-in Binaryen; it is confined too, and can
    /// write no files (docs/environment.md); from version 118 on, it also translates legacy
    /// exceptions (docs/optimizer.md)
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
    /// Memory limit of each process that works on the program (on Linux); up to four processes run
    /// at the same time for each input
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
        let worker = program()?.worker(Role::FrontEnd, self.limits().of_worker());
        Ok(FrontEnd { worker })
    }

    /// The process that compiles.
    pub(crate) fn compiler(&self) -> Result<CompilerProcess, Failure> {
        let worker = program()?.worker(Role::Compiler, self.limits().of_worker());
        let functions = None;
        Ok(CompilerProcess { worker, functions })
    }

    fn limits(&self) -> Limits {
        let mut limits = Limits::new(match self.require_confinement {
            true => Confinement::Required,
            false => Confinement::Offered,
        });
        limits.timeout = self.timeout();
        limits.memory = self.worker_memory << 20;
        limits
    }
}

impl WorkerArguments {
    /// The processes of a build.
    pub(crate) fn tools(&self) -> Result<Tools, Failure> {
        self.tools_or(None)
    }

    /// The same. If the command line names no `wasm-opt`, this one is used.
    pub(crate) fn tools_or(&self, wasm_opt: Option<PathBuf>) -> Result<Tools, Failure> {
        let mut limits = self.limits.limits();
        limits.optimizer_timeout = Duration::from_secs(self.optimizer_timeout);
        let wasm_opt = self.wasm_opt.clone().or(wasm_opt);
        let is_named = wasm_opt.is_some();
        #[cfg(feature = "binaryen")]
        let Some(wasm_opt) = wasm_opt else {
            return Ok(Tools::new(program()?, &limits));
        };
        // An edgec without Binaryen takes the `wasm-opt` on the path.
        #[cfg(not(feature = "binaryen"))]
        let wasm_opt = wasm_opt.unwrap_or_else(|| "wasm-opt".into());
        let shown = wasm_opt.display().to_string();
        let mut tools = Tools::with_wasm_opt(program()?, &limits, wasm_opt)
            .map_err(|error| version_failure(&error).or_about(shown))?;
        // A program that only happens to be on the path translates nothing.
        if !is_named {
            tools.legacy_exceptions = LegacyExceptions::Refused;
        }
        Ok(tools)
    }
}

/// This program, which is its own worker.
pub(crate) fn program() -> Result<WorkerProgram, Failure> {
    WorkerProgram::this().map_err(|error| Failure::environment("worker", &error))
}

/// What confines edgec's processes on this machine. The text is one line, because it is a comment
/// in a host profile.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConfinementReport {
    /// Whether the system can fully confine them. `None` if that is unknown.
    confined: Option<bool>,
    /// The means of confinement that the system has.
    walls: Vec<String>,
    /// The means of confinement that the system lacks.
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
    let limits = WorkerLimits {
        memory: 64 << 20,
        confinement: Confinement::Offered,
    };
    let program = WorkerProgram::this().map_err(|error| chain(&error));
    let missing = program.and_then(|program| {
        let worker = program.worker(Role::Walls, limits);
        worker.missing_walls().map_err(|error| chain(&error))
    });
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
