//! Pre-initializes in a separate process.
//!
//! Pre-initialization runs the program, which may take forever and ask for all memory. The result
//! is not trusted: [`crate::FrontEnd`] validates it in another process.

use std::ffi::OsString;

use wasmparser::WasmFeatures;

use crate::native::initialize::{Refusal, initialize};
use crate::worker::deadline::Deadline;
use crate::worker::process::Sleep;
use crate::worker::threads;
use crate::worker::{self, StageError, Worker, WorkerError, WorkerStage};
use crate::{ProgramKind, ValidComponent};

/// The process that runs a component's function: a program that calls [`initializer_worker`].
#[derive(Clone, Debug)]
pub struct Initializer {
    /// How the process is started.
    pub worker: Worker,
}

/// Why a component was not pre-initialized.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// The program is a core module.
    #[error("a core module cannot be pre-initialized, only a component")]
    Kind,
    /// The component may change something that a snapshot does not contain.
    #[error("this component cannot be pre-initialized: {reason}")]
    Unsupported {
        /// The message of Wizer, the engine or edgec.
        reason: String,
    },
    /// The function does not exist, or cannot be called.
    #[error("`{function}` cannot be called to pre-initialize: {reason}")]
    Function {
        /// The requested function.
        function: String,
        /// The reason.
        reason: String,
    },
    /// The call or the instantiation failed.
    #[error("`{function}` failed: {reason}")]
    Failed {
        /// The function.
        function: String,
        /// Why the program was stopped.
        reason: String,
    },
    /// The process gave no answer.
    #[error(transparent)]
    Worker(#[from] StageError),
}

impl InitError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Worker(error) => error.code(),
            _ => "init",
        }
    }
}

/// A component with the state after a call, from another process. It is not validated.
#[derive(Debug)]
pub struct Snapshot(Vec<u8>);

impl Snapshot {
    /// Its length in bytes.
    pub fn length(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The maximum length of an answer, in bytes: longer than any program.
const MAX_ANSWER_LEN: u64 = 1 << 30;
const DONE: u8 = 0;
const UNSUPPORTED: u8 = 1;
const FUNCTION: u8 = 2;
const FAILED: u8 = 3;

impl Initializer {
    /// Calls `function` of a component before `deadline`, and returns the component with the
    /// resulting state.
    ///
    /// # Errors
    ///
    /// [`InitError`].
    pub fn run(
        &self,
        program: &ValidComponent,
        function: &str,
        deadline: Deadline,
    ) -> Result<Snapshot, InitError> {
        if program.kind() != ProgramKind::Component {
            return Err(InitError::Kind);
        }
        let features = program.features().bits().to_string();
        let arguments = [features.as_str(), function];
        let (bytes, sleep) = (program.bytes(), Sleep::Allowed);
        let question = self.worker.question_about(&arguments, program);
        if let Some(Ok(snapshot)) = question.recall().map(|kept| understand(kept, function)) {
            return Ok(snapshot);
        }
        let answer = self
            .worker
            .answer(&arguments, bytes, MAX_ANSWER_LEN, deadline, sleep);
        let answer = answer.map_err(|error| failed(error, function))?;
        question.keep(&answer, DONE);
        understand(answer, function)
    }
}

fn failed(error: WorkerError, function: &str) -> InitError {
    let function = function.to_owned();
    StageError::new(WorkerStage::Initialize { function }, error).into()
}

fn understand(mut answer: Vec<u8>, function: &str) -> Result<Snapshot, InitError> {
    let name = function.to_owned();
    match answer.split_first() {
        Some((&DONE, _)) => {
            // The component remains in the same buffer, so there is no second copy of it.
            answer.drain(..1);
            Ok(Snapshot(answer))
        }
        Some((&UNSUPPORTED, reason)) => Err(InitError::Unsupported {
            reason: worker::text(reason),
        }),
        Some((&FUNCTION, reason)) => Err(InitError::Function {
            function: name,
            reason: worker::text(reason),
        }),
        Some((&FAILED, reason)) => Err(InitError::Failed {
            function: name,
            reason: worker::text(reason),
        }),
        _ => Err(failed(WorkerError::no_answer(&answer), function)),
    }
}

/// The worker process: reads the arguments of [`Initializer`], and a component from standard input,
/// and answers on standard output.
///
/// # Errors
///
/// The arguments or the streams are invalid: edgec did not start this process.
pub fn initializer_worker(arguments: impl IntoIterator<Item = OsString>) -> Result<(), String> {
    let [features, function] = worker::arguments(arguments)?;
    let features = features.parse().ok().and_then(WasmFeatures::from_bits);
    let features = features.ok_or_else(worker::usage)?;
    threads::gather()?;
    // The process that started this one has validated the component. Wizer and the engine validate
    // it again.
    let program = ValidComponent::from_parts(worker::input()?, ProgramKind::Component, features);
    let (tag, answer) = match initialize(&program, &function) {
        Ok(component) => (DONE, component),
        Err(Refusal::Unsupported(reason)) => (UNSUPPORTED, reason.into_bytes()),
        Err(Refusal::Function(reason)) => (FUNCTION, reason.into_bytes()),
        Err(Refusal::Failed(reason)) => (FAILED, reason.into_bytes()),
        Err(Refusal::Machine(reason)) => return Err(reason),
    };
    worker::answer(tag, &[&answer])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate;
    use crate::worker::tests::{long, script, short};

    fn initializer(script_text: &str) -> Initializer {
        Initializer {
            worker: script(script_text),
        }
    }

    #[test]
    fn each_end_of_the_process_has_an_error() {
        let component = validate(wat::parse_str("(component)").unwrap()).unwrap();
        let run = |script: &str| {
            initializer(script)
                .run(&component, "f", long())
                .unwrap_err()
        };
        let worker_error = |error: InitError| match error {
            InitError::Worker(StageError { error, .. }) => error,
            error => panic!("{error}"),
        };
        let full = run("echo memory allocation of 9 bytes failed >&2; kill -ABRT $$");
        let says = "calling `f` needs more than 1024 MiB of memory";
        assert_eq!(full.to_string(), says);
        let crash = run("echo oh no >&2; kill -SEGV $$");
        assert!(crash.to_string().contains("oh no"), "{crash}");
        for nothing in ["true", "echo '?'"] {
            let error = worker_error(run(nothing));
            assert!(matches!(error, WorkerError::Crash { .. }), "{error}");
        }
        // Another process checks the answer.
        let rubbish = initializer("printf '\\000no'").run(&component, "f", long());
        assert_eq!(rubbish.unwrap().bytes(), b"no");
        let unsupported = run("printf '\\001no'");
        assert!(matches!(unsupported, InitError::Unsupported { .. }));
        let function = run("printf '\\002no'");
        assert!(matches!(function, InitError::Function { .. }), "{function}");
        let failed = run("printf '\\003no'");
        assert_eq!(failed.to_string(), "`f` failed: no");
        let disk = worker_error(run("echo disk full >&2; exit 1"));
        assert!(matches!(disk, WorkerError::Machine(_)), "{disk}");
        let hang = initializer("sleep 600").run(&component, "f", short());
        let hang = worker_error(hang.unwrap_err());
        assert!(matches!(hang, WorkerError::Timeout { .. }), "{hang}");
    }

    #[test]
    fn a_core_module_is_refused() {
        let module = validate(wat::parse_str("(module)").unwrap()).unwrap();
        let refused = initializer("true").run(&module, "f", long());
        assert!(matches!(refused, Err(InitError::Kind)));
    }
}
