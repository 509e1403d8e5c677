//! `edgec targets`: lists the CPUs that edgec compiles for, and which of them a host can run.

use std::path::PathBuf;
use std::process::ExitCode;

use edgec_targets::{HostCpu, Misfit, Target};
use serde::Serialize;

use crate::Outcome;
use crate::document;
use crate::hosts::Host;
use crate::render::{self, Format, safe};

/// List the CPU targets
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// List what this machine can run, or the host that FILE describes; best first
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    host: Option<Option<PathBuf>>,
    /// The format of the list
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
    tier: u8,
    cpu_features: Vec<&'static str>,
    cranelift_flags: Vec<&'static str>,
    /// The first target with the same code, byte for byte.
    #[serde(skip_serializing_if = "Option::is_none")]
    same_code_as: Option<&'static str>,
    page_size: u64,
    machines: &'static str,
    source: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    host: String,
    arch: String,
    cpu_features: Vec<String>,
    targets: Vec<Fit>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Fit {
    runs: bool,
    /// The features that the CPU lacks. Empty for another family.
    missing: Vec<String>,
    #[serde(flatten)]
    entry: Entry,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let host = match &arguments.host {
        None => {
            list(arguments.format);
            return Ok(ExitCode::SUCCESS);
        }
        Some(None) => Host::here(),
        Some(Some(path)) => Host::read(path)?,
    };
    let answer = answer(&host);
    document::answer(true, &answer, arguments.format, text);
    Ok(ExitCode::SUCCESS)
}

fn list(format: Format) {
    let entries: Vec<Entry> = edgec_targets::all().map(entry).collect();
    document::answer_list(true, &entries, format, all);
}

/// The table of all targets.
fn all(entries: &[Entry]) -> String {
    let head = ["TARGET", "TIER", "LEVEL", "SAME CODE AS", "MACHINES"].map(str::to_owned);
    let rows = entries.iter().map(|entry| {
        vec![
            entry.id.to_owned(),
            entry.tier.to_string(),
            entry.level.to_owned(),
            entry.same_code_as.unwrap_or("-").to_owned(),
            entry.machines.to_owned(),
        ]
    });
    let rows: Vec<_> = std::iter::once(head.to_vec()).chain(rows).collect();
    render::table(&rows)
}

fn entry(target: &'static Target) -> Entry {
    Entry {
        id: target.id,
        aliases: target.aliases,
        triple: target.triple(),
        level: target.level,
        tier: target.tier.number(),
        cpu_features: target.features.iter().map(|f| f.name).collect(),
        cranelift_flags: target.features.iter().map(|f| f.cranelift_flag).collect(),
        same_code_as: target.same_code_as().map(|target| target.id),
        page_size: target.arch.page_size(),
        machines: target.machines,
        source: target.source,
    }
}

/// The targets that the host can run, best first, and then the other targets in the order of the
/// registry.
fn answer(host: &Host) -> Answer {
    let cpu: &HostCpu = host.profile.cpu();
    let fit = cpu.targets();
    let others = edgec_targets::all().filter(|target| !fit.contains(target));
    let targets = fit.iter().copied().chain(others).map(|target| {
        let fits = target.fits(cpu);
        Fit {
            runs: fits.is_ok(),
            missing: match fits {
                Err(Misfit::Features { missing }) => missing,
                Ok(()) | Err(Misfit::Arch { .. }) => Vec::new(),
            },
            entry: entry(target),
        }
    });
    Answer {
        host: safe(&host.name),
        arch: cpu.arch().to_owned(),
        cpu_features: cpu.features().map(str::to_owned).collect(),
        targets: targets.collect(),
    }
}

fn text(answer: &Answer) -> String {
    let features = match answer.cpu_features.as_slice() {
        [] => "no features that a target may use".to_owned(),
        features => features.join(", "),
    };
    let head = ["TARGET", "RUNS", "SAME CODE AS", "LACKS"].map(str::to_owned);
    // Targets of other families never run here, so only the host's family is listed.
    let family = answer.targets.iter();
    let family = family.filter(|fit| fit.runs || !fit.missing.is_empty());
    let rows = family.enumerate().map(|(place, fit)| {
        let runs = match (fit.runs, place) {
            (true, 0) => "best",
            (true, _) => "yes",
            (false, _) => "no",
        };
        vec![
            fit.entry.id.to_owned(),
            runs.to_owned(),
            fit.entry.same_code_as.unwrap_or("-").to_owned(),
            fit.missing.join(", "),
        ]
    });
    let rows: Vec<_> = std::iter::once(head.to_vec()).chain(rows).collect();
    format!(
        "{}: {}, {features}\n{}",
        answer.host,
        answer.arch,
        render::table(&rows)
    )
}
