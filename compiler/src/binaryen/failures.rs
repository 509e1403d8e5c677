//! Why the optimizer gave no result: causes that follow from the module, and causes in the machine.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::BINARYEN_VERSION;
use crate::deadline::Spent;
use crate::machine::MachineError;
use crate::spare::Unfit;

/// Why a module was not optimized. Each reason follows from the input and the optimizer alone, so
/// the same build leaves the same modules as they are everywhere. None of them stops the build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The module was to be left as it is.
    #[error("it was to be left as it is")]
    Spared,
    /// The module uses a feature that Binaryen 116 does not read.
    #[error("Binaryen {BINARYEN_VERSION} does not read {features}")]
    Unsupported {
        /// The features' names.
        features: String,
    },
    /// The module is so long that the level would cost more than it gains.
    #[error("it is longer than {most} bytes, where -O1 gains nothing; -O2 and above optimize it")]
    Large {
        /// The longest module that is optimized, in bytes.
        most: usize,
    },
    /// The level would change next to nothing in the native code.
    #[error("-O1 would gain next to nothing; -O2 and above optimize it")]
    NoGain,
    /// A segment may be out of bounds, and Binaryen would drop it with its trap.
    #[error("active {kind} segment {index} may be out of bounds, and Binaryen would drop its trap")]
    MayTrap {
        /// `data` or `element`.
        kind: Cow<'static, str>,
        /// The segment's index.
        index: u32,
    },
    /// A function is not for Binaryen, and cannot be kept from it without the rest.
    #[error("function {function} has {reason}, and refers to segments or to functions as values")]
    Tied {
        /// The function's index.
        function: u32,
        /// Why it is not for Binaryen.
        reason: Unfit,
    },
    /// Something is to be kept from Binaryen under names that the module has itself.
    #[error("it uses names that edgec needs to keep something from Binaryen")]
    Names,
    /// The process ended with an error, or aborted and said why.
    #[error("the optimizer failed ({status}): {message}")]
    Exit {
        /// The exit status or the signal.
        status: String,
        /// The line of its messages that says why, or the first one.
        message: String,
    },
    /// The result is not a valid module, or does not fit its component.
    #[error("the optimizer's output is not valid: {message}")]
    Invalid {
        /// What the validator said.
        message: String,
    },
}

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
