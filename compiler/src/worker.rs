//! Workers: this program, started again for one piece of work on hostile input, within limits.
//!
//! A worker has its memory limit as its first argument and its input on standard input. It answers
//! on standard output: a byte for the kind of the answer, and then the answer. [`Worker`] starts
//! it.

use std::ffi::OsString;
use std::fmt;
#[cfg(unix)]
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::time::Instant;

use crate::deadline::{Deadline, Spent};
use crate::machine::MachineError;
use crate::process::{self, Bounds, Ended, Sleep};
use crate::walls::{self, Confinement, Opens, Wall};

/// How a worker process is started, and what it may use.
#[derive(Clone, Debug)]
pub struct Worker {
    /// The program: one that calls the worker's function, such as [`crate::lint_worker`].
    pub program: PathBuf,
    /// Arguments in front of those of the worker.
    pub arguments: Vec<OsString>,
    /// How much memory it may use, in bytes (held on Linux only).
    pub memory: u64,
    /// Whether it may work without some of the walls around it.
    pub confinement: Confinement,
}

/// What a worker may use: its first argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerLimits {
    /// Its memory in bytes.
    pub memory: u64,
    /// Whether it may work without some of the walls around it.
    pub confinement: Confinement,
}

/// Behind the number of bytes, if the worker needs all walls.
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

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// It was not done at its deadline, and was stopped.
    #[error("not done {spent}")]
    Timeout {
        /// The time that was spent.
        spent: Spent,
    },
    /// It needs more memory than it may have.
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

/// Why a worker could not read unverified data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The engine's types do not read it.
    #[error("the engine does not understand it: {reason}")]
    Unreadable {
        /// What the decoder or the front end says.
        reason: String,
    },
    /// The process gave no answer.
    #[error(transparent)]
    Worker(#[from] WorkerError),
}

impl Worker {
    /// The answer to an input before `deadline`, of which at most `most` bytes are read.
    pub(crate) fn ask(
        &self,
        arguments: &[&str],
        input: &[u8],
        most: u64,
        deadline: Deadline,
    ) -> Result<Vec<u8>, WorkerError> {
        self.answer(arguments, input, most, deadline, Sleep::Stuck)
    }

    /// As [`ask`](Self::ask), for a worker that runs the input, which may sleep.
    #[cfg(feature = "precompile")]
    pub(crate) fn ask_of_a_run(
        &self,
        arguments: &[&str],
        input: &[u8],
        most: u64,
        deadline: Deadline,
    ) -> Result<Vec<u8>, WorkerError> {
        self.answer(arguments, input, most, deadline, Sleep::Allowed)
    }

    /// What it may use.
    pub fn limits(&self) -> WorkerLimits {
        WorkerLimits {
            memory: self.memory,
            confinement: self.confinement,
        }
    }

