//! `edgec store rm`: removes names.

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
    /// The version to remove [default: all versions]
    #[arg(long, value_name = "NUMBER", value_parser = version())]
    app_version: Option<u64>,
    /// The format of the result
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Serialize)]
struct Report<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    versions: &'a [u64],
    current: Option<u64>,
    /// The warning that the kind changes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Failure>,
}

pub(super) fn run(store: &ArtifactStore, arguments: &Arguments) -> Outcome {
    let named = &arguments.named;
    let removal = store.remove(named.version(arguments.app_version));
    let removal = removal.map_err(|error| store_failure(&error))?;
    let warning = removal.other_kind.zip(removal.current);
    let warning = warning.map(|(other, current)| {
        let subject = format!("{} version {current}", named.text());
        kind_warning(&subject, other)
    });
    if arguments.format == Format::Json {
        document::print(
            true,
            &Report {
                name: &named.application,
                channel: named.channel.as_deref(),
                versions: &removal.versions,
                current: removal.current,
                warnings: warning.into_iter().collect(),
            },
        );
        return Ok(ExitCode::SUCCESS);
    }
    warning.iter().for_each(Failure::print_warning);
    let versions = removal.versions.iter().map(u64::to_string);
    let versions: Vec<String> = versions.collect();
    let noun = match versions.len() {
        1 => "version",
        _ => "versions",
    };
    let left = match removal.current {
        Some(current) => format!("version {current} is current"),
        // A host learns only that the store has no other version. A store revokes nothing.
        None => "no version is left; hosts that serve it keep it until they restart".to_owned(),
    };
    out!(
        "{}: {noun} {} removed, {left}\n",
        named.text(),
        versions.join(", ")
    );
    Ok(ExitCode::SUCCESS)
}
