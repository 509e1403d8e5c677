//! `edgec validate`: whether edgec would compile an input.

use std::path::PathBuf;

use edgec_compiler::{
    AdaptError, Deadline, FrontEnd, FrontError, HostNeed, InputError, Kind, NotFronted,
    ValidComponent, ValidateError,
};
use serde::Serialize;

use crate::Outcome;
use crate::failure::{Exit, Failure};
use crate::file_kind::{Wanted, explain};
use crate::files;
use crate::machine::machine_failure;
use crate::pipeline::{MORE_TIME, check_room};
use crate::render::outln;
use crate::render::{self, Format};
use crate::reports::Reports;
use crate::text_input::without_offsets;
use crate::workers::LimitArguments;

/// Check WebAssembly inputs without compiling them
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Components or core modules, binary (.wasm) or text (.wat); `-` is standard input
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    #[command(flatten)]
    limits: LimitArguments,
    /// The format of the results
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Adds the list of supported features to a verb's long help.
pub(crate) fn with_features(command: clap::Command) -> clap::Command {
    command.after_long_help(format!(
        "Supported WebAssembly features, exactly: {}.",
        edgec_compiler::supported_feature_names().join(", ")
    ))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    input: String,
    valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    features: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    files::refuse_stdin_twice(&arguments.inputs)?;
    let front_end = arguments.limits.front_end()?;
    let mut reports = Reports::new(arguments.format);
    for input in &arguments.inputs {
        let result = files::read(input).and_then(|bytes| {
            let deadline = Deadline::after(arguments.limits.timeout());
            check(&front_end, bytes, deadline)
        });
        let mut report = Report {
            input: render::path(input),
            valid: result.is_ok(),
            kind: None,
            features: None,
            error: None,
        };
        match result {
            Ok(program) => {
                report.kind = Some(kind_name(program.kind()));
                report.features = Some(program.feature_names());
                if arguments.format == Format::Text {
                    outln!("{}: valid {}", report.input, kind_name(program.kind()));
                }
            }
            Err(failure) => {
                let failure = failure.about_safe(&report.input);
                reports.fail(&failure);
                report.error = Some(failure);
            }
        }
        reports.push(report);
    }
    reports.end()
}

fn check(
    front_end: &FrontEnd,
    bytes: Vec<u8>,
    deadline: Deadline,
) -> Result<ValidComponent, Failure> {
    let program = front_end.validate(bytes, deadline);
    let program = program.map_err(|not| front_failure(&not))?;
    check_room(&program.facts)?;
    Ok(program.component)
}

pub(crate) fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Component => "component",
        Kind::Module => "core module",
    }
}

/// Why there is no program, and what to do about it.
pub(crate) fn front_failure(NotFronted { error, bytes }: &NotFronted) -> Failure {
    match &**error {
        FrontError::Input(error) => input_failure(error, bytes),
        FrontError::Program { error, from_text } => {
            without_offsets(adapt_failure(error), *from_text)
        }
        error => front_end_failure(error),
    }
}

/// Why the process that reads inputs gave none.
pub(crate) fn front_end_failure(error: &FrontError) -> Failure {
    let (code, hint) = match error {
        FrontError::Machine { source } => return machine_failure(error, source),
        FrontError::Timeout { .. } => ("validate-timeout", MORE_TIME),
        FrontError::Memory { .. } => (
            "validate-memory",
            "--worker-memory MIB gives a program more memory; no real program is known that needs so much",
        ),
        _ => (
            "validate-crash",
            "this is a defect of edgec or of its validator: please report it with the input",
        ),
    };
    Failure::rejected(code, error).hint(hint)
}

/// Why bytes are not an input.
fn input_failure(error: &InputError, bytes: &[u8]) -> Failure {
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
    let failure = Failure::rejected("not-wasm", error);
    let failure = match hint {
        "" => failure,
        hint => failure.hint(hint),
    };
    match error {
        InputError::Empty => failure,
        _ => explain(failure, bytes, Wanted::Program),
    }
}

fn invalid_failure(error: &ValidateError) -> Failure {
    let text = render::safe(&error.to_string());
    if let ValidateError::Fault { .. } = error {
        let text =
            format!("valid WebAssembly, but this engine's code for it does not work: {text}");
        let failure = Failure::new(Exit::Rejected, "engine-fault", text).with_safe_message();
        return failure.hint(
            "split the type in two, or pass numbers or a list instead; \
             `edgec advisories` has the source",
        );
    }
    if let ValidateError::Limit { advice, .. } = error {
        let text = format!("beyond a limit of edgec: {text}");
        return Failure::new(Exit::Rejected, "unsupported", text)
            .hint(format!("{advice}; docs/limits.md has the limits"));
    }
    let ValidateError::Invalid {
        message,
        unsupported_feature,
        ..
    } = error
    else {
        let text = format!("valid WebAssembly, but beyond this engine: {text}");
        let failure = Failure::new(Exit::Rejected, "unsupported", text).with_safe_message();
        return failure.hint(
            "the program's toolchain may offer another way; for a limit, split what is too large",
        );
    };
    if let Some(feature) = unsupported_feature {
        let text = format!("WebAssembly that edgec does not support: {text}");
        let failure = Failure::new(Exit::Rejected, "unsupported", text).with_safe_message();
        return match feature.as_str() {
            "legacy_exceptions" => failure.hint(
                "these are exceptions as they were before the standard; Emscripten makes standard \
                 ones with -sWASM_LEGACY_EXCEPTIONS=0, clang with -mllvm \
                 -wasm-use-legacy-eh=false; a newer wasm-opt translates them with \
                 --translate-to-exnref",
            ),
            feature => failure.hint(format!(
                "the program uses `{feature}`; build it without \
                 (`edgec validate --help` lists what is supported)"
            )),
        };
    }
    let text = format!("invalid WebAssembly: {text}");
    let failure = Failure::new(Exit::Rejected, "invalid", text).with_safe_message();
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
    Failure::rejected("kind", error).hint(hint)
}

/// Why the component that edgec made of a core module is of no use, and what to do about it.
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
    let failure = Failure::rejected("kind", error).hint(format!(
        "{why};\n--kind module compiles the core module as it is"
    ));
    // The user does not have the component as a file.
    without_offsets(failure, true)
}
