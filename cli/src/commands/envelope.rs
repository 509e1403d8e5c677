//! `edgec envelope`: writes the DSSE envelope of an artifact, for other tools. It verifies nothing.

use std::path::PathBuf;
use std::process::ExitCode;

use edgec_artifact::Artifact;

use crate::failure::Failure;
use crate::file_kind::{Wanted, explain};
use crate::files;
use crate::render;
use crate::{Outcome, commands};

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
    match &arguments.output {
        Some(output) => {
            files::write(output, &envelope, Wanted::Envelope)?;
            Ok(ExitCode::SUCCESS)
        }
        None => commands::inspect::raw(&envelope),
    }
}
