//! `edgec completions`: prints a script with which a shell completes edgec's command line.

use std::process::ExitCode;

use clap_complete::{Shell, generate};

use crate::Outcome;
use crate::render::write_stdout;

/// Print the completions of edgec's command line for a shell
///
/// docs/release.md says where each shell looks for them.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let mut script = Vec::new();
    generate(arguments.shell, &mut crate::command(), "edgec", &mut script);
    write_stdout(&script);
    Ok(ExitCode::SUCCESS)
}
