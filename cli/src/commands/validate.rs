//! `edgec validate`: says whether edgec would compile an input.

use std::path::PathBuf;

use edgec_builder::check_room;
use edgec_compiler::{Deadline, FrontEnd, Intake, KindChoice, ProgramKind, ValidComponent};
use serde::Serialize;

use crate::Outcome;
use crate::failure::Failure;
use crate::failures::builder::room_failure;
use crate::failures::compiler::refused_input_failure;
use crate::files;
use crate::gate::GateArguments;
use crate::render::outln;
use crate::render::{self, Format, with_sarif};
use crate::reports::Reports;
use crate::wit::WitArguments;
use crate::workers::LimitArguments;

/// Check WebAssembly inputs without compiling them
///
/// With demands or --wit, an input is what a build without other options makes of it: a core module
/// may become a component.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Components or core modules, binary (.wasm) or text (.wat); `-` is standard input
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    #[command(flatten, next_help_heading = "Demands")]
    gate: GateArguments,
    #[command(flatten, next_help_heading = "Program")]
    wit: WitArguments,
    #[command(flatten, next_help_heading = "Limits and tools")]
    limits: LimitArguments,
    /// The format of the results
    #[arg(long, value_parser = with_sarif(), default_value = "text", help_heading = "Output")]
    format: Format,
}

impl Arguments {
    /// How an input becomes a program, if there are demands. Otherwise it stays as it is.
    fn intake(&self) -> Result<Option<Intake>, Failure> {
        let mut intake = Intake::new(KindChoice::Auto);
        intake.gate = self.gate.gate()?;
        intake.wit = self.wit.source()?;
        let is_asked = !intake.gate.is_open() || intake.wit.is_some();
        Ok(is_asked.then_some(intake))
    }
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
    let intake = arguments.intake()?;
    let mut reports = Reports::new(arguments.format);
    for input in &arguments.inputs {
        let result = files::read(input).and_then(|bytes| {
            let deadline = Deadline::after(arguments.limits.timeout());
            check(&front_end, bytes, intake.clone(), deadline)
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
                let failure = failure.in_file(input);
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
    intake: Option<Intake>,
    deadline: Deadline,
) -> Result<ValidComponent, Failure> {
    let program = match intake {
        Some(intake) => front_end.adapt(bytes, intake, deadline),
        None => front_end.validate(bytes, deadline),
    };
    let program = program.map_err(|it| refused_input_failure(&it.error, &it.bytes))?;
    check_room(&program.facts).map_err(|error| room_failure(&error))?;
    Ok(program.component)
}

pub(crate) fn kind_name(kind: ProgramKind) -> &'static str {
    match kind {
        ProgramKind::Component => "component",
        ProgramKind::Module => "core module",
    }
}
