//! Exit codes, which say who must act.

use std::process::ExitCode;

/// Who must act, as an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// The input or the artifact is at fault.
    Rejected = 1,
    /// The command line is at fault.
    Usage = 2,
    /// The machine is at fault: files, memory, a missing tool.
    Environment = 3,
    /// Nothing is at fault: what was compared is different. Only `edgec diff` ends with it.
    Different = 4,
}

/// The exit code in the standard library's type.
pub(crate) fn code(exit: Exit) -> ExitCode {
    ExitCode::from(exit as u8)
}
