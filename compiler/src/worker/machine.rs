//! Failures of the machine, for which the input is not at fault.
//!
//! They concern temporary folders, limits (`getrlimit(2)`) and signals from outside. On another
//! machine, the same build might have another result. So the build fails, and its message names the
//! cause.

use std::fmt;
use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::path::PathBuf;

use crate::worker::threads;

/// Why a process did not do its work, if neither the input nor the tool is at fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MachineError {
    /// The temporary folder is missing, read-only or full. It is `TMPDIR`, else `/tmp`.
    #[error("cannot write a temporary file in {}", folder.display())]
    Temporary {
        /// The folder.
        folder: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A limit was reached that was set before edgec started.
    #[error("a limit of this machine was reached: {limit}")]
    Limit {
        /// The limit.
        limit: Limit,
    },
    /// A signal from outside ended the process. A user sent it, or a system that is short of
    /// memory.
    #[error("a process of edgec was killed from outside ({signal})")]
    Signal {
        /// The signal's name.
        signal: String,
    },
    /// The process did not start, or its streams could not be used.
    #[error("a process could not be run")]
    Process(#[source] io::Error),
    /// All threads of the process wait for something that the machine did not provide.
    #[error("a process of edgec made no progress for {seconds} s: all its threads wait")]
    Stuck {
        /// How long the process was watched, in seconds.
        seconds: u64,
    },
    /// A program that the user named was not found, or could not work.
    #[error("`{}` could not do its work: {message}", program.display())]
    Program {
        /// The program.
        program: PathBuf,
        /// Its message, or a shell's message about it.
        message: String,
    },
    /// The process must be confined, and the system lacks some of the walls.
    #[error("this system cannot confine edgec's processes; missing walls: {missing}")]
    Walls {
        /// The names of the missing walls, separated by commas.
        missing: String,
    },
    /// The process reports that it could not work.
    #[error("a process could not do its work: {message}")]
    Worker {
        /// Its message.
        message: String,
    },
}

/// A limit on a process or a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// `RLIMIT_FSIZE`.
    FileSize,
    /// `RLIMIT_CPU`.
    CpuTime,
    /// `RLIMIT_NOFILE`.
    OpenFiles,
    /// `RLIMIT_NPROC`, or the limit of a container.
    Processes,
    /// `RLIMIT_AS` or `RLIMIT_DATA`.
    Memory,
    /// `RLIMIT_STACK`.
    Stack,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Limit::FileSize => "the size of files (`ulimit -f`)",
            Limit::CpuTime => "CPU time (`ulimit -t`)",
            Limit::OpenFiles => "open files (`ulimit -n`)",
            Limit::Processes => "processes and threads (`ulimit -u`)",
            Limit::Memory => "memory (`ulimit -v` or `ulimit -d`)",
            Limit::Stack => "the stack (`ulimit -s`)",
        })
    }
}

impl Limit {
    /// Every limit.
    pub(crate) const ALL: [Limit; 6] = [
        Limit::FileSize,
        Limit::CpuTime,
        Limit::OpenFiles,
        Limit::Processes,
        Limit::Memory,
        Limit::Stack,
    ];
}

impl From<Limit> for MachineError {
    fn from(limit: Limit) -> Self {
        Self::Limit { limit }
    }
}

impl MachineError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Temporary { .. } => "temporary-folder",
            Self::Limit { .. } => "limit",
            Self::Signal { .. } => "killed",
            Self::Process(_)
            | Self::Stuck { .. }
            | Self::Program { .. }
            | Self::Walls { .. }
            | Self::Worker { .. } => "worker",
        }
    }

    /// The error for a temporary file that could not be made or written.
    pub(crate) fn of_temporary_file(source: io::Error) -> Self {
        if let Some(limit) = limit(&source) {
            return limit.into();
        }
        let folder = std::env::temp_dir();
        // When `tempfile` adds the path to an error, the system's error code is lost.
        let source = match source.raw_os_error() {
            Some(_) => source,
            None => match std::fs::metadata(&folder) {
                Ok(found) if !found.is_dir() => io::ErrorKind::NotADirectory.into(),
                Ok(_) => source.kind().into(),
                Err(missing) => missing,
            },
        };
        Self::Temporary { folder, source }
    }

    /// The error for a thread that did not start. The system's error is the same whether threads
    /// are limited or memory for the stack is missing.
    pub fn of_thread(source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::WouldBlock if threads::lacks_memory() => Limit::Memory.into(),
            _ => Self::of_start(source),
        }
    }

    /// The error for a process that did not start, or whose answer could not be read.
    pub(crate) fn of_start(source: io::Error) -> Self {
        use io::ErrorKind;
        match source.kind() {
            ErrorKind::WouldBlock => Limit::Processes.into(),
            ErrorKind::OutOfMemory => Limit::Memory.into(),
            _ => match limit(&source) {
                Some(limit) => limit.into(),
                None => Self::Process(source),
            },
        }
    }
}

/// The limit that a system's error is about, if there is one.
fn limit(error: &io::Error) -> Option<Limit> {
    use rustix::io::Errno;
    match Errno::from_io_error(error)? {
        Errno::MFILE | Errno::NFILE => Some(Limit::OpenFiles),
        Errno::FBIG => Some(Limit::FileSize),
        _ => None,
    }
}

/// A file without a name that contains `input`. Reading begins at its start.
pub(crate) fn temporary_file(input: &[u8]) -> Result<File, MachineError> {
    let write = || {
        let mut file = tempfile::tempfile()?;
        file.write_all(input)?;
        file.rewind()?;
        Ok(file)
    };
    write().map_err(MachineError::of_temporary_file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_is_kept_or_named() {
        let os = io::Error::from_raw_os_error;
        let full = MachineError::of_temporary_file(os(rustix::io::Errno::NOSPC.raw_os_error()));
        let MachineError::Temporary { source, folder } = full else {
            panic!("{full}");
        };
        assert!(source.to_string().contains("No space left"), "{source}");
        assert_eq!(folder, std::env::temp_dir());
        for (errno, limit) in [
            (rustix::io::Errno::MFILE, "`ulimit -n`"),
            (rustix::io::Errno::FBIG, "`ulimit -f`"),
        ] {
            let error = MachineError::of_temporary_file(os(errno.raw_os_error()));
            assert!(error.to_string().contains(limit), "{error}");
        }
        for (errno, limit) in [
            (rustix::io::Errno::AGAIN, "`ulimit -u`"),
            (rustix::io::Errno::NOMEM, "`ulimit -v`"),
            (rustix::io::Errno::MFILE, "`ulimit -n`"),
        ] {
            let error = MachineError::of_start(os(errno.raw_os_error()));
            assert!(error.to_string().contains(limit), "{error}");
        }
        let again = os(rustix::io::Errno::AGAIN.raw_os_error());
        let thread = MachineError::of_thread(again);
        assert!(thread.to_string().contains("`ulimit -u`"), "{thread}");
        let missing = MachineError::of_start(io::ErrorKind::NotFound.into());
        assert!(matches!(missing, MachineError::Process(_)), "{missing}");
    }
}
