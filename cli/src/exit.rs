//! Exit codes: whose turn it is to act.

use std::process::ExitCode;

/// Whose turn it is to act, as an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// The input or the artifact is at fault.
    Rejected = 1,
    /// The command line is at fault.
    Usage = 2,
    /// The machine is at fault: files, memory, a missing tool.
    Environment = 3,
}

/// As the system takes it.
pub(crate) fn code(exit: Exit) -> ExitCode {
    ExitCode::from(exit as u8)
}
