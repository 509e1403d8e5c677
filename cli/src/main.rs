//! edgec: an ahead-of-time compiler and artifact toolchain for WebAssembly at the edge.
//!
//! This is the only crate that prints or exits. Each verb is a file in `commands`; the libraries do
//! the work.

#![forbid(unsafe_code)]

// Declared first, because all later modules use its macros.
#[macro_use]
mod stderr;

mod arguments;
mod bill;
mod bounds;
mod caching;
mod cold_start;
mod color;
mod commands;
mod companion;
mod differences;
mod document;
mod escape;
mod exit;
mod explain;
mod exports;
mod failure;
mod failures;
mod file_kind;
mod files;
mod fleet;
mod gate;
mod github;
mod help;
mod hosts;
mod key_material;
mod keys;
mod memory;
mod naming;
mod number;
mod panics;
mod place;
mod progress;
mod rebuild;
#[cfg(feature = "registry")]
mod registry;
mod render;
mod reports;
mod sarif;
mod secrets;
mod shield;
mod signals;
mod signer;
mod stack;
mod stdin;
mod sum;
mod terminal;
mod text_input;
mod time;
mod trust;
mod two_steps;
mod usage;
mod wit;
mod workers;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::failure::Failure;
use crate::render::Format;

/// Ahead-of-time compiler and artifact toolchain for WebAssembly at the edge.
///
/// A component goes in; for every CPU one signed, memory-mappable .cwasm comes out.
#[derive(Parser)]
#[command(name = "edgec", max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 done; 1 rejected (bad input, failed verification); \
                        2 usage; 3 environment (I/O, missing tool)."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Build(Box<commands::build::Arguments>),
    Init(commands::init::Arguments),
    Validate(commands::validate::Arguments),
    Keygen(commands::keygen::Arguments),
    Keys(commands::keys::Arguments),
    Sign(Box<commands::sign::Arguments>),
    Verify(commands::verify::Arguments),
    SignBlob(Box<commands::sign_blob::Arguments>),
    VerifyBlob(commands::verify_blob::Arguments),
    Release(commands::release::Arguments),
    Notarize(Box<commands::notarize::Arguments>),
    Audit(commands::audit::Arguments),
    Inspect(commands::inspect::Arguments),
    Envelope(commands::envelope::Arguments),
    Run(commands::run::Arguments),
    Sbom(commands::sbom::Arguments),
    #[cfg(feature = "serve")]
    Dev(Box<commands::dev::Arguments>),
    #[cfg(feature = "serve")]
    Serve(Box<commands::serve::Arguments>),
    #[cfg(feature = "registry")]
    Sync(Box<commands::sync::Arguments>),
    Store(commands::store::Arguments),
    #[cfg(feature = "registry")]
    Push(Box<commands::push::Arguments>),
    #[cfg(feature = "registry")]
    Pull(Box<commands::pull::Arguments>),
    #[cfg(feature = "registry")]
    Copy(commands::copy::Arguments),
    Diff(commands::diff::Arguments),
    Report(commands::report::Arguments),
    Symbolize(commands::symbolize::Arguments),
    Targets(commands::targets::Arguments),
    Host(commands::host::Arguments),
    Check(commands::check::Arguments),
    Cache(commands::cache::Arguments),
    Policy(commands::policy::Arguments),
    Advisories(commands::advisories::Arguments),
    Explain(commands::explain::Arguments),
    Version(commands::version::Arguments),
    Completions(commands::completions::Arguments),
    Man(commands::man::Arguments),
}

impl Command {
    /// Whether the verb may read a private key, a passphrase or a PIN. These may also be in the
    /// environment.
    fn takes_secrets(&self) -> bool {
        matches!(
            self,
            Self::Build(_)
                | Self::Keygen(_)
                | Self::Keys(_)
                | Self::Policy(_)
                | Self::Sign(_)
                | Self::SignBlob(_)
                | Self::Release(_)
                | Self::Notarize(_)
        )
    }
}

fn main() -> ExitCode {
    stack::with_room(edgec)
}

