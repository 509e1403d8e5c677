//! `edgec store`: a host's admission store.

pub(crate) mod add;
mod gc;
mod ls;
mod plan;
mod release;
mod rm;
mod select;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use edgec_artifact::MAX_VERSION;
use edgec_loader::ProgramKind;
use edgec_loader::store::{Application, ArtifactStore, OtherKind, Problem};
use serde::Serialize;

use crate::Outcome;
use crate::document;
use crate::failure::{Exit, Failure, code};
use crate::failures::loader::store_failure;
use crate::number::number;
use crate::render::{self, Format, word};

/// Keep verified artifacts, so that hosts load them in constant time
///
/// An artifact is verified once, when it is added. From then on, `edgec-loader` opens it, checks
/// that the policy still accepts it, and maps it. Only the owner of the folder, who must be this
/// user or root, may be able to change it.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The store's folder
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "EDGEC_STORE",
        hide_env_values = true
    )]
    store: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Verify artifacts and keep them; makes the store if there is none
    Add(add::Arguments),
    Release(release::Arguments),
    /// List the releases of the store
    #[command(visible_alias = "list")]
    Ls(ls::Arguments),
    /// Print the paths of an application's images
    Path(Path),
    /// Hash every image and verify every artifact again
    Verify(verify::Arguments),
    /// Make a version the current one, for example to roll back a bad release
    Use(select::Arguments),
    /// Remove an application's version, or all of them
    Rm(rm::Arguments),
    /// Remove images that no name points at and no process uses
    Gc(gc::Arguments),
    /// Print the instance pool that admits every current program
    Plan(plan::Arguments),
}

/// The application and channel.
#[derive(clap::Args)]
struct Named {
    /// The application
    #[arg(value_name = "NAME")]
    application: String,
    /// Its release channel, if it states one
    #[arg(long)]
    channel: Option<String>,
}

#[derive(clap::Args)]
struct Path {
    #[command(flatten)]
    named: Named,
    /// Its version [default: the current one]
    #[arg(long, value_name = "NUMBER", value_parser = version())]
    app_version: Option<u64>,
    /// The format of the paths
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Named {
    fn application(&self) -> Application {
        let application = Application::new(&self.application);
        match &self.channel {
            Some(channel) => application.in_channel(channel),
            None => application,
        }
    }

    fn version(&self, version: Option<u64>) -> Application {
        let application = self.application();
        match version {
            Some(version) => application.version(version),
            None => application,
        }
    }

    /// The text for people, in the style of `ls`; already safe.
    fn text(&self) -> String {
        subject(&self.application, self.channel.as_deref())
    }
}

/// Parses a version, for clap.
fn version() -> impl Fn(&str) -> Result<u64, String> + Clone + Send + Sync + 'static {
    let takes = "write a whole number; `edgec store ls` lists the versions";
    number(0..=MAX_VERSION, takes)
}

/// An application for people; already safe.
fn subject(name: &str, channel: Option<&str>) -> String {
    let channel = channel.map(|channel| format!(" ({})", word(channel)));
    format!("{}{}", word(name), channel.unwrap_or_default())
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let Some(at) = &arguments.store else {
        let failure = Failure::usage("store", "no store is named");
        return Err(failure.hint("name its folder with --store, or in EDGEC_STORE"));
    };
    let open = || ArtifactStore::open(at).map_err(|error| store_failure(&error));
    match &arguments.command {
        Command::Add(add) => {
            let trust = add.trust()?;
            add::run(at, add, &trust)
        }
        Command::Release(release) => release::run(&open()?, release),
        Command::Ls(ls) => ls::run(&open()?, ls),
        Command::Path(path) => print_paths(&open()?, path),
        Command::Verify(verify) => verify::run(&open()?, verify),
        Command::Use(select) => select::run(&open()?, select),
        Command::Rm(rm) => rm::run(&open()?, rm),
        Command::Gc(gc) => gc::run(&open()?, gc),
        Command::Plan(plan) => plan::run(&open()?, plan),
    }
}

/// Ends a verb that continues after failures: prints its report, and returns the exit code of the
/// worst failure. The text form of a report contains its failures.
fn conclude<R: Serialize>(
    report: &R,
    failures: &[Failure],
    format: Format,
    print: fn(&R),
) -> Outcome {
    match format {
        Format::Json | Format::Sarif => {
            document::print(failures.is_empty(), report);
            let failures = failures.iter();
            failures.for_each(|failure| failure.tell(Format::Json));
        }
        Format::Text => print(report),
    }
    let worst = failures.iter().map(Failure::exit).max();
    Ok(worst.map_or(ExitCode::SUCCESS, code))
}

fn print_paths(store: &ArtifactStore, path: &Path) -> Outcome {
    let paths = store.image_paths(path.named.version(path.app_version));
    let paths = paths.map_err(|error| store_failure(&error))?;
    let paths: Vec<String> = paths.iter().map(|path| render::path(path)).collect();
    document::answer_list(true, &paths, path.format, |paths| {
        paths.iter().map(|path| format!("{path}\n")).collect()
    });
    Ok(ExitCode::SUCCESS)
}

/// Warns that an application's kind changes: hosts for one kind cannot load the other. The subject
/// must be safe.
fn kind_warning(subject: &str, other: OtherKind) -> Failure {
    let (version, before) = (other.version, other.kind.name());
    let now = match other.kind {
        ProgramKind::Component => ProgramKind::Module,
        ProgramKind::Module => ProgramKind::Component,
    };
    let message = format!(
        "this is a {}; version {version}, which was current, is a {before}",
        now.name()
    );
    let hint = format!(
        "hosts that load {before}s cannot load it: give it another name, or change the hosts first"
    );
    let failure = Failure::new(Exit::Rejected, "kind", message);
    failure.about_safe(subject).hint(hint)
}

/// The failure for a problem, with a hint.
fn problem_failure(problem: &Problem) -> Failure {
    let failure = store_failure(&problem.error);
    let Some(name) = &problem.name else {
        return failure;
    };
    let subject = subject(name, problem.channel.as_deref());
    match problem.version {
        Some(version) => failure.about_safe(format!("{subject} version {version}")),
        None => failure.about_safe(subject),
    }
}
