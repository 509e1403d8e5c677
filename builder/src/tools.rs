//! The processes of a build, and their limits.

use std::path::PathBuf;
use std::time::Duration;

use edgec_compiler::{
    Assembler, CompilerProcess, Confinement, Deadline, FrontEnd, Initializer, LintProcess,
    Optimizer, VersionError, Worker, WorkerLimits,
};

use crate::worker::{Role, WorkerProgram};

/// Limits on the work on one program.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// The time limit for all work together.
    pub timeout: Duration,
    /// How much of that time the optimizer may take, for all core modules together.
    pub optimizer_timeout: Duration,
    /// The memory limit of each process, in bytes (enforced on Linux only).
    pub memory: u64,
    /// Whether processes may run if the system cannot fully confine them.
    pub confinement: Confinement,
}

impl Limits {
    /// The limits of `edgec build`: 1800 s, of which 600 s are for the optimizer, and 8 GiB.
    pub const fn new(confinement: Confinement) -> Self {
        Self {
            timeout: Duration::from_secs(1800),
            optimizer_timeout: Duration::from_secs(600),
            memory: 8 << 30,
            confinement,
        }
    }

    /// The limits of one process.
    pub const fn of_worker(&self) -> WorkerLimits {
        WorkerLimits {
            memory: self.memory,
            confinement: self.confinement,
        }
    }
}

/// What a build does with exceptions from before the standard, which the engine does not compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LegacyExceptions {
    /// It refuses the program.
    Refused,
    /// The optimizer translates them. It must be a `wasm-opt` that the user named: such a program
    /// decides the artifact's bytes, so it must not be the one that a path happens to have.
    Translated,
}

/// The programs and processes that work on a program.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Tools {
    /// The time limit for all work on a program.
    pub timeout: Duration,
    /// The program whose processes do the work.
    pub program: WorkerProgram,
    /// Reads, validates and adapts an input.
    pub front_end: FrontEnd,
    /// Runs a component and takes a snapshot of it.
    pub initializer: Initializer,
    /// Optimizes core modules.
    pub optimizer: Optimizer,
    /// Whether the optimizer also translates legacy exceptions.
    pub legacy_exceptions: LegacyExceptions,
    /// Puts the optimized program together.
    pub assembler: Assembler,
    /// Compiles for one target.
    pub compiler: CompilerProcess,
    /// Asks the engine what slows instantiation.
    pub lint: LintProcess,
}

impl Tools {
    /// Tools with the Binaryen that is built into the worker program.
    #[cfg(feature = "binaryen")]
    pub fn new(program: WorkerProgram, limits: &Limits) -> Self {
        use edgec_compiler::{BINARYEN_VERSION, Reads, Runs, Tool};
        let optimizer = Optimizer {
            program: program.path().to_owned(),
            arguments: WorkerProgram::optimizer_arguments(limits.of_worker()),
            tool: Tool::Binaryen,
            version: BINARYEN_VERSION.to_owned(),
            timeout: limits.optimizer_timeout,
            memory: limits.memory,
            reads: Reads::Binaryen116,
            spared: std::collections::BTreeSet::new(),
            runs: Runs::InProcesses,
            answers: None,
        };
        Self::with(program, limits, optimizer, LegacyExceptions::Refused)
    }

    /// Tools with another `wasm-opt` program, whose version edgec asks for. It also translates
    /// legacy exceptions, if its version can.
    ///
    /// # Errors
    ///
    /// [`VersionError`].
    pub fn with_wasm_opt(
        program: WorkerProgram,
        limits: &Limits,
        wasm_opt: PathBuf,
    ) -> Result<Self, VersionError> {
        let launcher = program.worker(Role::Launcher, limits.of_worker());
        let timeout = limits.optimizer_timeout;
        // No work on a program has started yet, so both time limits start with this call.
        let deadline = Deadline::after(limits.timeout).or_after(timeout);
        let optimizer = Optimizer::of_program(wasm_opt, launcher, timeout, deadline)?;
        let legacy_exceptions = LegacyExceptions::Translated;
        Ok(Self::with(program, limits, optimizer, legacy_exceptions))
    }

    /// Keeps the answers of the processes in a cache, and takes answers from it. An optimizer that
    /// is a program of the user's own is always started.
    ///
    /// `scope` says whose compiled functions may be used for each other, together with the name of
    /// the application: those of one project.
    #[cfg(target_os = "linux")]
    pub fn keep_answers(&mut self, cache: &crate::cache::Cache, scope: &str) {
        let answers = cache.answers();
        for worker in self.workers() {
            worker.answers = Some(answers.clone());
        }
        self.compiler.functions = Some(scope.to_owned());
        if self.optimizer.tool == edgec_compiler::Tool::Binaryen {
            self.optimizer.answers = Some(answers);
        }
    }

    /// The same processes without a cache: a rebuild proves nothing with answers of earlier builds.
    pub(crate) fn without_answers(mut self) -> Self {
        for worker in self.workers() {
            worker.answers = None;
        }
        self.compiler.functions = None;
        self.optimizer.answers = None;
        self
    }

    /// The workers whose answers may be kept.
    fn workers(&mut self) -> [&mut Worker; 5] {
        [
            &mut self.front_end.worker,
            &mut self.initializer.worker,
            &mut self.assembler.worker,
            &mut self.compiler.worker,
            &mut self.lint.worker,
        ]
    }

    fn with(
        program: WorkerProgram,
        limits: &Limits,
        optimizer: Optimizer,
        legacy_exceptions: LegacyExceptions,
    ) -> Self {
        let worker = |role| program.worker(role, limits.of_worker());
        Self {
            timeout: limits.timeout,
            front_end: FrontEnd {
                worker: worker(Role::FrontEnd),
            },
            initializer: Initializer {
                worker: worker(Role::Initializer),
            },
            optimizer,
            legacy_exceptions,
            assembler: Assembler {
                worker: worker(Role::Assembler),
            },
            compiler: CompilerProcess {
                worker: worker(Role::Compiler),
                functions: None,
            },
            lint: LintProcess {
                worker: worker(Role::Lint),
            },
            program,
        }
    }
}
