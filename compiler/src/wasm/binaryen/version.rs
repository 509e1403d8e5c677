//! Asks the user's `wasm-opt` program for its version. It reports the version behind the same
//! walls, and with the same limits, as when it optimizes: it may hang, print without end, or search
//! for secrets then as well.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Optimizer, Reads, Runs, Tool};
use crate::worker::deadline::{Deadline, Spent};
use crate::worker::machine::MachineError;
use crate::worker::process::{self, Bounds, Ended, Sleep};
use crate::worker::{self, Worker};

/// The maximum length of its output, in bytes. Binaryen's own programs print one line.
const MOST_PRINTED: u64 = 4096;

/// Why a `wasm-opt` program did not report its version.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VersionError {
    /// It took too long, and was stopped.
    #[error("`--version` was stopped {spent}")]
    Timeout {
        /// The time that it took.
        spent: Spent,
    },
    /// It exceeded the memory limit.
    #[error("`--version` needs more than {mebibytes} MiB of memory")]
    Memory {
        /// The limit in MiB.
        mebibytes: u64,
    },
    /// It printed more than any version needs.
    #[error("`--version` prints more than {most} bytes")]
    TooLong {
        /// The limit in bytes.
        most: u64,
    },
    /// It ended with an error or by a signal.
    #[error("`--version` ended with {status}: {message}")]
    Failed {
        /// The exit status or the signal.
        status: String,
        /// The first line that it wrote to standard error.
        message: String,
    },
    /// It was not started, or the machine prevented its work.
    #[error(transparent)]
    Machine(#[from] MachineError),
}

impl Optimizer {
    /// A `wasm-opt` program that the user named, started by `launcher`. Asks for its version now,
    /// with the launcher's limits and before `deadline`. `timeout` is for its later work.
    ///
    /// # Errors
    ///
    /// [`VersionError`].
    pub fn of_program(
        program: PathBuf,
        launcher: Worker,
        timeout: Duration,
        deadline: Deadline,
    ) -> Result<Self, VersionError> {
        let mut optimizer = Self {
            program,
            arguments: Vec::new(),
            tool: Tool::WasmOpt,
            version: String::new(),
            timeout,
            memory: launcher.memory,
            reads: Reads::Everything,
            spared: BTreeSet::new(),
            // Only on Unix can a program replace another in the same process.
            runs: match cfg!(unix) {
                true => Runs::Behind(launcher),
                false => Runs::InProcesses,
            },
            answers: None,
        };
        optimizer.version = optimizer.ask_version(deadline)?;
        Ok(optimizer)
    }

    /// The first line that the program prints for `--version`.
    fn ask_version(&self, deadline: Deadline) -> Result<String, VersionError> {
        let begin = Instant::now();
        let bounds = Bounds {
            answer: MOST_PRINTED,
            memory: self.memory,
            deadline: deadline.end(),
            // It may be a script, which waits for the programs that it starts.
            sleep: Sleep::Allowed,
        };
        let ended = process::run(self.command().arg("--version"), &[], &bounds);
        match ended.map_err(|error| self.at_fault(error))? {
            Ended::Done(printed) => {
                let text = worker::text(&printed);
                let line = text.lines().next().unwrap_or_default();
                Ok(line.trim().to_owned())
            }
            Ended::TooLong => Err(VersionError::TooLong { most: MOST_PRINTED }),
            Ended::Failed { status, message } | Ended::Crashed { status, message } => {
                let status = status.to_string();
                Err(VersionError::Failed { status, message })
            }
            Ended::OutOfMemory => Err(VersionError::Memory {
                mebibytes: self.memory >> 20,
            }),
            Ended::Late => Err(VersionError::Timeout {
                spent: deadline.spent(begin),
            }),
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::worker::tests::{long, script, short};

    /// A program that is this script, started instead of a launcher.
    fn asked(text: &str, deadline: Deadline) -> Result<Optimizer, VersionError> {
        let timeout = Duration::from_secs(60);
        Optimizer::of_program("/usr/bin/wasm-opt".into(), script(text), timeout, deadline)
    }

    #[test]
    fn the_launcher_gets_its_limits_and_the_version_is_one_line() {
        // The first argument after a script is the script's name.
        let told = asked("printf ' %s %s %s \\nmore\\n' $0 $1 $2", long()).unwrap();
        assert_eq!(told.version, "1073741824 /usr/bin/wasm-opt --version");
        assert_eq!((told.tool, told.memory), (Tool::WasmOpt, 1 << 30));
        assert_eq!(asked("true", long()).unwrap().version, "");
    }

    #[test]
    fn each_way_to_tell_no_version_has_an_error() {
        let late = asked("exec sleep 600", short()).unwrap_err();
        assert!(matches!(late, VersionError::Timeout { .. }), "{late:?}");
        let full = "echo memory allocation of 9 bytes failed >&2; kill -ABRT $$";
        let full = asked(full, long()).unwrap_err().to_string();
        assert_eq!(full, "`--version` needs more than 1024 MiB of memory");
        let much = asked("while :; do echo 0123456789; done", long());
        let much = much.unwrap_err().to_string();
        assert_eq!(much, "`--version` prints more than 4096 bytes");
        let failed = asked("echo oh no >&2; exit 3", long()).unwrap_err();
        let failed = failed.to_string();
        assert_eq!(failed, "`--version` ended with exit status: 3: oh no");
        let crash = asked("kill -SEGV $$", long()).unwrap_err();
        assert!(matches!(crash, VersionError::Failed { .. }), "{crash:?}");
        let missing = format!("echo '{}' >&2; exit 1", crate::worker::said::NO_PROGRAM);
        let missing = asked(&missing, long()).unwrap_err();
        let VersionError::Machine(MachineError::Program { program, .. }) = missing else {
            panic!("{missing:?}");
        };
        assert_eq!(program, PathBuf::from("/usr/bin/wasm-opt"));
    }
}
