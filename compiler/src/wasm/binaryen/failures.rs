//! Why the optimizer gave no result: causes that follow from the module, and causes in the machine.

use crate::wasm::kept::Failure;
use crate::worker::deadline::Spent;
use crate::worker::machine::MachineError;

/// Why a program was not optimized. Each reason depends on the machine, or may depend on it. A
/// module that is left as it is would then give other bytes for the same input, so the build stops.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OptimizeError {
    /// It took too long, and was stopped.
    #[error("optimizing core module {module} was stopped {spent}")]
    Timeout {
        /// The module's number, in file order.
        module: usize,
        /// The time that was spent.
        spent: Spent,
        /// Whether that was the time for the whole program, not that for optimizing it.
        whole: bool,
    },
    /// It needs more memory than it may have.
    #[error("optimizing core module {module} needs more than {mebibytes} MiB of memory")]
    Memory {
        /// The module's number, in file order.
        module: usize,
        /// The limit in MiB.
        mebibytes: u64,
    },
    /// A signal ended it, and it did not say why: it crashed, or another process sent the signal.
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
        /// What was in the way.
        source: MachineError,
    },
}

/// Why one run of the optimizer gave nothing.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// The module is left as it is.
    Kept(Failure),
    /// There was no time left.
    Late {
        /// The time that was spent.
        spent: Spent,
        /// Whether that was the time for the whole program.
        whole: bool,
    },
    /// There was not enough memory.
    OutOfMemory,
    /// A signal ended it without an explanation.
    Crashed {
        /// The signal.
        status: String,
        /// The first line that it wrote to standard error.
        message: String,
    },
    /// The machine was in the way.
    Machine(MachineError),
}

impl From<Failure> for Attempt {
    fn from(failure: Failure) -> Self {
        Self::Kept(failure)
    }
}

impl Attempt {
    /// Whether the cause may be what ran beside it, or what happened to the machine at that time.
    pub(crate) fn may_end_otherwise(&self) -> bool {
        match self {
            Self::Kept(failure) => matches!(failure, Failure::Exit { .. }),
            Self::OutOfMemory | Self::Crashed { .. } | Self::Machine(_) => true,
            Self::Late { .. } => false,
        }
    }
}