fn edgec() -> ExitCode {
    if let Err(error) = signals::install() {
        return Failure::environment("signals", &error).end(Format::Text);
    }
    let given: Vec<OsString> = std::env::args_os().collect();
    match edgec_builder::answer(given.iter().skip(1).cloned()) {
        Some(Ok(())) => return ExitCode::SUCCESS,
        Some(Err(message)) => {
            eprintln!("{message}");
            return ExitCode::FAILURE;
        }
        None => {}
    }
    panics::install();
    color::decide(given.get(1..).unwrap_or_default());
    let command = command();
    let own = given.get(1..).unwrap_or_default();
    let verb = arguments::verb(&command, own);
    document::of_verb(verb.strip_prefix("edgec ").unwrap_or_default());
    let format = format(own);
    if let Err(failure) = arguments::refuse_secrets(&command, own) {
        return failure.end(format);
    }
    let line = arguments::for_parser(&command, &given);
    let arguments = command
        .try_get_matches_from(line)
        .map_err(|error| arguments::redacted(error, &given))
        .map_err(|error| usage::with_tips(error, &verb, own))
        .and_then(|matches| Arguments::from_arg_matches(&matches));
    let arguments = match arguments {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() && format != Format::Text => {
            return usage::failure(&error, &verb).end(format);
        }
        // clap reports help and version as errors, but they are successes.
        Err(error) => return usage::exit(&error, own),
    };
    match panics::guarded(|| run(arguments.command)) {
        Ok(code) => code,
        Err(failure) => failure.end(format),
    }
}

fn run(command: Command) -> Outcome {
    if command.takes_secrets() {
        shield::shield();
    }
    match command {
        Command::Build(arguments) => commands::build::run(*arguments),
        Command::Init(arguments) => commands::init::run(&arguments),
        Command::Validate(arguments) => commands::validate::run(&arguments),
        Command::Keygen(arguments) => commands::keygen::run(&arguments),
        Command::Keys(arguments) => commands::keys::run(&arguments),
        Command::Sign(arguments) => commands::sign::run(&arguments),
        Command::Verify(arguments) => commands::verify::run(&arguments),
        Command::SignBlob(arguments) => commands::sign_blob::run(&arguments),
        Command::VerifyBlob(arguments) => commands::verify_blob::run(&arguments),
        Command::Release(arguments) => commands::release::run(&arguments),
        Command::Notarize(arguments) => commands::notarize::run(&arguments),
        Command::Audit(arguments) => commands::audit::run(&arguments),
        Command::Inspect(arguments) => commands::inspect::run(&arguments),
        Command::Envelope(arguments) => commands::envelope::run(&arguments),
        Command::Run(arguments) => commands::run::run(arguments),
        Command::Sbom(arguments) => commands::sbom::run(&arguments),
        #[cfg(feature = "serve")]
        Command::Dev(arguments) => commands::dev::run(&arguments),
        #[cfg(feature = "serve")]
        Command::Serve(arguments) => commands::serve::run(&arguments),
        #[cfg(feature = "registry")]
        Command::Sync(arguments) => commands::sync::run(&arguments),
        Command::Store(arguments) => commands::store::run(&arguments),
        #[cfg(feature = "registry")]
        Command::Push(arguments) => commands::push::run(&arguments),
        #[cfg(feature = "registry")]
        Command::Pull(arguments) => commands::pull::run(&arguments),
        #[cfg(feature = "registry")]
        Command::Copy(arguments) => commands::copy::run(&arguments),
        Command::Diff(arguments) => commands::diff::run(&arguments),
        Command::Report(arguments) => commands::report::run(&arguments),
        Command::Symbolize(arguments) => commands::symbolize::run(&arguments),
        Command::Targets(arguments) => commands::targets::run(&arguments),
        Command::Host(arguments) => commands::host::run(&arguments),
        Command::Cache(arguments) => commands::cache::run(&arguments),
        Command::Check(arguments) => commands::check::run(&arguments),
        Command::Policy(arguments) => commands::policy::run(&arguments),
        Command::Advisories(arguments) => commands::advisories::run(&arguments),
        Command::Explain(arguments) => commands::explain::run(&arguments),
        Command::Version(arguments) => commands::version::run(&arguments),
        Command::Completions(arguments) => commands::completions::run(&arguments),
        Command::Man(arguments) => commands::man::run(&arguments),
    }
}

/// The whole command line.
fn command() -> clap::Command {
    let command =
        Arguments::command().mut_subcommand("validate", commands::validate::with_features);
    let command = command.mut_subcommand("build", commands::validate::with_features);
    let command = command.mut_subcommand("verify", commands::verify::for_rebuild_only);
    help::finish(command)
}

/// The format that the command line asks for, even if the rest of it is wrong. Arguments after
/// `--`, and those of `run`, may belong to the program that runs.
fn format(arguments: &[OsString]) -> Format {
    let of_program = arguments.first().is_some_and(|verb| verb == "run");
    let own: Vec<&OsString> = arguments
        .iter()
        .take_while(|argument| *argument != "--" && !of_program)
        .collect();
    let is_named = |name: &str| {
        let joined = format!("--format={name}");
        own.iter().any(|argument| **argument == *joined)
            || own.windows(2).any(|pair| pair == ["--format", name])
    };
    if is_named("json") {
        Format::Json
    } else if is_named("sarif") {
        Format::Sarif
    } else {
        Format::Text
    }
}

/// The result of a verb.
type Outcome = Result<ExitCode, Failure>;
