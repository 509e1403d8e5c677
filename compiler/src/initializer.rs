//! Pre-initializing in a process of its own.
//!
//! It runs the program: that may take for ever and ask for all the memory there is.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use wasmparser::WasmFeatures;

use crate::initialize::{Refusal, initialize};
use crate::process::{self, Ended, OUT_OF_MEMORY};
use crate::{Kind, ValidComponent, ValidateError, validate};

/// How the process that runs a component's function is started, and what it may use.
#[derive(Clone, Debug)]
pub struct Initializer {
    /// The program: one that calls [`initializer_worker`].
    pub program: PathBuf,
    /// Arguments in front of those of the worker.
    pub arguments: Vec<OsString>,
    /// How long it may take.
    pub timeout: Duration,
    /// How much memory it may use, in bytes (held on Linux only).
    pub memory: u64,
}

/// Why a component was not pre-initialized.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// The program is a core module.
    #[error("a core module cannot be pre-initialized, only a component")]
    Kind,
    /// A snapshot cannot hold what the component may do.
    #[error("this component cannot be pre-initialized: {reason}")]
    Unsupported {
        /// What Wizer, the engine or edgec said.
        reason: String,
    },
    /// The function is not there, or is not one to call.
    #[error("`{function}` cannot be called to pre-initialize: {reason}")]
    Function {
        /// What was asked for.
        function: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It was called, or its component instantiated, and that failed.
    #[error("`{function}` failed: {reason}")]
    Failed {
        /// What was called.
        function: String,
        /// Why the program was stopped.
        reason: String,
    },
    /// What came back is not valid.
    #[error("the pre-initialized component is not valid: {0}")]
    Invalid(ValidateError),
    /// It took too long, and was stopped.
    #[error("`{function}` was stopped after {seconds} s")]
    Timeout {
        /// What was called.
        function: String,
        /// The limit in seconds.
        seconds: u64,
    },
    /// It needs more memory than it may have.
    #[error("pre-initializing this component needs more than {mebibytes} MiB of memory")]
    Memory {
        /// The limit in MiB.
        mebibytes: u64,
    },
    /// The process failed on this component.
    #[error("pre-initializing this component failed ({status}): {message}")]
    Crash {
        /// The exit status or the signal.
        status: String,
        /// The first line that it wrote to standard error.
        message: String,
    },
    /// The process did not start, or its files could not be written or read.
    #[error("the pre-initializer could not be run")]
    Start {
        /// What the system said.
        source: io::Error,
    },
}

/// More than any program may have, in bytes.
const MAX_ANSWER_LEN: u64 = 1 << 30;
const DONE: u8 = 0;
const UNSUPPORTED: u8 = 1;
const FUNCTION: u8 = 2;
const FAILED: u8 = 3;

impl Initializer {
    /// Calls `function` of a component, and gives back the component as it was after that.
    ///
    /// # Errors
    ///
    /// [`InitError`].
    pub fn run(
        &self,
        program: &ValidComponent,
        function: &str,
    ) -> Result<ValidComponent, InitError> {
        if program.kind() != Kind::Component {
            return Err(InitError::Kind);
        }
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .arg(self.memory.to_string())
            .arg(program.features().bits().to_string())
            .arg(function);
        let deadline = Instant::now() + self.timeout;
        let ended = process::run(&mut command, program.bytes(), deadline);
        let start = |source| InitError::Start { source };
        match ended.map_err(start)? {
            Ended::Done(output) => {
                let mut answer = Vec::new();
                let mut output = output.take(MAX_ANSWER_LEN);
                output.read_to_end(&mut answer).map_err(start)?;
                understand(&answer, function)
            }
            Ended::Killed => Err(InitError::Timeout {
                function: function.to_owned(),
                seconds: self.timeout.as_secs(),
            }),
            Ended::Failed { message, .. } if message.starts_with(OUT_OF_MEMORY) => {
                Err(InitError::Memory {
                    mebibytes: self.memory >> 20,
                })
            }
            // What `initializer_worker` says; a panic or a signal ends the process otherwise.
            Ended::Failed { status, message } if status.code() == Some(1) => {
                Err(start(io::Error::other(message)))
            }
            Ended::Failed { status, message } => Err(InitError::Crash {
                status: status.to_string(),
                message,
            }),
        }
    }
}

