//! Stages of the work on a program that have a process of their own, and the error if such a
//! process gives no answer.

use std::error::Error;
use std::fmt;

use crate::worker::ask::WorkerError;

/// A stage of the work on a program that has a process of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerStage {
    /// Reads, validates and adapts the input, and prepares it for the optimizer.
    Validate,
    /// Calls a function at build time.
    Initialize {
        /// The function.
        function: String,
    },
    /// Puts the optimized program together.
    Assemble,
    /// Compiles for one target.
    Compile {
        /// The target's name.
        target: &'static str,
    },
}

impl fmt::Display for WorkerStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Validate => f.write_str("validating this program"),
            Self::Initialize { function } => write!(f, "calling `{function}`"),
            Self::Assemble => f.write_str("putting the optimized program together"),
            Self::Compile { target } => write!(f, "compiling this program for `{target}`"),
        }
    }
}

/// A stage whose process gave no answer.
#[derive(Debug)]
#[non_exhaustive]
pub struct StageError {
    /// The stage.
    pub stage: WorkerStage,
    /// Why there is no answer. If it is [`WorkerError::Machine`], the machine is at fault and not
    /// the program.
    pub error: WorkerError,
}

impl StageError {
    pub(crate) fn new(stage: WorkerStage, error: WorkerError) -> Self {
        Self { stage, error }
    }

    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        let [timeout, memory, crash] = match &self.stage {
            WorkerStage::Validate => ["validate-timeout", "validate-memory", "validate-crash"],
            WorkerStage::Initialize { .. } => ["init"; 3],
            WorkerStage::Assemble => ["optimize-timeout", "optimize-memory", "optimize-crash"],
            WorkerStage::Compile { .. } => ["compile-timeout", "compile-memory", "compile-crash"],
        };
        match &self.error {
            WorkerError::Timeout { .. } => timeout,
            WorkerError::Memory { .. } => memory,
            WorkerError::Crash { .. } => crash,
            WorkerError::Machine(cause) => cause.code(),
        }
    }
}

impl fmt::Display for StageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = &self.stage;
        match &self.error {
            WorkerError::Timeout { spent } => write!(f, "{stage} was stopped {spent}"),
            WorkerError::Memory { mebibytes } => {
                write!(f, "{stage} needs more than {mebibytes} MiB of memory")
            }
            WorkerError::Crash { status, message } => {
                write!(f, "{stage} failed ({status}): {message}")
            }
            WorkerError::Machine(_) => write!(f, "{stage} was not possible"),
        }
    }
}

impl Error for StageError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.error {
            WorkerError::Machine(source) => Some(source),
            _ => None,
        }
    }
}
