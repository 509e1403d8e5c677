//! Failures of work on a program: why it was refused or not compiled, and what to do about it.

use edgec_compiler::{
    AdaptError, FrontEndError, HostNeed, InitError, InputError, Location, MachineError,
    OptimizeError, PrecompileError, StageError, TranslateError, ValidateError, VersionError,
    WorkerError, WorkerStage,
};

use super::gate::{gate_failure, wit_failure};
use super::machine::machine_failure;
use crate::failure::{Exit, Failure};
use crate::file_kind::{Wanted, explain};
use crate::place::Place;
use crate::render;
use crate::text_input::without_offsets;

/// What to do when the time for a whole program has run out.
const MORE_TIME: &str =
    "--compile-timeout SECONDS gives a program more time, for all stages and targets together";

/// An error that can only be a defect of edgec.
pub(super) fn defect(code: &'static str, error: &dyn std::error::Error) -> Failure {
    Failure::rejected(code, error).hint("this is a defect of edgec: please report it")
}

/// Why optimizing failed, and what to do about it.
pub(super) fn optimize_failure(error: &OptimizeError) -> Failure {
    let (module, more) = match error {
        OptimizeError::Machine { source, .. } => return machine_failure(error, source),
        OptimizeError::Timeout { module, whole, .. } => (
            module,
            match whole {
                true => MORE_TIME,
                false => "--optimizer-timeout SECONDS gives the optimizer more time",
            },
        ),
        OptimizeError::Memory { module, .. } => (
            module,
            "--worker-memory MIB gives the optimizer more memory",
        ),
        OptimizeError::Crash { module, .. } => (
            module,
            "if it happens again, it is a defect of the optimizer: please report it with the input",
        ),
        _ => return Failure::rejected(error.code(), error),
    };
    Failure::rejected(error.code(), error).hint(format!(
        "{more};\n--keep-module {module} leaves this core module as it is, -O0 leaves all of them"
    ))
}

/// Why the process of a stage gave no answer, and what to do about it.
pub(super) fn stage_failure(error: &StageError) -> Failure {
    let hint = match (&error.error, &error.stage) {
        (WorkerError::Machine(cause), _) => return machine_failure(error, cause),
        (WorkerError::Timeout { .. }, _) => MORE_TIME,
        (WorkerError::Memory { .. }, WorkerStage::Validate) => {
            "--worker-memory MIB gives a program more memory; no real program is known that needs so much"
        }
        (WorkerError::Memory { .. }, _) => "--worker-memory MIB gives a program more memory",
        (_, WorkerStage::Validate) => VALIDATE_DEFECT,
        (_, WorkerStage::Initialize { .. }) => INIT_DEFECT,
        (_, WorkerStage::Compile { .. }) => {
            "if it happens again, it is a defect of the engine: please report it with the input"
        }
        _ => "if it happens again, it is a defect of edgec: please report it with the input",
    };
    let failure = Failure::rejected(error.code(), error);
    match &error.stage {
        WorkerStage::Assemble => {
            failure.hint(format!("{hint};\n-O0 leaves all core modules as they are"))
        }
        _ => failure.hint(hint),
    }
}

/// Why the program could not be compiled, and what to do about it.
pub(super) fn precompile_failure(error: &PrecompileError) -> Failure {
    match error {
        PrecompileError::Worker(error) => stage_failure(error),
        PrecompileError::Compile { .. } => Failure::rejected(error.code(), error).hint(
            "the program is valid but beyond this engine; its toolchain may offer another way",
        ),
        _ => defect(error.code(), error),
    }
}

/// What to do if the process that validates fails on an input.
const VALIDATE_DEFECT: &str =
    "this is a defect of edgec or of its validator: please report it with the input";

/// What to do if a snapshot is malformed.
pub(super) const INIT_DEFECT: &str =
    "this is a defect of edgec or of Wizer: please report it with the input";

/// Why a component was not pre-initialized, and what to do about it.
pub(super) fn init_failure(error: &InitError) -> Failure {
    let hint = match error {
        InitError::Kind => {
            "--init is for components; a component that edgec makes of a core module has no such function"
        }
        InitError::Unsupported { .. } => "docs/init.md says what a snapshot can hold",
        InitError::Function { .. } => {
            "name an export without parameters and results: FUNCTION or INTERFACE.FUNCTION"
        }
        InitError::Failed { .. } => {
            "while it runs, nothing answers its imports: no clock, no random numbers, no files"
        }
        InitError::Worker(error) => return stage_failure(error),
        _ => INIT_DEFECT,
    };
    Failure::rejected(error.code(), error).hint(hint)
}

