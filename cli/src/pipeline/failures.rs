//! Failures of optimizing and compiling, in the words of the command line.

use edgec_compiler::{OptimizeError, PrecompileError};

use crate::failure::Failure;
use crate::machine::machine_failure;

/// What can only be a defect of edgec.
pub(crate) fn defect(error: &dyn std::error::Error) -> Failure {
    Failure::rejected("precompile", error).hint("this is a defect of edgec: please report it")
}

/// Why optimizing failed, and what to do about it.
pub(crate) fn optimize_failure(error: &OptimizeError) -> Failure {
    let (code, module, more) = match error {
        OptimizeError::Machine { source, .. } => return machine_failure(error, source),
        OptimizeError::Timeout { module, .. } => (
            "optimize-timeout",
            module,
            "--optimizer-timeout SECONDS gives the optimizer more time",
        ),
        OptimizeError::Memory { module, .. } => (
            "optimize-memory",
            module,
            "--worker-memory MIB gives the optimizer more memory",
        ),
        OptimizeError::Crash { module, .. } => (
            "optimize-crash",
            module,
            "if it happens again, it is a defect of the optimizer: please report it with the input",
        ),
        _ => return Failure::rejected("optimize", error),
    };
    Failure::rejected(code, error).hint(format!(
        "{more};\n--keep-module {module} leaves this core module as it is, -O0 leaves all of them"
    ))
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
            "--compile-timeout SECONDS gives a program more time",
        ),
        PrecompileError::Memory { .. } => (
            "compile-memory",
            "--worker-memory MIB gives a program more memory",
        ),
        PrecompileError::Crash { .. } => (
            "compile-crash",
            "if it happens again, it is a defect of the engine: please report it with the input",
        ),
        PrecompileError::Machine { source, .. } => return machine_failure(error, source),
        _ => ("precompile", "this is a defect of edgec: please report it"),
    };
    Failure::rejected(code, error).hint(hint)
}
