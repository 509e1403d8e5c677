//! `edgec store`: a host's admission store.

mod add;
mod plan;

use std::path::PathBuf;
use std::process::ExitCode;

use edgec_artifact::MAX_VERSION;
use edgec_loader::store::{Application, Listed, Store, StoreError};
use serde::Serialize;

use self::add::{Add, add_all};
use self::plan::{Plan, print_plan};
use crate::Outcome;
use crate::commands::run::load_failure;
use crate::failure::{Exit, Failure, code};
use crate::render::out;
use crate::render::{self, Format, safe};
use crate::trust::TrustArguments;

/// Keep verified artifacts, to be loaded in constant time
///
/// An artifact is verified once, when it is added; from then on `edgec-loader` opens it, asks whether the policy still
/// lets it in, and maps it. Only the owner of the folder, who is this user or root, may be able to change it.
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
    /// Verify artifacts and keep them; makes the store where there is none
    Add(Add),
    /// List what is there
    Ls(Ls),
    /// Print where an application's images lie
    Path(Named),
    /// Hash every image and judge every artifact again
    Verify(Verify),
    /// Make a version the current one: the way back from a bad release
    Use(Named),
    /// Remove an application's version, or all of them
    Rm(Named),
    /// Remove what no name points at and no process has in use
    Gc(Gc),
    /// Print the instance pool that admits every current program
    Plan(Plan),
}

#[derive(clap::Args)]
struct Ls {
    /// How the list is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(clap::Args)]
struct Verify {
    #[command(flatten)]
    trust: TrustArguments,
    /// How results are printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(clap::Args)]
struct Gc {
    /// How the result is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(clap::Args)]
struct Named {
    /// The application
    #[arg(value_name = "NAME")]
    application: String,
    /// Its release channel, where it states one
    #[arg(long)]
    channel: Option<String>,
    /// Its version [default: the current one; for `rm`, all of them]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(..=MAX_VERSION))]
    app_version: Option<u64>,
}

impl Named {
    fn application(&self) -> Application {
        let mut application = Application::new(&self.application);
        if let Some(channel) = &self.channel {
            application = application.in_channel(channel);
        }
        match self.app_version {
            Some(version) => application.version(version),
            None => application,
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let Some(at) = &arguments.store else {
        let failure = Failure::usage("store", "no store is named");
        return Err(failure.hint("name its folder with --store, or in EDGEC_STORE"));
    };
    let open = || Store::open(at).map_err(|error| failure(&error));
    match &arguments.command {
        Command::Add(add) => {
            let trust = add.trust.resolve()?;
            let store = Store::create(at).map_err(|error| failure(&error))?;
            add_all(&store, add, &trust)
        }
        Command::Ls(ls) => list(&open()?, ls.format),
        Command::Path(named) => {
            let paths = open()?.image_paths(named.application());
            for path in paths.map_err(|error| failure(&error))? {
                out!("{}\n", render::path(&path));
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Verify(verify) => verify_all(&open()?, verify),
        Command::Use(named) => {
            let done = open()?.make_current(&named.application());
            done.map(|()| ExitCode::SUCCESS)
                .map_err(|error| failure(&error))
        }
        Command::Rm(named) => {
            let done = open()?.remove(&named.application());
            done.map(|()| ExitCode::SUCCESS)
                .map_err(|error| failure(&error))
        }
        Command::Gc(gc) => collect(&open()?, gc.format),
        Command::Plan(plan) => print_plan(&open()?, plan),
    }
}

fn list(store: &Store, format: Format) -> Outcome {
    let listed = store.list().map_err(|error| failure(&error))?;
    if format == Format::Json {
        render::json(&listed);
        return Ok(ExitCode::SUCCESS);
    }
    let head = [
        "NAME", "CHANNEL", "VERSION", "", "TARGET", "PROFILE", "SIZE", "ON DISK", "MODE", "IMAGE",
    ];
    let rows = listed.iter().map(|entry| {
        vec![
            safe(&entry.name),
            safe(entry.channel.as_deref().unwrap_or("-")),
            entry.version.to_string(),
            if entry.current { "current" } else { "" }.to_owned(),
            safe(&entry.target),
            safe(&entry.profile),
            render::size(entry.length),
            render::size(entry.disk),
            entry.mode.map_or("-".to_owned(), |mode| mode.to_string()),
            entry.image.to_string(),
        ]
    });
    let rows: Vec<_> = std::iter::once(head.map(str::to_owned).to_vec())
        .chain(rows)
        .collect();
    out!("{}", render::table(&rows));
    Ok(ExitCode::SUCCESS)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Judged {
    #[serde(flatten)]
    artifact: Listed,
    verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

fn verify_all(store: &Store, arguments: &Verify) -> Outcome {
    let trust = arguments.trust.resolve()?;
    let expected = &trust.expected;
    if expected.wanted_application().is_some() || expected.wanted_channel().is_some() {
        let message = "every artifact of the store is verified: --name and --channel choose none";
        return Err(Failure::usage("name", message));
    }
    let verified = store
        .verify(&trust.policy)
        .map_err(|error| failure(&error))?;
    let mut worst: Option<Exit> = None;
    let mut reports = Vec::new();
    for (artifact, error) in verified {
        let subject = format!(
            "{} version {} for {}",
            artifact.name, artifact.version, artifact.target
        );
        let error = error.map(|error| load_failure(&error).or_about(&subject));
        worst = worst.max(error.as_ref().map(Failure::exit));
        if arguments.format == Format::Text {
            match &error {
                Some(failure) => failure.print(),
                None => out!("{}: verified\n", safe(&subject)),
            }
        }
        reports.push(Judged {
            verified: error.is_none(),
            artifact,
            error,
        });
    }
    if arguments.format == Format::Json {
        render::json(&reports);
    }
    Ok(worst.map_or(ExitCode::SUCCESS, code))
}

fn collect(store: &Store, format: Format) -> Outcome {
    let collected = store.collect().map_err(|error| failure(&error))?;
    if format == Format::Json {
        render::json(&collected);
        return Ok(ExitCode::SUCCESS);
    }
    out!(
        "{} removed ({}), {} in use kept, {} of unfinished admissions removed\n",
        render::count(collected.images.len(), "image"),
        render::size(collected.bytes),
        collected.in_use.len(),
        render::count(collected.remains, "file"),
    );
    Ok(ExitCode::SUCCESS)
}

/// The failure with what to do about it.
pub(crate) fn failure(error: &StoreError) -> Failure {
    let exit = match error {
        StoreError::Io { .. } => Exit::Environment,
        StoreError::Name(_) => Exit::Usage,
        _ => Exit::Rejected,
    };
    let failure = Failure::new(exit, error.code(), crate::failure::chain(error));
    match error {
        StoreError::NotAStore { .. } => failure.hint("`edgec store add` makes one in an empty folder; --store says where it is"),
        StoreError::Owner { .. } => failure.hint("a store and the folders above it belong to this user or to root"),
        StoreError::Writable { .. }
        | StoreError::Linked { .. }
        | StoreError::NotAFile { .. }
        | StoreError::NotAFolder { .. } => {
            failure.hint("whoever else can change a store decides what its hosts run: make a new one and add the artifacts again")
        }
        StoreError::Damaged { .. } => failure.hint("add the artifact again: that puts a good file in its place"),
        StoreError::Unknown { .. } => failure.hint("`edgec store ls` lists what is there"),
        StoreError::NoFit { .. } => failure.hint("add an artifact for this CPU and engine profile"),
        _ => failure,
    }
}