    fn answer(
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
            // An error of `arguments`, `input` or `answer`: a panic has another exit code.
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

/// An answer of a worker that reads: what was read, serialized, or why nothing was.
const READ: u8 = 0;
const UNREADABLE: u8 = 1;

/// What a worker read.
pub(crate) fn read<T: serde::de::DeserializeOwned>(answer: &[u8]) -> Result<T, ReadError> {
    match answer.split_first() {
        Some((&READ, rest)) => {
            if let Ok(read) = postcard::from_bytes(rest) {
                return Ok(read);
            }
        }
        Some((&UNREADABLE, reason)) => {
            let reason = text(reason);
            return Err(ReadError::Unreadable { reason });
        }
        _ => {}
    }
    Err(WorkerError::no_answer(answer).into())
}

/// Answers with what was read, for [`read`] on the other side.
pub(crate) fn answer_read(read: Result<impl serde::Serialize, String>) -> Result<(), String> {
    match read {
        Ok(read) => {
            let bytes = postcard::to_allocvec(&read).map_err(|error| error.to_string())?;
            answer(READ, &[&bytes])
        }
        Err(reason) => answer(UNREADABLE, &[reason.as_bytes()]),
    }
}

impl WorkerError {
    /// The error for an answer that no worker gives.
    pub(crate) fn no_answer(answer: &[u8]) -> Self {
        Self::Crash {
            status: "a malformed answer".to_owned(),
            message: format!("{} bytes", answer.len()),
        }
    }
}

/// The text of an answer.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The message when another program than edgec starts a worker.
pub(crate) fn usage() -> String {
    "not started by edgec".to_owned()
}

/// What a worker does first: it takes its arguments, and limits itself as the first of them says.
pub(crate) fn arguments<const N: usize>(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<[String; N], String> {
    let mut texts = arguments
        .into_iter()
        .map(|argument| argument.into_string().map_err(|_| usage()));
    let limits = texts.next().ok_or_else(usage)??;
    let limits = WorkerLimits::of(&limits).ok_or_else(usage)?;
    let texts: Vec<String> = texts.collect::<Result<_, _>>()?;
    let texts = texts.try_into().map_err(|_| usage())?;
    begin(limits, Opens::Nothing)?;
    Ok(texts)
}

/// How the message of a worker begins that has not all walls and needs them. The names of those
/// that are missing follow.
pub(crate) const NO_WALLS: &str = "edgec: this process cannot be confined; missing walls: ";

/// As [`arguments`], for a worker that takes no others. Returns the walls that are missing.
pub(crate) fn begin_with(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Vec<Wall>, String> {
    let mut arguments = arguments.into_iter();
    let limits = arguments.next();
    let limits = limits.and_then(|text| WorkerLimits::of(text.to_str()?));
    match (limits, arguments.next()) {
        (Some(limits), None) => begin(limits, Opens::Nothing),
        _ => Err(usage()),
    }
}

/// What every worker does first: it limits itself, puts up the walls, and makes a panic print one
/// line. Returns the walls that the system does not give, if the worker may work without them.
pub(crate) fn begin(limits: WorkerLimits, opens: Opens) -> Result<Vec<Wall>, String> {
    begin_behind(limits, || walls::enter(opens))
}

/// As [`begin`], behind the walls that `enter` puts up. It returns those that are missing.
pub(crate) fn begin_behind(
    limits: WorkerLimits,
    enter: impl FnOnce() -> Vec<Wall>,
) -> Result<Vec<Wall>, String> {
    process::limit(limits.memory);
    let missing = enter();
    std::panic::set_hook(Box::new(|panic| {
        let _ = writeln!(io::stderr(), "{}", panic_line(panic));
    }));
    match limits.confinement {
        Confinement::Required if !missing.is_empty() => {
            let missing = walls::names(&missing);
            Err(format!("{NO_WALLS}{missing}"))
        }
        _ => Ok(missing),
    }
}

/// Describes a panic in one line: the place within its package, and the message.
pub fn panic_line(panic: &std::panic::PanicHookInfo<'_>) -> String {
    let message = panic.payload_as_str().unwrap_or("no message");
    let first = message.lines().next().unwrap_or_default();
    let Some(place) = panic.location() else {
        return format!("panicked: {first}");
    };
    // The path of the sources on the machine that built edgec is left out.
    let file = place.file();
    let within = file.rsplit_once("/src/").map_or(file, |(package, rest)| {
        let package = package.rsplit('/').next().unwrap_or(package);
        let from = file.len() - rest.len() - "/src/".len() - package.len();
        file.get(from..).unwrap_or(rest)
    });
    format!("panicked at {within}:{}: {first}", place.line())
}

/// A worker's input.
pub(crate) fn input() -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(input_length());
    let read = io::stdin().lock().read_to_end(&mut bytes);
    read.map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// The length of a worker's input in bytes, since that is a file; 0 where it is not known.
#[cfg(unix)]
fn input_length() -> usize {
    use std::os::fd::AsFd as _;
    let file = io::stdin().as_fd().try_clone_to_owned().map(File::from);
    let length = file.and_then(|file| file.metadata());
    length.map_or(0, |it| usize::try_from(it.len()).unwrap_or(0))
}

#[cfg(not(unix))]
fn input_length() -> usize {
    0
}

/// A worker's answer.
pub(crate) fn answer(tag: u8, parts: &[&[u8]]) -> Result<(), String> {
    let write = || {
        let mut out = io::stdout().lock();
        out.write_all(&[tag])?;
        parts.iter().try_for_each(|part| out.write_all(part))?;
        out.flush()
    };
    write().map_err(|error: io::Error| error.to_string())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;

    /// More time than any test takes.
    pub(crate) fn long() -> Deadline {
        Deadline::after(Duration::from_secs(60))
    }

    /// Less time than a script that sleeps.
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
        }
    }

    fn ask(worker: &Worker) -> Result<Vec<u8>, WorkerError> {
        worker.ask(&["one", "two"], b"input", 24, long())
    }

    #[test]
    fn the_answer_comes_back() {
        // The first argument behind a script is its name.
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
        // When the time is up, nothing is started.
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

    #[test]
    fn somebody_elses_arguments_are_refused() {
        for wrong in [&[][..], &["1"], &["much", "a"], &["1", "a", "b"]] {
            let wrong = wrong.iter().map(OsString::from);
            assert_eq!(arguments::<1>(wrong), Err(usage()));
        }
    }
}
