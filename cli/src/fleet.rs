//! `edgec build --fleet`: from hosts to the targets that a build is for, explained.

use std::path::PathBuf;

use edgec_compiler::EngineProfile;
use edgec_targets::{Cover, HostCpu, Target, cover};
use edgec_verifier::{HostProfile, Manifest, Unfit, takes_from_here};
use serde::Serialize;

use crate::failure::{Exit, Failure};
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

/// Which host is to be given what.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FleetPlan {
    fleet: String,
    mode: &'static str,
    hosts: Vec<Given>,
    #[serde(skip)]
    pub(crate) targets: Vec<&'static Target>,
    #[serde(skip)]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Given {
    host: String,
    target: &'static str,
    /// The best that the host could run.
    best: &'static str,
    #[serde(skip)]
    profile: HostProfile,
}

impl FleetArguments {
    /// The plan, where a fleet is named.
    pub(crate) fn plan(&self, profile: EngineProfile) -> Result<Option<FleetPlan>, Failure> {
        let Some(path) = &self.fleet else {
            return Ok(None);
        };
        let fleet = read_fleet(path)?;
        let useless = fleet.hosts.iter().filter_map(|host| {
            let unfit = takes_from_here(&host.profile, profile.name()).err()?;
            Some(unserved(&render::safe(&host.name), &unfit))
        });
        let mut useless: Vec<Failure> = useless.collect();
        if let Some(last) = useless.pop() {
            // One run names them all, in their order.
            useless.iter().for_each(Failure::print);
            return Err(last);
        }
        let wanted = match self.fleet_best {
            true => Cover::Best,
            false => fleet.mode.unwrap_or(Cover::Fewest),
        };
        let cpus: Vec<HostCpu> = fleet
            .hosts
            .iter()
            .map(|h| h.profile.cpu().clone())
            .collect();
        let assigned = cover(&cpus, wanted).map_err(|uncovered| {
            let host = fleet.hosts.get(uncovered.host);
            let host = host.map_or("", |host| host.name.as_str());
            Failure::new(Exit::Rejected, "no-target", "no target runs on this host").about(host)
        })?;
        let used = |target: &&Target| assigned.iter().any(|it| it.target == *target);
        let targets = edgec_targets::all().filter(used).collect();
        let hosts = fleet.hosts.into_iter().zip(&assigned);
        let hosts = hosts.map(|(host, given)| Given {
            host: render::safe(&host.name),
            target: given.target.id,
            best: given.best.id,
            profile: host.profile,
        });
        Ok(Some(FleetPlan {
            fleet: render::path(path),
            mode: match wanted {
                Cover::Fewest => "fewest",
                Cover::Best => "best",
            },
            hosts: hosts.collect(),
            targets,
            files: fleet.files,
        }))
    }
}

/// A host of the fleet, by its name made safe, would load nothing of this build.
fn unserved(host: &str, unfit: &Unfit) -> Failure {
    Failure::rejected(unfit.code(), unfit)
        .about_safe(format!("host `{host}`"))
        .hint("a host of the fleet could not load what is built for it")
}

impl FleetPlan {
    /// Whether the hosts that are given this artifact can load it: what depends on the program,
    /// such as the size of their pools, is known only now.
    pub(crate) fn check(&self, manifest: &Manifest) -> Result<(), Failure> {
        for host in &self.hosts {
            if host.target == manifest.target.id {
                let fits = host.profile.can_run(manifest);
                fits.map_err(|unfit| unserved(&host.host, &unfit))?;
            }
        }
        Ok(())
    }

    /// Which host gets what, and what it could run instead.
    pub(crate) fn text(&self) -> String {
        let rows = self.hosts.iter().map(|host| {
            let better = match host.target == host.best {
                true => String::new(),
                false => format!("could run {}", host.best),
            };
            vec![format!("  {}", host.host), host.target.to_owned(), better]
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
            count(self.targets.len(), "target"),
            render::table(&rows)
        )
    }
}
