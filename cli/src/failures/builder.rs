//! Failures of optimizing and compiling, in the words of the command line.

use edgec_compiler::{AssembleError, OptimizeError, PrecompileError};

use crate::failure::Failure;
use crate::machine::machine_failure;

/// What to do when the time for a whole program is up.
pub(crate) const MORE_TIME: &str =
    "--compile-timeout SECONDS gives a program more time, for all stages and targets together";

/// What can only be a defect of edgec.
pub(crate) fn defect(error: &dyn std::error::Error) -> Failure {
    Failure::rejected("precompile", error).hint("this is a defect of edgec: please report it")
}

/// Why optimizing failed, and what to do about it.
pub(crate) fn optimize_failure(error: &OptimizeError) -> Failure {
    let (code, module, more) = match error {
        OptimizeError::Machine { source, .. } => return machine_failure(error, source),
        OptimizeError::Timeout { module, whole, .. } => (
            "optimize-timeout",
            module,
            match whole {
                true => MORE_TIME,
                false => "--optimizer-timeout SECONDS gives the optimizer more time",
            },
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

/// Why the optimized program was not put together, and what to do about it.
pub(crate) fn assemble_failure(error: &AssembleError) -> Failure {
    let (code, more) = match error {
        AssembleError::Machine { source } => return machine_failure(error, source),
        AssembleError::Timeout { .. } => ("optimize-timeout", MORE_TIME),
        AssembleError::Memory { .. } => (
            "optimize-memory",
            "--worker-memory MIB gives a program more memory",
        ),
        _ => (
            "optimize-crash",
            "if it happens again, it is a defect of edgec: please report it with the input",
        ),
    };
    Failure::rejected(code, error).hint(format!("{more};\n-O0 leaves all core modules as they are"))
}

/// Why there is no native code, and what can be done about it.
pub(crate) fn precompile_failure(error: &PrecompileError) -> Failure {
    let (code, hint) = match error {
        PrecompileError::Compile { .. } => (
            "precompile",
            "the program is valid but beyond this engine; its toolchain may offer another way",
        ),
        PrecompileError::Timeout { .. } => ("compile-timeout", MORE_TIME),
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