/// What to do about a `wasm-opt` program that does not start, or that lacks something.
const NOT_STARTED: &str = match cfg!(feature = "binaryen") {
    true => {
        "--wasm-opt names a program of Binaryen: check that the file exists and \
         runs here; it opens no other files, and starts only programs of the system, of its own \
         folder and of PATH (docs/environment.md)"
    }
    false => {
        "this edgec is built without Binaryen and starts the `wasm-opt` on PATH, or the one that \
         --wasm-opt names: check that it exists and runs here; it opens no other files, and starts \
         only programs of the system, of its own folder and of PATH (docs/environment.md)"
    }
};

/// Why a `wasm-opt` program did not report its version, and what to do about it.
pub(crate) fn version_failure(error: &VersionError) -> Failure {
    let hint = match error {
        VersionError::Machine(MachineError::Program { message, .. }) => {
            let message = format!("it cannot be asked for its `--version`: {message}");
            return Failure::new(Exit::Environment, "optimizer", message).hint(NOT_STARTED);
        }
        VersionError::Machine(source) => return machine_failure(error, source),
        VersionError::Timeout { .. } => {
            "check that it answers `--version` and ends; --optimizer-timeout SECONDS and \
             --compile-timeout SECONDS give it more time"
        }
        VersionError::Memory { .. } => "--worker-memory MIB gives it more memory",
        _ => "--wasm-opt names a program of Binaryen, which answers `--version` with one line",
    };
    Failure::environment("optimizer", error).hint(hint)
}

/// Why an input gave no program, and what to do about it.
pub(crate) fn refused_input_failure(error: &FrontEndError, bytes: &[u8]) -> Failure {
    match error {
        FrontEndError::Input(input) => input_failure(error.code(), input, bytes).quoting(),
        FrontEndError::Program { error, from_text } => {
            let failure = without_offsets(adapt_failure(error), *from_text).quoting();
            match error {
                AdaptError::Invalid(ValidateError::Invalid { location, .. }) => {
                    located(failure, location, *from_text)
                }
                _ => failure,
            }
        }
        FrontEndError::World(error) => wit_failure(error),
        FrontEndError::Gate(found) => gate_failure(found),
        error => front_end_failure(error),
    }
}

/// The failure with its place in the program.
fn located(failure: Failure, location: &Location, from_text: bool) -> Failure {
    let failure = match location.text {
        Some(_) if failure.code() == "invalid" => {
            failure.hint("correct the text: the program in it is not valid")
        }
        _ => failure,
    };
    failure.at(Place::in_program(location, from_text))
}

/// Why the process that reads inputs failed.
pub(crate) fn front_end_failure(error: &FrontEndError) -> Failure {
    match error {
        FrontEndError::Worker(error) => stage_failure(error),
        FrontEndError::Translated(_) => Failure::rejected(error.code(), error)
            .hint("this `wasm-opt` made it: try a newer one with --wasm-opt"),
        _ => Failure::rejected(error.code(), error).hint(VALIDATE_DEFECT),
    }
}

/// Why the bytes are not a valid input.
fn input_failure(code: &'static str, error: &InputError, bytes: &[u8]) -> Failure {
    let hint = match error {
        InputError::Empty => "the build that should have written it probably failed",
        InputError::NotWasm { .. } | InputError::OtherText => {
            "give a component or core module, .wasm or .wat"
        }
        InputError::TextTooLong { .. } => "give it in the binary format",
        InputError::Truncated { .. } => "the file was cut off; build or download it again",
        InputError::Version { .. } => "edgec reads core modules (1) and components (0x1000d)",
        _ => "",
    };
    let failure = Failure::rejected(code, error);
    let failure = match hint {
        "" => failure,
        hint => failure.hint(hint),
    };
    match error {
        InputError::Empty => failure,
        _ => {
            let failure = explain(failure, bytes, Wanted::Program);
            let place = Place::in_message(failure.message());
            failure.at(place)
        }
    }
}

/// What to do about exceptions from before the standard.
const LEGACY_EXCEPTIONS: &str = "\
these are legacy exceptions, from before the standard: `edgec build` translates them if --wasm-opt \
names a `wasm-opt` of Binaryen 118 or later;\n\
or make standard ones: Emscripten with -sWASM_LEGACY_EXCEPTIONS=0, clang with -mllvm \
-wasm-use-legacy-eh=false";

