//! `edgec envelope`: writes the DSSE envelope of an artifact, for other tools. It verifies nothing.

use std::path::PathBuf;
use std::process::ExitCode;

use edgec_artifact::Artifact;
use serde::Serialize;
use serde_json::Value;

use crate::failure::Failure;
use crate::file_kind::{Wanted, explain};
use crate::files;
use crate::render::{self, Format};
use crate::{Outcome, commands, document};

/// Write an artifact's DSSE envelope, without verifying anything
///
/// The bytes are exactly those in the artifact, without a final newline.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The artifact; `-` is standard input
    artifact: PathBuf,
    /// Write the envelope to this file, not to standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The format of standard output; `json` has the envelope in a document
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    artifact: String,
    /// The file that was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    /// The envelope, if no file was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    envelope: Option<Value>,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let path = &arguments.artifact;
    if let Some(output) = &arguments.output {
        files::spare(std::slice::from_ref(path), output, Wanted::Envelope)?;
    }
    let file = files::read_artifact(path)?;
    let artifact = Artifact::decode(&file).map_err(|error| {
        let failure = Failure::rejected("layout", &error).about_safe(render::path(path));
        explain(failure, &file, Wanted::Artifact)
    })?;
    // An envelope has one spelling: encoding it again gives the bytes of the file.
    let envelope = artifact.envelope().encode();
    if let Some(output) = &arguments.output {
        files::write(output, &envelope, Wanted::Envelope)?;
    }
    match (arguments.format, &arguments.output) {
        (Format::Text, None) => return commands::inspect::raw(&envelope),
        (Format::Text, Some(_)) => {}
        (_, output) => {
            let shown = match output {
                // An envelope is JSON.
                None => serde_json::from_slice(&envelope).ok(),
                Some(_) => None,
            };
            let report = Report {
                artifact: render::path(path),
                output: output.as_deref().map(render::path),
                envelope: shown,
            };
            document::print(true, &report);
        }
    }
    Ok(ExitCode::SUCCESS)
}
