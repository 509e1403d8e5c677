//! `edgec man`: writes the manual pages, one for edgec and one for each verb.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Command;
use clap_mangen::Man;

use crate::failure::Failure;
use crate::file_kind::Wanted;
use crate::files::{self, NewFolders, Staged};
use crate::{Outcome, signals};

/// Write edgec's manual pages into a folder
///
/// There is one page for edgec, and one for each verb: edgec-build.1. They have the texts of
/// `--help`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// A manual page that is complete in memory.
struct Page {
    path: PathBuf,
    text: Vec<u8>,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let folder = &arguments.folder;
    files::refuse_dash(folder)?;
    // A verb `help` would repeat every verb.
    let mut command = crate::command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    collect(&command, folder, &mut pages)?;
    for page in &pages {
        files::refuse_other(&page.path, Wanted::ManualPage)?;
    }
    write(folder, &pages)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes all pages or none.
fn write(folder: &Path, pages: &[Page]) -> Result<(), Failure> {
    let stage = |page: &Page| files::stage(&page.path, &page.text, Wanted::ManualPage);
    signals::uninterrupted(|| {
        let mut folders = NewFolders::default();
        files::make_folder(&mut folders, folder)?;
        let staged: Result<Vec<Staged>, Failure> = pages.iter().map(stage).collect();
        files::commit_all(staged?)?;
        folders.keep();
        Ok(())
    })
}

/// The page of a command, and those of its verbs.
fn collect(command: &Command, folder: &Path, pages: &mut Vec<Page>) -> Result<(), Failure> {
    let man = Man::new(command.clone())
        // The same release has the same pages on every day. A missing date would take the place of
        // the next field.
        .date("\"\"")
        .source(format!("edgec {}", env!("CARGO_PKG_VERSION")))
        .manual("edgec");
    let mut text = Vec::new();
    man.render(&mut text)
        .map_err(|error| Failure::environment("io", &error))?;
    pages.push(Page {
        path: folder.join(man.get_filename()),
        text,
    });
    command
        .get_subcommands()
        .filter(|verb| !verb.is_hide_set())
        .try_for_each(|verb| collect(verb, folder, pages))
}
