//! Why the optimizer gave no result: the module is the cause, or the machine.

use crate::wasm::kept::Failure;
use crate::worker::deadline::Spent;
use crate::worker::machine::MachineError;

/// Why a program was not optimized. Each reason depends on the machine, or may depend on it. If the
/// module were compiled unoptimized, the same input would give different bytes, so the build stops.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OptimizeError {
    /// The optimizer took too long, and was stopped.
    #[error("optimizing core module {module} was stopped {spent}")]
    Timeout {
        /// The module's number, in file order.
        module: usize,
        /// The time that it took.
        spent: Spent,
        /// Whether this was the time limit of the whole program, and not that of the optimizer.
        whole: bool,
    },
    /// The optimizer exceeded the memory limit.
    #[error("optimizing core module {module} needs more than {mebibytes} MiB of memory")]
    Memory {
        /// The module's number, in file order.
        module: usize,
        /// The limit in MiB.
        mebibytes: u64,
    },
    /// A signal ended the optimizer without a message: it crashed, or another process sent the
    /// signal.
    #[error("the optimizer crashed on core module {module} ({status}): {message}")]
    Crash {
        /// The module's number, in file order.
        module: usize,
        /// The signal.
        status: String,
        /// The first line that it wrote to standard error.
        message: String,
    },
    /// The machine is at fault, not the program.
    #[error("core module {module} was not optimized")]
    Machine {
        /// The module's number, in file order.
        module: usize,
        /// The cause.
        source: MachineError,
    },
}

impl OptimizeError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Timeout { .. } => "optimize-timeout",
            Self::Memory { .. } => "optimize-memory",
            Self::Crash { .. } => "optimize-crash",
            Self::Machine { source, .. } => source.code(),
        }
    }
}

/// Why one run of the optimizer gave no result.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// The module is not optimized.
    Kept(Failure),
    /// The time ran out.
    Late {
        /// The time that it took.
        spent: Spent,
        /// Whether this was the time limit of the whole program.
        whole: bool,
    },
    /// There was not enough memory.
    OutOfMemory,
    /// A signal ended it without a message that explains it.
    Crashed {
        /// The signal.
        status: String,
        /// The first line that it wrote to standard error.
        message: String,
    },
    /// The machine is at fault.
    Machine(MachineError),
}

impl From<Failure> for Attempt {
    fn from(failure: Failure) -> Self {
        Self::Kept(failure)
    }
}

impl Attempt {
    /// Whether the cause may be another process, or the state of the machine at that time.
    pub(crate) fn may_end_otherwise(&self) -> bool {
        match self {
            Self::Kept(failure) => matches!(failure, Failure::Exit { .. }),
            Self::OutOfMemory | Self::Crashed { .. } | Self::Machine(_) => true,
            Self::Late { .. } => false,
        }
    }
}
