//! The lint in a process of its own: a hostile program can have the engine's front end build
//! memory images of gigabytes, and a hostile image can have its decoder ask for as much.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use super::{Finding, image, program};
use crate::process::{self, Ended};
use crate::{Kind, ValidComponent};

/// How the process that lints is started, and what it may use.
#[derive(Clone, Debug)]
pub struct LintProcess {
    /// The program: one that calls [`lint_worker`].
    pub program: PathBuf,
    /// Arguments in front of those of the worker.
    pub arguments: Vec<OsString>,
    /// How long it may take.
    pub timeout: Duration,
    /// How much memory it may use, in bytes (held on Linux only).
    pub memory: u64,
}

/// Why there are no findings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LintError {
    /// The engine's types do not read it.
    #[error("the engine does not understand it: {reason}")]
    Unreadable {
        /// What the decoder or the front end says.
        reason: String,
    },
    /// It took too long.
    #[error("not done after {seconds} s")]
    Timeout {
        /// How long it had.
        seconds: u64,
    },
    /// The process ended without an answer.
    #[error("the process ended with {status}: {message}")]
    Crash {
        /// The exit status or the signal.
        status: String,
        /// The first line that it wrote to standard error.
        message: String,
    },
    /// The process did not start, or its files could not be written or read.
    #[error("the lint could not be run")]
    Start {
        /// What the system said.
        source: io::Error,
    },
}

/// More than all modules that a program can have may say, in bytes.
const MAX_ANSWER_LEN: u64 = 64 << 20;
const FINDINGS: u8 = 0;
const UNREADABLE: u8 = 1;

impl LintProcess {
    /// What the engine loses when it instantiates a program, with the causes.
    ///
    /// # Errors
    ///
    /// [`LintError`].
    pub fn program(&self, program: &ValidComponent) -> Result<Vec<Finding>, LintError> {
        self.run("program", program.kind(), program.bytes())
    }

    /// What the engine loses when it instantiates an image of its version, given the bytes of
    /// the section `.wasmtime.info`, which nobody needs to vouch for.
    ///
    /// # Errors
    ///
    /// [`LintError`].
    pub fn image(&self, info: &[u8], kind: Kind) -> Result<Vec<Finding>, LintError> {
        self.run("image", kind, info)
    }

    fn run(&self, what: &str, kind: Kind, input: &[u8]) -> Result<Vec<Finding>, LintError> {
        let kind = match kind {
            Kind::Component => "component",
            Kind::Module => "module",
        };
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .args([self.memory.to_string().as_str(), what, kind]);
        let deadline = Instant::now() + self.timeout;
        let ended = process::run(&mut command, input, deadline);
        match ended.map_err(|source| LintError::Start { source })? {
            Ended::Done(output) => {
                let mut answer = Vec::new();
                let read = output.take(MAX_ANSWER_LEN).read_to_end(&mut answer);
                read.map_err(|source| LintError::Start { source })?;
                understand(&answer)
            }
            Ended::Killed => Err(LintError::Timeout {
                seconds: self.timeout.as_secs(),
            }),
            Ended::Failed { status, message } => Err(LintError::Crash {
                status: status.to_string(),
                message,
            }),
        }
    }
}

fn understand(answer: &[u8]) -> Result<Vec<Finding>, LintError> {
    match answer.split_first() {
        Some((&FINDINGS, rest)) => {
            if let Ok(findings) = postcard::from_bytes(rest) {
                return Ok(findings);
            }
        }
        Some((&UNREADABLE, reason)) => {
            return Err(LintError::Unreadable {
                reason: String::from_utf8_lossy(reason).into_owned(),
            });
        }
        _ => {}
    }
    Err(LintError::Crash {
        status: "an answer that is none".to_owned(),
        message: format!("{} bytes", answer.len()),
    })
}

/// What the worker process does: reads the arguments that [`LintProcess`] gives and a program
/// or the description of an image from standard input, and answers on standard output.
///
/// # Errors
///
/// What is wrong with the arguments or the streams: somebody else started it.
pub fn lint_worker(arguments: impl IntoIterator<Item = OsString>) -> Result<(), String> {
    let usage = || "not started by edgec".to_owned();
    let arguments: Vec<String> = arguments
        .into_iter()
        .map(|argument| argument.into_string().map_err(|_| usage()))
        .collect::<Result<_, _>>()?;
    let [memory, what, kind] = arguments.as_slice() else {
        return Err(usage());
    };
    process::confine(memory.parse().map_err(|_| usage())?);
    let kind = match kind.as_str() {
        "component" => Kind::Component,
        "module" => Kind::Module,
        _ => return Err(usage()),
    };
    let mut bytes = Vec::new();
    let read = io::stdin().lock().read_to_end(&mut bytes);
    read.map_err(|error| error.to_string())?;
    let findings = match what.as_str() {
        "program" => program::lint(&bytes, kind),
        "image" => image::lint(&bytes, kind),
        _ => return Err(usage()),
    };
    let (tag, answer) = match findings {
        Ok(findings) => (
            FINDINGS,
            postcard::to_allocvec(&findings).map_err(|error| error.to_string())?,
        ),
        Err(reason) => (UNREADABLE, reason.into_bytes()),
    };
    let mut out = io::stdout().lock();
    let written = out.write_all(&[tag]).and_then(|()| out.write_all(&answer));
    written
        .and_then(|()| out.flush())
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str, timeout: Duration) -> LintError {
        let process = LintProcess {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            timeout,
            memory: 1 << 30,
        };
        process.image(b"", Kind::Module).unwrap_err()
    }

    #[test]
    fn each_end_of_the_process_has_an_error() {
        let minute = Duration::from_secs(60);
        let hang = run("sleep 600", Duration::from_millis(50));
        assert!(matches!(hang, LintError::Timeout { .. }), "{hang}");
        let crash = run("echo oh no >&2; kill -SEGV $$", minute);
        assert!(crash.to_string().contains("SIGSEGV"), "{crash}");
        assert!(crash.to_string().contains("oh no"), "{crash}");
        for nothing in ["true", "printf '\\000\\377'", "echo '?'"] {
            let error = run(nothing, minute);
            assert!(matches!(error, LintError::Crash { .. }), "{error}");
        }
        let refused = run("printf '\\001no'", minute);
        assert!(refused.to_string().ends_with(": no"), "{refused}");
        let missing = LintProcess {
            program: "/nonexistent".into(),
            arguments: vec![],
            timeout: minute,
            memory: 0,
        };
        let error = missing.image(b"", Kind::Component).unwrap_err();
        assert!(matches!(error, LintError::Start { .. }), "{error}");
    }
}
