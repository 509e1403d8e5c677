//! The result of `edgec check`: for each artifact and host, and for each release and host.

use std::collections::BTreeSet;

use edgec_verifier::{Manifest, Misfit, Unfit};
use serde::Serialize;

use super::Described;
use crate::bounds::{MAX_REASON_LEN, excerpt};
use crate::failure::{Exit, Failure, chain};
use crate::hosts::Host;
use crate::render::{self, safe, safe_cell};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    /// Always false: the document says so itself, so that no one takes it for a verdict.
    signatures_checked: bool,
    /// Whether every host can load an artifact of every release.
    pub(super) complete: bool,
    hosts: Vec<String>,
    artifacts: Vec<Row>,
    releases: Vec<Release>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Failure>,
    #[serde(skip)]
    unserved: Vec<Failure>,
    /// The names of the hosts, as cells of a table.
    #[serde(skip)]
    columns: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    artifact: String,
    target: String,
    profile: String,
    #[serde(flatten)]
    release: Name,
    hosts: Vec<Cell>,
}

/// One version of one application, which artifacts for several CPUs can share.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
struct Name {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
    version: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Cell {
    host: String,
    loads: bool,
    /// Whether the host would take this artifact of the release.
    best: bool,
    obstacles: Vec<Obstacle>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Obstacle {
    code: &'static str,
    message: String,
    /// CPU features that the host lacks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<String>,
    #[serde(skip)]
    other_family: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Release {
    #[serde(flatten)]
    name: Name,
    hosts: Vec<Taken>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Taken {
    host: String,
    /// The artifact that the host would take. `None` if it can load none.
    artifact: Option<String>,
}

impl Report {
    pub(super) fn new(hosts: &[Host], described: &[Described], errors: Vec<Failure>) -> Self {
        let names: BTreeSet<Name> = described.iter().map(|it| Name::of(&it.manifest)).collect();
        let releases = names.into_iter().map(|name| {
            let artifacts = described.iter();
            let artifacts = artifacts.filter(|it| Name::of(&it.manifest) == name);
            let artifacts: Vec<&Described> = artifacts.collect();
            let hosts = hosts.iter().map(|host| Taken::of(host, &artifacts));
            Release {
                hosts: hosts.collect(),
                name,
            }
        });
        let releases: Vec<Release> = releases.collect();
        let unserved = releases.iter().flat_map(|release| {
            let unserved = release.hosts.iter().filter(|it| it.artifact.is_none());
            let mut artifacts = described.iter();
            let first = artifacts.find(|it| Name::of(&it.manifest) == release.name);
            unserved.map(move |taken| {
                let message = format!("no artifact of {} can be loaded there", release.name.text());
                let failure = Failure::new(Exit::Rejected, "no-fit", message)
                    .with_safe_message()
                    .about_safe(&taken.host);
                match first {
                    Some(artifact) => failure.annotated_in(&artifact.path),
                    None => failure,
                }
            })
        });
        let unserved: Vec<Failure> = unserved.collect();
        let rows = described.iter().map(|it| Row::of(it, hosts, &releases));
        Self {
            signatures_checked: false,
            complete: unserved.is_empty() && errors.is_empty(),
            hosts: hosts.iter().map(|host| safe(&host.name)).collect(),
            artifacts: rows.collect(),
            releases,
            errors,
            unserved,
            columns: hosts.iter().map(Host::cell).collect(),
        }
    }

    /// What is wrong: damaged artifacts, and hosts that could load nothing.
    pub(super) fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.errors.iter().chain(&self.unserved)
    }

    pub(super) fn text(&self) -> String {
        // If there is only one release, its name is not needed.
        let several = self.releases.len() > 1;
        let release = |text: &str| several.then(|| text.to_owned());
        let mut head = vec!["ARTIFACT".to_owned(), "TARGET".to_owned()];
        head.extend(release("RELEASE"));
        head.extend(self.columns.iter().cloned());
        let mut rows = vec![head];
        let mut reasons = String::new();
        for row in &self.artifacts {
            let mut cells = vec![safe_cell(&row.artifact), safe_cell(&row.target)];
            cells.extend(release(&row.release.text()));
            cells.extend(row.hosts.iter().map(|cell| cell.word().to_owned()));
            rows.push(cells);
            let cells = row.hosts.iter().zip(&self.columns);
            for (cell, host) in cells.filter(|(cell, _)| cell.word() == "no") {
                for obstacle in &cell.obstacles {
                    let artifact = &row.artifact;
                    reasons.push_str(&format!("{artifact} on {host}: {}\n", obstacle.message));
                }
            }
        }
        let table = match self.artifacts.is_empty() {
            true => String::new(),
            false => render::table(&rows),
        };
        format!("no signature was checked (`edgec verify` does that)\n{table}{reasons}")
    }
}

impl Row {
    fn of(described: &Described, hosts: &[Host], releases: &[Release]) -> Self {
        let name = Name::of(&described.manifest);
        let release = releases.iter().find(|release| release.name == name);
        // The hosts of each release have the same order.
        let taken = release.iter().flat_map(|release| &release.hosts);
        let cells = hosts.iter().zip(taken).map(|(host, taken)| {
            let obstacles = host.profile.obstacles(&described.manifest);
            Cell {
                loads: obstacles.is_empty(),
                best: taken.artifact.as_ref() == Some(&described.artifact),
                obstacles: obstacles.iter().map(Obstacle::of).collect(),
                host: taken.host.clone(),
            }
        });
        Self {
            artifact: described.artifact.clone(),
            target: safe(&described.manifest.target.id),
            profile: safe(&described.manifest.engine.profile),
            hosts: cells.collect(),
            release: name,
        }
    }
}

impl Cell {
    fn word(&self) -> &'static str {
        let other = |it: &Obstacle| it.other_family;
        match (self.best, self.loads) {
            (true, _) => "best",
            (false, true) => "yes",
            // Another obstacle already explains it.
            (false, false) if self.obstacles.iter().any(other) => "-",
            (false, false) => "no",
        }
    }
}

impl Taken {
    fn of(host: &Host, release: &[&Described]) -> Self {
        let best = host.profile.best(release.iter().map(|it| &it.manifest));
        let best = best.and_then(|place| release.get(place));
        Self {
            host: safe(&host.name),
            artifact: best.map(|it| it.artifact.clone()),
        }
    }
}

impl Obstacle {
    fn of(unfit: &Unfit) -> Self {
        Self {
            code: unfit.code(),
            message: match unfit {
                // The host and the artifact are named beside the message.
                Unfit::Cpu(misfit) => excerpt(misfit, MAX_REASON_LEN),
                _ => excerpt(chain(unfit), MAX_REASON_LEN),
            },
            missing: match unfit {
                Unfit::Cpu(Misfit::Features { missing }) => missing.clone(),
                _ => Vec::new(),
            },
            other_family: matches!(unfit, Unfit::Cpu(Misfit::Arch { .. })),
        }
    }
}

impl Name {
    fn of(manifest: &Manifest) -> Self {
        Self {
            name: safe(&manifest.name),
            channel: manifest.channel.as_deref().map(safe),
            version: manifest.version,
        }
    }

    fn text(&self) -> String {
        let channel = self.channel.iter();
        let channel: String = channel
            .map(|name| format!(" of channel `{name}`"))
            .collect();
        format!("`{}`{channel} version {}", self.name, self.version)
    }
}
