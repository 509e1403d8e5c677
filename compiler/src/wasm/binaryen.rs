//! Runs Binaryen on one core module, in a separate process.
//!
//! Binaryen is C++ with global state, and aborts in unexpected cases. So a worker process calls the
//! bundled Binaryen: the program that links this crate starts itself again and calls
//! [`optimizer_worker`]. If Binaryen gives up and says why, one module is not optimized. If it
//! hangs or crashes without a message, the machine may be the cause, and the build fails. The
//! command line is the same as for Binaryen's own `wasm-opt`, so that a newer `wasm-opt` program
//! can be used instead. It runs in a worker that puts up walls and then becomes that program
//! ([`crate::worker::launcher`]).

mod failures;
mod tool;
mod until;
mod version;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use wasmparser::WasmFeatures;

pub(crate) use self::failures::Attempt;
pub use self::failures::OptimizeError;
pub use self::tool::Tool;
use self::until::Until;
pub use self::version::VersionError;
use crate::wasm::kept::Failure;
use crate::wasm::passes::{self, Level};
use crate::wasm::reads::{Reads, feature_arguments};
use crate::worker::Worker;
use crate::worker::kept::{Asked, KeptAnswers, Question};
use crate::worker::machine::MachineError;
use crate::worker::process::{self, Bounds, Ended, Sleep};
use crate::worker::threads;
#[cfg(feature = "binaryen")]
use crate::worker::walls::Opens;
#[cfg(feature = "binaryen")]
use crate::worker::{self, WorkerLimits};

/// How Binaryen is started.
#[derive(Clone, Debug)]
pub struct Optimizer {
    /// The program: the one that links this crate, or a `wasm-opt`.
    pub program: PathBuf,
    /// Arguments before those of `wasm-opt`.
    pub arguments: Vec<OsString>,
    /// Which tool it is.
    pub tool: Tool,
    /// Its version.
    pub version: String,
    /// The time limit for one module, and for all modules of a program.
    pub timeout: Duration,
    /// The memory limit, in bytes. The bundled program gets it in `arguments`, and sets it itself.
    /// For another program, it is the memory of the worker in `runs`.
    pub memory: u64,
    /// The features that it can read.
    pub reads: Reads,
    /// Core modules that it does not get, by their numbers in file order.
    pub spared: BTreeSet<usize>,
    /// Where it runs.
    pub runs: Runs,
    /// Where its results are kept, if they are.
    pub answers: Option<Arc<dyn KeptAnswers>>,
}

/// Optimizes a module, given `wasm-opt`'s arguments except the names of files.
pub type Optimize = fn(&[u8], &[OsString]) -> Result<Vec<u8>, Failure>;

/// Where an optimizer runs.
#[derive(Clone, Debug)]
pub enum Runs {
    /// In a separate process for each module. If the program is not a worker, it has no limits.
    InProcesses,
    /// In a separate process for each module: a worker that calls [`crate::launcher_worker`] and
    /// then becomes the program.
    Behind(Worker),
    /// In this function. This is for tests, which give thousands of small modules to one process
    /// and can lose that process. Other programs must not use it, because Binaryen crashes.
    By(Optimize),
}

impl Optimizer {
    /// Optimizes one valid core module that uses `features`. The result is not validated yet.
    pub(crate) fn run(
        &self,
        module: &[u8],
        features: WasmFeatures,
        level: Level,
        until: Until,
    ) -> Result<Vec<u8>, Attempt> {
        let mut arguments = feature_arguments(features, self.reads)?;
        arguments.extend(
            passes::arguments(level, features)
                .into_iter()
                .map(OsString::from),
        );
        // Makes it write the names again, which it reads in any case. The code is the same.
        arguments.push("-g".into());
        self.work(module, arguments, until)
    }

    /// Gives a core module to the optimizer, with these arguments. The result is not validated.
    pub(crate) fn work(
        &self,
        module: &[u8],
        arguments: Vec<OsString>,
        until: Until,
    ) -> Result<Vec<u8>, Attempt> {
        if let Runs::By(function) = self.runs {
            return function(module, &arguments).map_err(Attempt::from);
        }
        let named: Vec<&str> = arguments.iter().filter_map(|it| it.to_str()).collect();
        let question = Question::new("optimize", &named, module);
        let question = Asked::new(self.answers.as_ref(), question);
        if let Some(optimized) = question.recall() {
            return Ok(optimized);
        }
        if until.is_over() {
            return Err(until.late());
        }
        let mut command = self.command();
        command
            .args(["/dev/stdin", "-o", "/dev/stdout"])
            .args(&arguments);
        // An optimizer may make a module longer, but not many times as long.
        let bounds = Bounds {
            answer: module.len() as u64 * 4 + 65536,
            memory: self.memory,
            deadline: until.end(),
            sleep: match self.tool {
                Tool::Binaryen => Sleep::Stuck,
                // It may wait for processes that it has started.
                Tool::WasmOpt => Sleep::Allowed,
            },
        };
        let ended = process::run(&mut command, module, &bounds);
        match ended.map_err(|error| Attempt::Machine(self.at_fault(error)))? {
            Ended::Done(optimized) => {
                question.keep_whole(&optimized);
                Ok(optimized)
            }
            Ended::TooLong => Err(Attempt::Kept(Failure::Invalid {
                message: format!("more than {} bytes", bounds.answer),
            })),
            Ended::Failed { status, message } => {
                let status = status.to_string();
                Err(Attempt::Kept(Failure::Exit { status, message }))
            }
            Ended::Crashed { status, message } => {
                let status = status.to_string();
                Err(Attempt::Crashed { status, message })
            }
            Ended::OutOfMemory => Err(Attempt::OutOfMemory),
            Ended::Late => Err(until.late()),
        }
    }

