//! `edgec release`: states which artifacts belong together and which release is newest, and checks
//! such statements.

mod make;
mod stamp;
mod verify;

use crate::Outcome;

/// State which artifacts are one release, and that it is the newest
/// (docs/releases-and-timestamps.md)
///
/// A release binds the artifacts for all CPUs together. A timestamp says for a limited time that a
/// release is the newest. Hosts whose policy demands both notice a mirror that withholds, mixes or
/// brings back anything.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Make(Box<make::Arguments>),
    Stamp(Box<stamp::Arguments>),
    Verify(Box<verify::Arguments>),
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    match &arguments.command {
        Command::Make(arguments) => make::run(arguments),
        Command::Stamp(arguments) => stamp::run(arguments),
        Command::Verify(arguments) => verify::run(arguments),
    }
}
