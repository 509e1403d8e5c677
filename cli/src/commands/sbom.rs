//! `edgec sbom`: writes the bill of materials of a program.

use std::path::PathBuf;
use std::process::ExitCode;

use edgec_sbom::Format;

use crate::Outcome;
use crate::bill::{self, About};
use crate::file_kind::Wanted;
use crate::files;
use crate::naming;
use crate::render::out;
use crate::workers::LimitArguments;

/// Write the bill of materials of a program: CycloneDX or SPDX
///
/// It lists what the program says about itself: its modules, the tools that made it, and the crates
/// that `cargo auditable` has recorded in it (docs/sbom.md).
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A component or core module, binary (.wasm) or text (.wat); `-` is standard input
    #[arg(value_name = "INPUT")]
    input: PathBuf,
    /// The format of the document
    #[arg(long, value_parser = bill::format(), default_value = "cyclonedx")]
    format: Format,
    /// Write the document to this file, not to standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The application's name [default: the input's file name without its ending]
    #[arg(long)]
    name: Option<String>,
    /// The version as people write it [default: what the program says]
    #[arg(long, value_name = "TEXT")]
    display_version: Option<String>,
    #[command(flatten)]
    limits: LimitArguments,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let input = &arguments.input;
    if let Some(output) = &arguments.output {
        files::spare(std::slice::from_ref(input), output, Wanted::Sbom)?;
    }
    let about = About {
        name: naming::application(input, arguments.name.as_deref())?,
        version: arguments.display_version.clone(),
    };
    let bytes = files::read(input)?;
    let limits = &arguments.limits;
    let document = bill::binary(&bytes, &limits.front_end()?, limits.timeout())
        .and_then(|program| bill::documents(&program, &about, [arguments.format].into_iter()))
        .map_err(|failure| failure.in_file(input))?
        .concat();
    match &arguments.output {
        Some(output) => files::write(output, document.as_bytes(), Wanted::Sbom)?,
        None => out!("{document}"),
    }
    Ok(ExitCode::SUCCESS)
}
