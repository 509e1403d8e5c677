//! `edgec store use`: makes a version the current one.

use std::process::ExitCode;

use edgec_loader::store::ArtifactStore;
use serde::Serialize;

use super::{Named, kind_warning, version};
use crate::Outcome;
use crate::document;
use crate::failure::Failure;
use crate::failures::loader::store_failure;
use crate::render::Format;
use crate::render::out;

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    named: Named,
    /// The version to make current. An older version stays current until the next `use`; after
    /// `use` of the newest, newer versions become current again
    #[arg(long, required = true, value_name = "NUMBER", value_parser = version())]
    app_version: u64,
    /// The format of the result
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    current: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<u64>,
    stays: bool,
    /// The warning that the kind changes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Failure>,
}

pub(super) fn run(store: &ArtifactStore, arguments: &Arguments) -> Outcome {
    let Arguments {
        named, app_version, ..
    } = arguments;
    let choice = store.make_current(named.application(), *app_version);
    let choice = choice.map_err(|error| store_failure(&error))?;
    let subject = format!("{} version {app_version}", named.text());
    let warning = choice.other_kind;
    let warning = warning.map(|other| kind_warning(&subject, other));
    if arguments.format == Format::Json {
        document::print(
            true,
            &Report {
                name: &named.application,
                channel: named.channel.as_deref(),
                current: *app_version,
                previous: choice.previous,
                stays: choice.stays,
                warnings: warning.into_iter().collect(),
            },
        );
        return Ok(ExitCode::SUCCESS);
    }
    warning.iter().for_each(Failure::print_warning);
    let previous = match choice.previous {
        Some(previous) if previous == *app_version => " (as before)".to_owned(),
        Some(previous) => format!(" (was {previous})"),
        None => String::new(),
    };
    let stays = match choice.stays {
        true => "; select newer versions with `store use`",
        false => "",
    };
    out!(
        "{}: now current: {app_version}{previous}{stays}\n",
        named.text()
    );
    Ok(ExitCode::SUCCESS)
}
