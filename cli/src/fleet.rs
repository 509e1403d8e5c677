//! `edgec build --fleet`: chooses the targets of a build for a fleet of hosts, and explains the
//! choice.

use std::path::{Path, PathBuf};

use edgec_builder::FleetError;
use edgec_compiler::EngineProfile;
use edgec_targets::Cover;
use serde::Serialize;

use crate::failure::{Exit, Failure};
use crate::failures::builder::unserved_failure;
use crate::hosts::read_fleet;
use crate::render::{self, count};

#[derive(clap::Args)]
pub(crate) struct FleetArguments {
    /// Compile for the hosts in this file, with as few targets as possible (docs/targets.md)
    #[arg(long, value_name = "FILE", conflicts_with = "targets")]
    fleet: Option<PathBuf>,
    /// With --fleet: compile for each host the best target that it can run
    #[arg(long, requires = "fleet")]
    fleet_best: bool,
}

/// Which host gets which target.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FleetPlan {
    fleet: String,
    mode: &'static str,
    hosts: Vec<Given>,
    #[serde(skip)]
    pub(crate) plan: edgec_builder::FleetPlan,
    #[serde(skip)]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Given {
    host: String,
    /// The host's name, as a cell of a table.
    #[serde(skip)]
    cell: String,
    target: &'static str,
    /// The best target that the host could run.
    best: &'static str,
}

impl FleetArguments {
    /// The fleet's file and the set of targets that is wanted, if the user named a fleet.
    pub(crate) fn named(&self) -> Option<(&Path, Option<Cover>)> {
        let wanted = self.fleet_best.then_some(Cover::Best);
        self.fleet.as_deref().map(|file| (file, wanted))
    }
}

impl FleetPlan {
    /// Reads a fleet and chooses targets for it: those that are `wanted`, else those that the file
    /// asks for, else the fewest.
    pub(crate) fn read(
        path: &Path,
        wanted: Option<Cover>,
        profile: EngineProfile,
    ) -> Result<Self, Failure> {
        let fleet = read_fleet(path)?;
        let wanted = wanted.or(fleet.mode).unwrap_or(Cover::Fewest);
        let hosts = fleet.hosts.into_iter();
        let hosts = hosts.map(|host| (host.name, host.profile)).collect();
        let plan = edgec_builder::FleetPlan::new(hosts, wanted, profile).map_err(unplanned)?;
        let hosts = plan.hosts().iter().map(|host| Given {
            host: render::safe(&host.name),
            cell: render::cell(&host.name),
            target: host.target.id,
            best: host.best.id,
        });
        Ok(Self {
            fleet: render::path(path),
            mode: match wanted {
                Cover::Fewest => "fewest",
                Cover::Best => "best",
            },
            hosts: hosts.collect(),
            plan,
            files: fleet.files,
        })
    }
}

/// Why no build is possible for a fleet. Names all hosts that prevent it, in their order.
fn unplanned(error: FleetError) -> Failure {
    let code = error.code();
    match error {
        FleetError::Unserved(hosts) => {
            let mut failures: Vec<Failure> = hosts.iter().map(unserved_failure).collect();
            let last = failures.pop();
            failures.iter().for_each(Failure::print);
            last.unwrap_or_else(|| Failure::usage("fleet", "no host is served"))
        }
        FleetError::NoTarget(host) => {
            Failure::new(Exit::Rejected, code, "no target runs on this host").about(host)
        }
        error => Failure::rejected(code, &error),
    }
}

impl FleetPlan {
    /// The target of each host, and what the host could run instead.
    pub(crate) fn text(&self) -> String {
        let rows = self.hosts.iter().map(|host| {
            let better = match host.target == host.best {
                true => String::new(),
                false => format!("could run {}", host.best),
            };
            vec![format!("  {}", host.cell), host.target.to_owned(), better]
        });
        let rows: Vec<_> = rows.collect();
        let why = match self.mode {
            "best" => "the best for each host",
            _ => "the fewest that serve all",
        };
        format!(
            "{}: {}, {}, {why}\n{}",
            self.fleet,
            count(self.hosts.len(), "host"),
            count(self.plan.targets().len(), "target"),
            render::table(&rows)
        )
    }
}