    /// The command, up to the arguments of `wasm-opt`.
    fn command(&self) -> Command {
        let mut command = match &self.runs {
            Runs::Behind(launcher) => {
                let mut command = process::command(&launcher.program);
                command
                    .args(&launcher.arguments)
                    .arg(launcher.limits().to_string())
                    .arg(&self.program);
                command
            }
            Runs::InProcesses | Runs::By(_) => process::command(&self.program),
        };
        let threads = threads::of_binaryen(self.memory).to_string();
        command
            .args(&self.arguments)
            .env(threads::OF_BINARYEN, threads);
        command
    }

    /// Names the user's own program as the cause, if it could not work.
    fn at_fault(&self, error: MachineError) -> MachineError {
        match (self.tool, error) {
            (Tool::WasmOpt, MachineError::Worker { message }) => MachineError::Program {
                program: self.program.clone(),
                message,
            },
            (_, error) => error,
        }
    }

    /// The result of the last attempt at core module number `module`.
    pub(crate) fn outcome<T>(
        &self,
        module: usize,
        attempt: Result<T, Attempt>,
    ) -> Result<Result<T, Failure>, OptimizeError> {
        match attempt {
            Ok(optimized) => Ok(Ok(optimized)),
            Err(Attempt::Kept(failure)) => Ok(Err(failure)),
            Err(Attempt::Late { spent, whole }) => Err(OptimizeError::Timeout {
                module,
                spent,
                whole,
            }),
            Err(Attempt::OutOfMemory) => Err(OptimizeError::Memory {
                module,
                mebibytes: self.memory >> 20,
            }),
            Err(Attempt::Crashed { status, message }) => Err(OptimizeError::Crash {
                module,
                status,
                message,
            }),
            Err(Attempt::Machine(source)) => Err(OptimizeError::Machine { module, source }),
        }
    }
}

/// The worker process: reads its `WorkerLimits` and `wasm-opt`'s arguments, and runs the bundled
/// Binaryen.
///
/// # Errors
///
/// Binaryen's message. Binaryen may also abort the process.
#[cfg(feature = "binaryen")]
pub fn optimizer_worker(arguments: impl IntoIterator<Item = OsString>) -> Result<(), String> {
    let mut arguments = arguments.into_iter();
    let limits = arguments.next();
    let limits = limits.and_then(|text| WorkerLimits::of(text.to_str()?));
    let limits = limits.ok_or_else(worker::usage)?;
    threads::stacks_of_one_size()?;
    worker::begin(limits, Opens::Streams)?;
    run_binaryen(arguments)
}

