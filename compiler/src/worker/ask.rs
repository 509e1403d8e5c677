//! Workers: processes that do one piece of work on hostile input, within limits. A worker is this
//! program, started again, or another one.
//!
//! A worker gets its limits as its first argument, and its input on standard input. It answers on
//! standard output: one byte for the kind of the answer, and then the answer. [`Worker`] starts it.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crate::worker::deadline::{Deadline, Spent};
use crate::worker::kept::KeptAnswers;
use crate::worker::machine::MachineError;
use crate::worker::process::{self, Bounds, Ended, Sleep};
use crate::worker::walls::Confinement;

/// How a worker process is started, and its limits.
#[derive(Clone, Debug)]
pub struct Worker {
    /// The program: one that calls the worker's function, such as [`crate::lint_worker`].
    pub program: PathBuf,
    /// Arguments before those of the worker.
    pub arguments: Vec<OsString>,
    /// Its memory limit, in bytes (enforced on Linux only).
    pub memory: u64,
    /// Whether it may work if some walls are missing.
    pub confinement: Confinement,
    /// Where its answers are kept, if they are.
    pub answers: Option<Arc<dyn KeptAnswers>>,
}

/// The limits of a worker, which are its first argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerLimits {
    /// Its memory limit, in bytes.
    pub memory: u64,
    /// Whether it may work if some walls are missing.
    pub confinement: Confinement,
}

/// Follows the number of bytes if the worker needs all walls.
const REQUIRED: &str = ",confined";

impl fmt::Display for WorkerLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.memory)?;
        match self.confinement {
            Confinement::Offered => Ok(()),
            Confinement::Required => f.write_str(REQUIRED),
        }
    }
}

impl WorkerLimits {
    /// The limits that an argument states.
    pub(crate) fn of(argument: &str) -> Option<Self> {
        let (memory, confinement) = match argument.strip_suffix(REQUIRED) {
            Some(memory) => (memory, Confinement::Required),
            None => (argument, Confinement::Offered),
        };
        let memory = memory.parse().ok()?;
        Some(Self {
            memory,
            confinement,
        })
    }
}

/// Why a worker gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// It did not end before its deadline, and was stopped.
    #[error("not done {spent}")]
    Timeout {
        /// The time that it took.
        spent: Spent,
    },
    /// It exceeded its memory limit.
    #[error("it needs more than {mebibytes} MiB of memory")]
    Memory {
        /// The limit in MiB.
        mebibytes: u64,
    },
    /// The process failed on its input.
    #[error("the process ended with {status}: {message}")]
    Crash {
        /// The exit status or the signal.
        status: String,
        /// The first line that it wrote to standard error.
        message: String,
    },
    /// The machine is at fault, not the input.
    #[error(transparent)]
    Machine(#[from] MachineError),
}

impl Worker {
    /// The answer to an input, before `deadline`. Reads at most `most` bytes of it.
    pub(crate) fn ask(
        &self,
        arguments: &[&str],
        input: &[u8],
        most: u64,
        deadline: Deadline,
    ) -> Result<Vec<u8>, WorkerError> {
        self.answer(arguments, input, most, deadline, Sleep::Stuck)
    }

    /// The worker's limits.
    pub fn limits(&self) -> WorkerLimits {
        WorkerLimits {
            memory: self.memory,
            confinement: self.confinement,
        }
    }

    /// Like [`ask`](Self::ask). `sleep` is the meaning of a long sleep of the worker. A worker that
    /// runs the input may sleep.
    pub(crate) fn answer(
        &self,
        arguments: &[&str],
        input: &[u8],
        most: u64,
        deadline: Deadline,
        sleep: Sleep,
    ) -> Result<Vec<u8>, WorkerError> {
        let begin = Instant::now();
        let late = || WorkerError::Timeout {
            spent: deadline.spent(begin),
        };
        if deadline.end() <= begin {
            return Err(late());
        }
        let mut command = process::command(&self.program);
        command
            .args(&self.arguments)
            .arg(self.limits().to_string())
            .args(arguments);
        let bounds = Bounds {
            answer: most,
            memory: self.memory,
            deadline: deadline.end(),
            sleep,
        };
        match process::run(&mut command, input, &bounds)? {
            Ended::Done(answer) => Ok(answer),
            Ended::TooLong => Err(WorkerError::Crash {
                status: "a malformed answer".to_owned(),
                message: format!("more than {most} bytes"),
            }),
            Ended::Late => Err(late()),
            Ended::OutOfMemory => Err(WorkerError::Memory {
                mebibytes: self.memory >> 20,
            }),
            // An error of `arguments`, `input` or `answer`. A panic has another exit code.
            Ended::Failed { status, message } if status.code() == Some(1) => {
                Err(MachineError::Worker { message }.into())
            }
            Ended::Failed { status, message } | Ended::Crashed { status, message } => {
                Err(WorkerError::Crash {
                    status: status.to_string(),
                    message,
                })
            }
        }
    }
}

