//! The program whose processes do the work on an input.
//!
//! Every stage on an untrusted program runs in a separate process: the worker program, started with
//! a verb for its part of the work. Any program can be the worker program, also the caller's own,
//! if it first calls [`answer`]. `edgec` is one.

use std::env::consts::EXE_SUFFIX;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use edgec_compiler::{ENGINE_VERSION, Worker, WorkerLimits};

/// A part of the work that runs in its own processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// Reads, validates and adapts an input.
    FrontEnd,
    /// Runs a component and takes a snapshot of it.
    Initializer,
    /// Runs Binaryen on one core module.
    Optimizer,
    /// Runs another `wasm-opt` program in a sandbox.
    Launcher,
    /// Puts an optimized program together.
    Assembler,
    /// Compiles a program for one target.
    Compiler,
    /// Asks the engine what slows instantiation.
    Lint,
    /// Reads the engine's table in an image.
    CodeMap,
    /// Reports which parts of the sandbox are missing.
    Walls,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 9] = [
        Self::FrontEnd,
        Self::Initializer,
        Self::Optimizer,
        Self::Launcher,
        Self::Assembler,
        Self::Compiler,
        Self::Lint,
        Self::CodeMap,
        Self::Walls,
    ];

    /// The first argument of a process with this role.
    const fn verb(self) -> &'static str {
        match self {
            Self::FrontEnd => "__front-end",
            Self::Initializer => "__init",
            Self::Optimizer => "__wasm-opt",
            Self::Launcher => "__launch",
            Self::Assembler => "__assemble",
            Self::Compiler => "__precompile",
            Self::Lint => "__lint",
            Self::CodeMap => "__code-map",
            Self::Walls => "__walls",
        }
    }

    fn work(self, arguments: impl Iterator<Item = OsString>) -> Result<(), String> {
        match self {
            Self::FrontEnd => edgec_compiler::front_end_worker(arguments),
            Self::Initializer => edgec_compiler::initializer_worker(arguments),
            #[cfg(feature = "binaryen")]
            Self::Optimizer => edgec_compiler::optimizer_worker(arguments),
            #[cfg(not(feature = "binaryen"))]
            Self::Optimizer => Err("this program is built without Binaryen".to_owned()),
            Self::Launcher => edgec_compiler::launcher_worker(arguments),
            Self::Assembler => edgec_compiler::assembler_worker(arguments),
            Self::Compiler => edgec_compiler::compiler_worker(arguments),
            Self::Lint => edgec_compiler::lint_worker(arguments),
            Self::CodeMap => edgec_compiler::code_map_worker(arguments),
            Self::Walls => edgec_compiler::walls_worker(arguments),
        }
    }
}

/// The verb that asks a program for its version as a worker.
const VERSION_VERB: &str = "__worker";

/// Whether this program called [`answer`]. Otherwise it cannot be its own worker.
static ANSWERS: AtomicBool = AtomicBool::new(false);

/// Does the work of a worker process, if this process was started as one. Call it first in `main`,
/// with the arguments after the program's name. If it returns a result, end the process: write a
/// failure to standard error, and exit with a code other than 0. `None` means that the process was
/// not started as a worker.
pub fn answer(arguments: impl IntoIterator<Item = OsString>) -> Option<Result<(), String>> {
    ANSWERS.store(true, Ordering::Relaxed);
    let mut arguments = arguments.into_iter();
    let verb = arguments.next()?;
    if verb == VERSION_VERB {
        let told = io::stdout().write_all(version().as_bytes());
        return Some(told.map_err(|error| error.to_string()));
    }
    let role = Role::ALL.into_iter().find(|role| verb == role.verb())?;
    Some(role.work(arguments))
}

/// The versions that builder and worker must share, because each reads what the other sends.
fn version() -> String {
    let edgec = env!("CARGO_PKG_VERSION");
    format!("edgec {edgec} with wasmtime {ENGINE_VERSION}\n")
}

/// A worker program of this version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerProgram(PathBuf);