/// Runs the bundled Binaryen in this process, with `wasm-opt`'s arguments and without limits. For
/// programs that can lose their process, such as tests.
///
/// # Errors
///
/// Binaryen's message. Binaryen may also abort the process.
#[cfg(feature = "binaryen")]
pub fn run_binaryen(arguments: impl IntoIterator<Item = OsString>) -> Result<(), String> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    threads::with_stack(|| {
        // Called here, because this thread counts as well.
        threads::try_those_of_binaryen()?;
        let mut command = wasm_opt::integration::Command::new("wasm-opt");
        command.args(arguments);
        wasm_opt::integration::run_from_command_args(command).map_err(|error| {
            // The outer error says only that something failed.
            let mut cause: &dyn std::error::Error = &error;
            while let Some(inner) = cause.source() {
                cause = inner;
            }
            cause.to_string()
        })
    })?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::deadline::Deadline;

    fn optimizer(program: &str, arguments: &[&str], timeout: Duration) -> Optimizer {
        Optimizer {
            program: program.into(),
            arguments: arguments.iter().map(OsString::from).collect(),
            tool: Tool::WasmOpt,
            version: "0".into(),
            timeout,
            memory: 1 << 30,
            reads: Reads::Binaryen116,
            spared: BTreeSet::new(),
            runs: Runs::InProcesses,
            answers: None,
        }
    }

    fn run(optimizer: &Optimizer) -> Result<Vec<u8>, Attempt> {
        let until = optimizer.until(Deadline::after(Duration::from_secs(60)));
        optimizer.run(b"module", WasmFeatures::empty(), Level::O2, until)
    }

    fn shell(script: &str) -> Optimizer {
        optimizer("/bin/sh", &["-c", script], Duration::from_secs(60))
    }

    #[test]
    fn what_follows_from_the_module_leaves_it_as_it_is() {
        let says = "echo; echo Assertion failed: oh no >&2; kill -ABRT $$";
        let abort = run(&shell(says)).unwrap_err();
        assert!(abort.may_end_otherwise());
        let Attempt::Kept(Failure::Exit { status, message }) = abort else {
            panic!("{abort:?}");
        };
        assert!(status.contains("SIGABRT"), "{status}");
        assert_eq!(message, "Assertion failed: oh no");
        let long = shell("head -c 100000 /dev/zero");
        assert!(matches!(
            run(&long),
            Err(Attempt::Kept(Failure::Invalid { .. }))
        ));
        let until = long.until(Deadline::after(Duration::ZERO));
        let gc = shell("true").run(b"", WasmFeatures::GC, Level::O2, until);
        let Err(Attempt::Kept(unread)) = gc else {
            panic!("{gc:?}");
        };
        assert_eq!(unread.to_string(), "Binaryen 116 does not read gc");
    }

    #[test]
    fn what_depends_on_the_machine_is_an_error() {
        let hang = optimizer("/bin/sh", &["-c", "sleep 600"], Duration::from_millis(100));
        let missing = optimizer("/nonexistent", &[], Duration::from_secs(60));
        let full = shell("echo memory allocation of 9 bytes failed >&2; kill -ABRT $$");
        for (optimizer, what) in [
            (hang, "optimizing core module 3 was stopped after 0.1 s"),
            (
                full,
                "optimizing core module 3 needs more than 1024 MiB of memory",
            ),
            (missing, "core module 3 was not optimized"),
            (shell("kill -KILL $$"), "core module 3 was not optimized"),
            (
                shell("echo oh no >&2; kill -SEGV $$"),
                "the optimizer crashed on core module 3 (signal: 11 (SIGSEGV)): oh no",
            ),
        ] {
            let error = optimizer.outcome(3, run(&optimizer)).unwrap_err();
            let said = error.to_string().replace(" (core dumped)", "");
            assert_eq!(said, what);
        }
        let crash = run(&shell("kill -SEGV $$")).unwrap_err();
        assert!(crash.may_end_otherwise());
    }

    #[test]
    fn a_function_takes_the_place_of_the_process() {
        let function = Optimizer {
            runs: Runs::By(|module, arguments| {
                assert_eq!(arguments.first().unwrap(), "--mvp-features");
                assert_eq!(arguments.last().unwrap(), "-g");
                Ok([module, b" seen"].concat())
            }),
            ..optimizer("/nonexistent", &[], Duration::from_secs(60))
        };
        assert_eq!(run(&function).unwrap(), b"module seen");
    }

    #[test]
    fn the_module_goes_in_and_the_output_comes_back() {
        assert_eq!(run(&shell("cat")).unwrap(), b"module");
    }

    /// An optimizer that is this script, started instead of a launcher.
    fn launched(script: &str) -> Optimizer {
        let launcher = crate::worker::tests::script(script);
        Optimizer {
            runs: Runs::Behind(launcher),
            answers: None,
            ..optimizer("/usr/bin/wasm-opt", &[], Duration::from_secs(60))
        }
    }

    #[test]
    fn a_launcher_gets_its_limits_and_the_program() {
        // The first argument after a script is the script's name.
        let echo = run(&launched("printf '%s %s %s' $0 $1 $2")).unwrap();
        assert_eq!(echo, b"1073741824 /usr/bin/wasm-opt /dev/stdin");
    }

    #[test]
    fn what_the_program_was_refused_is_not_the_modules_fault() {
        use crate::worker::said::{NO_PROGRAM, NO_WALLS};
        for says in [
            NO_PROGRAM,
            "cat: key.pem: Permission denied",
            "x: EPERM: operation not permitted",
        ] {
            let refused = run(&launched(&format!("echo '{says}' >&2; exit 1")));
            let Err(Attempt::Machine(MachineError::Program { program, message })) = refused else {
                panic!("{refused:?}");
            };
            assert_eq!(program, PathBuf::from("/usr/bin/wasm-opt"));
            assert_eq!(message, says);
        }
        // The program was not started.
        let walls = run(&launched(&format!("echo '{NO_WALLS}seccomp' >&2; exit 1")));
        let Err(Attempt::Machine(MachineError::Walls { missing })) = walls else {
            panic!("{walls:?}");
        };
        assert_eq!(missing, "seccomp");
    }
}
