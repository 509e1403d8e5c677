//! `edgec targets`: the CPUs that edgec compiles for.

use std::process::ExitCode;

use edgec_targets::HostCpu;
use serde::Serialize;

use crate::Outcome;
use crate::render::out;
use crate::render::{self, Format};

/// List the CPU targets
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How the list is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    id: &'static str,
    aliases: &'static [&'static str],
    triple: &'static str,
    level: &'static str,
    cpu_features: Vec<&'static str>,
    page_size: u64,
    machines: &'static str,
    source: &'static str,
    runs_here: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let host = HostCpu::detect();
    let entries: Vec<Entry> = edgec_targets::all()
        .map(|target| Entry {
            id: target.id,
            aliases: target.aliases,
            triple: target.triple(),
            level: target.level,
            cpu_features: target.features.iter().map(|f| f.name).collect(),
            page_size: target.arch.page_size(),
            machines: target.machines,
            source: target.source,
            runs_here: target.fits(&host).is_ok(),
        })
        .collect();
    match arguments.format {
        Format::Json => render::json(&entries),
        Format::Text => {
            let head = ["TARGET", "LEVEL", "RUNS HERE", "MACHINES"].map(str::to_owned);
            let rows = entries.iter().map(|entry| {
                vec![
                    entry.id.to_owned(),
                    entry.level.to_owned(),
                    if entry.runs_here { "yes" } else { "no" }.to_owned(),
                    entry.machines.to_owned(),
                ]
            });
            let rows: Vec<_> = std::iter::once(head.to_vec()).chain(rows).collect();
            out!("{}", render::table(&rows));
        }
    }
    Ok(ExitCode::SUCCESS)
}