/// Why no worker program can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerProgramError {
    /// No `edgec` was found.
    #[error(
        "there is no worker program: no `edgec` lies beside this program or in a folder of PATH; \
         name one (WorkerProgram::named), or make this program its own worker: call \
         edgec_builder::answer first in `main`, then WorkerProgram::this"
    )]
    NotFound,
    /// This program has not called [`answer`].
    #[error(
        "this program is not its own worker: call edgec_builder::answer first in `main`, or name a \
         worker program (WorkerProgram::named)"
    )]
    NoAnswer,
    /// The path of this program is not known.
    #[error("the path of this program is not known")]
    Path(#[source] io::Error),
    /// The program does not start.
    #[error("the worker program {} does not start", program.display())]
    NotStarted {
        /// The program.
        program: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The program is not a worker, or a worker of another version.
    #[error("{} is not a worker of this version ({})", program.display(), version().trim_end())]
    Other {
        /// The program.
        program: PathBuf,
    },
}

impl WorkerProgram {
    /// The running program. It must have called [`answer`]: otherwise it would start itself without
    /// end.
    ///
    /// # Errors
    ///
    /// [`WorkerProgramError::NoAnswer`] and [`WorkerProgramError::Path`].
    pub fn this() -> Result<Self, WorkerProgramError> {
        if !ANSWERS.load(Ordering::Relaxed) {
            return Err(WorkerProgramError::NoAnswer);
        }
        std::env::current_exe()
            .map(Self)
            .map_err(WorkerProgramError::Path)
    }

    /// The program at this path: an `edgec`, or another program that calls [`answer`] first. It is
    /// started once, to ask for its version.
    ///
    /// # Errors
    ///
    /// [`WorkerProgramError::NotStarted`] and [`WorkerProgramError::Other`].
    pub fn named(program: impl Into<PathBuf>) -> Result<Self, WorkerProgramError> {
        let program = program.into();
        let mut command = Command::new(&program);
        command.arg(VERSION_VERB).stdin(Stdio::null());
        command.stderr(Stdio::null());
        match command.output() {
            Ok(output) => match output.status.success() && output.stdout == version().as_bytes() {
                true => Ok(Self(program)),
                false => Err(WorkerProgramError::Other { program }),
            },
            Err(source) => Err(WorkerProgramError::NotStarted { program, source }),
        }
    }

    /// The `edgec` beside the running program, else the first one in the folders of the variable
    /// `PATH`. Folders there that are not absolute are ignored.
    ///
    /// # Errors
    ///
    /// [`WorkerProgramError::NotFound`], or that the program has another version.
    pub fn find() -> Result<Self, WorkerProgramError> {
        let name = format!("edgec{EXE_SUFFIX}");
        let this = std::env::current_exe().ok();
        let beside = this.as_deref().and_then(Path::parent);
        let beside = beside.map(Path::to_owned);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
        let mut programs = beside.into_iter().chain(folders).map(|it| it.join(&name));
        match programs.find(|program| program.is_file()) {
            Some(program) => Self::named(program),
            None => Err(WorkerProgramError::NotFound),
        }
    }

    /// The program's path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A worker of this role, with these limits.
    pub fn worker(&self, role: Role, limits: WorkerLimits) -> Worker {
        Worker {
            program: self.0.clone(),
            arguments: vec![role.verb().into()],
            memory: limits.memory,
            confinement: limits.confinement,
            answers: None,
        }
    }

    /// The arguments of an optimizer, which is started without a [`Worker`].
    #[cfg(feature = "binaryen")]
    pub(crate) fn optimizer_arguments(limits: WorkerLimits) -> Vec<OsString> {
        vec![Role::Optimizer.verb().into(), limits.to_string().into()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_has_a_verb_of_its_own() {
        for role in Role::ALL {
            let same = Role::ALL.iter().filter(|it| it.verb() == role.verb());
            assert_eq!(same.count(), 1, "{role:?}");
            assert_ne!(role.verb(), VERSION_VERB);
        }
    }

    #[test]
    fn what_is_no_worker_is_refused() {
        let missing = WorkerProgram::named("/no/such/program");
        assert!(matches!(
            missing,
            Err(WorkerProgramError::NotStarted { .. })
        ));
        // `true` ends at once and successfully, but it is not a worker.
        let other = WorkerProgram::named("true");
        assert!(matches!(other, Err(WorkerProgramError::Other { .. })));
    }

    #[test]
    fn other_arguments_are_the_programs_own() {
        assert!(answer([OsString::from("build")]).is_none());
        assert!(answer(std::iter::empty()).is_none());
    }
}
