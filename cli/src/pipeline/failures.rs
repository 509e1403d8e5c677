//! What goes wrong when a program is compiled, in the words of the command line.

use edgec_compiler::PrecompileError;

use crate::failure::Failure;

/// What can only be a defect of edgec.
pub(crate) fn defect(error: &dyn std::error::Error) -> Failure {
    Failure::rejected("precompile", error).hint("this is a defect of edgec: please report it")
}

/// Why there is no native code, and what can be done about it.
pub(crate) fn precompile_failure(error: &PrecompileError) -> Failure {
    let (code, hint) = match error {
        PrecompileError::Compile { .. } => (
            "precompile",
            "the program is valid but beyond this engine; its toolchain may offer another way",
        ),
        PrecompileError::Timeout { .. } => (
            "compile-timeout",
            "a real program that is this slow may have more time: --compile-timeout",
        ),
        PrecompileError::Memory { .. } => (
            "compile-memory",
            "a real program that is this large may have more: --worker-memory",
        ),
        PrecompileError::Crash { .. } => (
            "compile-crash",
            "this is a defect of the engine: please report it with the input",
        ),
        PrecompileError::Start { .. } => return Failure::environment("compiler", error),
        _ => ("precompile", "this is a defect of edgec: please report it"),
    };
    Failure::rejected(code, error).hint(hint)
}