/// The task was not written, so no worker got it.
impl From<postcard::Error> for WorkerError {
    fn from(error: postcard::Error) -> Self {
        let message = error.to_string();
        MachineError::Worker { message }.into()
    }
}

impl WorkerError {
    /// The error for a malformed answer.
    pub(crate) fn no_answer(answer: &[u8]) -> Self {
        Self::Crash {
            status: "a malformed answer".to_owned(),
            message: format!("{} bytes", answer.len()),
        }
    }
}

/// An answer as text.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;

    /// More time than any test needs.
    pub(crate) fn long() -> Deadline {
        Deadline::after(Duration::from_secs(60))
    }

    /// Less time than a script that sleeps needs.
    pub(crate) fn short() -> Deadline {
        Deadline::after(Duration::from_millis(50))
    }

    /// A worker that is this shell script.
    pub(crate) fn script(text: &str) -> Worker {
        Worker {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), text.into()],
            memory: 1 << 30,
            confinement: Confinement::Offered,
            answers: None,
        }
    }

    fn ask(worker: &Worker) -> Result<Vec<u8>, WorkerError> {
        worker.ask(&["one", "two"], b"input", 24, long())
    }

    #[test]
    fn the_answer_comes_back() {
        // The first argument after a script is the script's name.
        let echo = ask(&script("printf '%s %s ' $0 $1; cat")).unwrap();
        assert_eq!(echo, b"1073741824 one input");
    }

    #[test]
    fn each_end_of_the_process_has_an_error() {
        let hang = script("sleep 600").ask(&[], b"input", 24, short());
        let Err(WorkerError::Timeout { spent }) = hang else {
            panic!("{hang:?}");
        };
        assert_eq!(spent.all, Duration::from_millis(50));
        // After the deadline, nothing is started.
        let late = Deadline::after(Duration::ZERO);
        let late = script("exit 1").ask(&[], b"input", 24, late);
        let Err(WorkerError::Timeout { spent }) = late else {
            panic!("{late:?}");
        };
        assert_eq!(spent.stage, Duration::ZERO);
        let full = ask(&script(
            "echo memory allocation of 9 bytes failed >&2; kill -ABRT $$",
        ));
        assert!(matches!(full, Err(WorkerError::Memory { mebibytes: 1024 })));
        let Err(WorkerError::Crash { status, message }) =
            ask(&script("echo oh no >&2; kill -SEGV $$"))
        else {
            panic!("a crash was not seen");
        };
        assert!(status.contains("SIGSEGV"), "{status}");
        assert_eq!(message, "oh no");
        let disk = ask(&script("echo disk full >&2; exit 1"));
        let says = |message: &str| message == "disk full";
        assert!(
            matches!(disk, Err(WorkerError::Machine(MachineError::Worker { message })) if says(&message))
        );
        let killed = ask(&script("kill -KILL $$"));
        assert!(matches!(
            killed,
            Err(WorkerError::Machine(MachineError::Signal { .. }))
        ));
        let long = ask(&script("head -c 25 /dev/zero"));
        assert!(matches!(long, Err(WorkerError::Crash { .. })));
        let missing = Worker {
            program: "/nonexistent".into(),
            ..script("")
        };
        assert!(matches!(ask(&missing), Err(WorkerError::Machine(_))));
    }

    #[test]
    fn limits_are_one_argument() {
        for confinement in [Confinement::Offered, Confinement::Required] {
            let limits = WorkerLimits {
                memory: 1 << 33,
                confinement,
            };
            assert_eq!(WorkerLimits::of(&limits.to_string()), Some(limits));
        }
        assert_eq!(WorkerLimits::of("much"), None);
        assert_eq!(WorkerLimits::of("1,open"), None);
    }
}