/// Why legacy exceptions were not translated, and what to do about it.
pub(super) fn translate_failure(error: &TranslateError) -> Failure {
    let hint = match error {
        TranslateError::Machine { source, .. } => return machine_failure(error, source),
        TranslateError::Version { .. } => LEGACY_EXCEPTIONS,
        TranslateError::Timeout { whole: true, .. } => MORE_TIME,
        TranslateError::Timeout { .. } => {
            "--optimizer-timeout SECONDS gives the optimizer more time"
        }
        TranslateError::Memory { .. } => "--worker-memory MIB gives the optimizer more memory",
        _ => "if it happens again, it is a defect of this `wasm-opt`: try a newer one",
    };
    Failure::rejected(error.code(), error).hint(hint)
}

fn invalid_failure(error: &ValidateError) -> Failure {
    let text = render::safe(&error.to_string());
    let failure = |text: String| Failure::new(Exit::Rejected, error.code(), text);
    if let ValidateError::Fault { .. } = error {
        let text =
            format!("valid WebAssembly, but this engine's code for it does not work: {text}");
        return failure(text).with_safe_message().hint(
            "split the type in two, or pass numbers or a list instead; \
             `edgec advisories` has the source",
        );
    }
    if let ValidateError::Limit { advice, .. } = error {
        let text = format!("beyond a limit of edgec: {text}");
        return failure(text).hint(format!("{advice}; docs/limits.md has the limits"));
    }
    let ValidateError::Invalid {
        message,
        unsupported_feature,
        ..
    } = error
    else {
        let text = format!("valid WebAssembly, but beyond this engine: {text}");
        return failure(text).with_safe_message().hint(
            "the program's toolchain may offer another way; for a limit, split what is too large",
        );
    };
    if let Some(feature) = unsupported_feature {
        let text = format!("WebAssembly that edgec does not support: {text}");
        let failure = failure(text).with_safe_message();
        return match feature.as_str() {
            _ if error.is_about_legacy_exceptions() => failure.hint(LEGACY_EXCEPTIONS),
            feature => failure.hint(format!(
                "the program uses `{feature}`; build it without \
                 (`edgec validate --help` lists what is supported)"
            )),
        };
    }
    let text = format!("invalid WebAssembly: {text}");
    let failure = failure(text).with_safe_message();
    if message.contains("unexpected end") {
        return failure.hint("the file was cut off; build or download it again");
    }
    failure.hint("the module is invalid: correct it, or report it to the toolchain that made it")
}

fn adapt_failure(error: &AdaptError) -> Failure {
    if let AdaptError::Made { .. } | AdaptError::Unsupported { .. } = error {
        return made_failure(error);
    }
    let hint = match error {
        AdaptError::Invalid(error) => return invalid_failure(error),
        AdaptError::Wit(error) => return wit_failure(error),
        AdaptError::TypesForComponent | AdaptError::TypesTwice => {
            "leave --wit out; --world compares a program with a world"
        }
        AdaptError::TypesForModule => "leave --wit out, or --kind module",
        AdaptError::ComponentToModule => "leave --kind out, or give a core module",
        AdaptError::NoExports => {
            "nothing could call it: --kind module compiles the core module as it is; \
             wit-bindgen writes the component types that say what a component exports"
        }
        AdaptError::Encode { .. } => {
            "the module does not match the component types that it carries: \
             its wit-bindgen and its toolchain may be of different versions;\n\
             --kind module compiles the core module as it is"
        }
        AdaptError::Obstacle { need, .. } => match need {
            HostNeed::Preview1 => {
                "--kind module compiles the core module as it is, and `edgec run` runs it (docs/preview1.md)"
            }
            HostNeed::Imports => {
                "--kind module compiles the core module as it is, for a host that gives it these imports: \
                 `edgec run` has WASI preview 1 only (docs/preview1.md)"
            }
            HostNeed::Calls => {
                "--kind module compiles the core module as it is, for a host that calls its exports: \
                 it has no `_start` that `edgec run` could call (docs/preview1.md)"
            }
        },
        _ => "--kind module compiles the core module as it is",
    };
    Failure::rejected(error.code(), error).hint(hint)
}

/// Why the component that edgec made from a core module cannot be used, and what to do about it.
fn made_failure(error: &AdaptError) -> Failure {
    let why = match error {
        AdaptError::Unsupported {
            feature: Some(feature),
            ..
        } => format!(
            "the component types that the module carries use `{feature}`; build it without \
             (`edgec validate --help` lists what is supported)"
        ),
        AdaptError::Unsupported { feature: None, .. } => {
            "this comes from the component types that the module carries; with simpler ones it may \
             be compiled"
                .to_owned()
        }
        _ => "this is a defect of edgec or of wit-component: please report it with the input"
            .to_owned(),
    };
    let failure = Failure::rejected(error.code(), error).hint(format!(
        "{why};\n--kind module compiles the core module as it is"
    ));
    // The user does not have the component as a file.
    without_offsets(failure, true)
}