fn understand(answer: &[u8], function: &str) -> Result<ValidComponent, InitError> {
    let function = function.to_owned();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    match answer.split_first() {
        Some((&DONE, component)) => validate(component.to_vec()).map_err(InitError::Invalid),
        Some((&UNSUPPORTED, reason)) => Err(InitError::Unsupported {
            reason: text(reason),
        }),
        Some((&FUNCTION, reason)) => Err(InitError::Function {
            function,
            reason: text(reason),
        }),
        Some((&FAILED, reason)) => Err(InitError::Failed {
            function,
            reason: text(reason),
        }),
        _ => Err(InitError::Crash {
            status: "an answer that is none".to_owned(),
            message: format!("{} bytes", answer.len()),
        }),
    }
}

/// What the worker process does: reads the arguments that [`Initializer`] gives and a component
/// from standard input, and answers on standard output.
///
/// # Errors
///
/// What is wrong with the arguments or the streams: somebody else started it.
pub fn initializer_worker(arguments: impl IntoIterator<Item = OsString>) -> Result<(), String> {
    let usage = || "not started by edgec".to_owned();
    let arguments: Vec<String> = arguments
        .into_iter()
        .map(|argument| argument.into_string().map_err(|_| usage()))
        .collect::<Result<_, _>>()?;
    let [memory, features, function] = arguments.as_slice() else {
        return Err(usage());
    };
    process::confine(memory.parse().map_err(|_| usage())?);
    let features = features.parse().ok().and_then(WasmFeatures::from_bits);
    let features = features.ok_or_else(usage)?;
    let answer = || -> io::Result<()> {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes)?;
        // It was validated by whoever started this process; Wizer and the engine do so again.
        let program = ValidComponent::from_parts(bytes, Kind::Component, features);
        let (kind, answer) = match initialize(&program, function) {
            Ok(component) => (DONE, component),
            Err(Refusal::Unsupported(reason)) => (UNSUPPORTED, reason.into_bytes()),
            Err(Refusal::Function(reason)) => (FUNCTION, reason.into_bytes()),
            Err(Refusal::Failed(reason)) => (FAILED, reason.into_bytes()),
        };
        let mut out = io::stdout().lock();
        out.write_all(&[kind])?;
        out.write_all(&answer)?;
        out.flush()
    };
    answer().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn initializer(script: &str, timeout: Duration) -> Initializer {
        Initializer {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            timeout,
            memory: 1 << 30,
        }
    }

    #[test]
    fn each_end_of_the_process_has_an_error() {
        let component = validate(wat::parse_str("(component)").unwrap()).unwrap();
        let run = |script: &str| {
            let initializer = initializer(script, Duration::from_secs(60));
            initializer.run(&component, "f").unwrap_err()
        };
        let full = run("echo memory allocation of 9 bytes failed >&2; kill -ABRT $$");
        assert!(matches!(full, InitError::Memory { .. }), "{full}");
        let crash = run("echo oh no >&2; kill -SEGV $$");
        assert!(crash.to_string().contains("oh no"), "{crash}");
        for nothing in ["true", "echo '?'"] {
            let error = run(nothing);
            assert!(matches!(error, InitError::Crash { .. }), "{error}");
        }
        let invalid = run("printf '\\000no'");
        assert!(matches!(invalid, InitError::Invalid(_)), "{invalid}");
        let unsupported = run("printf '\\001no'");
        assert!(matches!(unsupported, InitError::Unsupported { .. }));
        let function = run("printf '\\002no'");
        assert!(matches!(function, InitError::Function { .. }), "{function}");
        let failed = run("printf '\\003no'");
        assert_eq!(failed.to_string(), "`f` failed: no");
        let disk = run("echo disk full >&2; exit 1");
        assert!(matches!(disk, InitError::Start { .. }), "{disk}");
        let hang = initializer("sleep 600", Duration::from_millis(50));
        let hang = hang.run(&component, "f").unwrap_err();
        assert!(matches!(hang, InitError::Timeout { .. }), "{hang}");
    }

    #[test]
    fn a_core_module_is_refused() {
        let module = validate(wat::parse_str("(module)").unwrap()).unwrap();
        let refused = initializer("true", Duration::from_secs(60)).run(&module, "f");
        assert!(matches!(refused, Err(InitError::Kind)));
    }
}
