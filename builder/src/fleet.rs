//! Chooses the targets of a build for the hosts of a fleet.

use edgec_compiler::{ENGINE_VERSION, EngineProfile};
use edgec_targets::{Cover, HostCpu, Target, cover};
use edgec_verifier::{HostProfile, Manifest};

use crate::error::{FleetError, Unserved};

/// Which host gets which target.
#[derive(Clone, Debug)]
pub struct FleetPlan {
    hosts: Vec<ServedHost>,
    targets: Vec<&'static Target>,
}

/// A host, and the target that it gets.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServedHost {
    /// The host's name.
    pub name: String,
    /// The host's profile.
    pub profile: HostProfile,
    /// The target that it gets.
    pub target: &'static Target,
    /// The best target that it could run.
    pub best: &'static Target,
}

impl FleetPlan {
    /// Chooses targets for hosts, which are given with their names.
    ///
    /// # Errors
    ///
    /// [`FleetError`]: a host could load no artifact of this engine profile.
    pub fn new(
        hosts: Vec<(String, HostProfile)>,
        wanted: Cover,
        profile: EngineProfile,
    ) -> Result<Self, FleetError> {
        let unserved = hosts.iter().filter_map(|(name, host)| {
            let unfit = host.takes(ENGINE_VERSION, profile.name()).err()?;
            let host = name.clone();
            Some(Unserved { host, unfit })
        });
        let unserved: Vec<Unserved> = unserved.collect();
        if !unserved.is_empty() {
            return Err(FleetError::Unserved(unserved));
        }
        let cpus: Vec<HostCpu> = hosts.iter().map(|(_, host)| host.cpu().clone()).collect();
        let assigned = cover(&cpus, wanted).map_err(|uncovered| {
            let host = hosts.get(uncovered.host);
            FleetError::NoTarget(host.map_or_else(String::new, |(name, _)| name.clone()))
        })?;
        let used = |target: &&Target| assigned.iter().any(|it| it.target == *target);
        let targets = edgec_targets::all().filter(used).collect();
        let hosts = hosts.into_iter().zip(&assigned);
        let hosts = hosts.map(|((name, profile), given)| ServedHost {
            name,
            profile,
            target: given.target,
            best: given.best,
        });
        Ok(Self {
            hosts: hosts.collect(),
            targets,
        })
    }

    /// The hosts, in their original order.
    pub fn hosts(&self) -> &[ServedHost] {
        &self.hosts
    }

    /// The targets to build for, in the order of the registry.
    pub fn targets(&self) -> &[&'static Target] {
        &self.targets
    }

    /// Checks that each host of this artifact's target can load it. Some requirements, such as the
    /// size of pools, depend on the program, so they are known only after compilation.
    ///
    /// # Errors
    ///
    /// The first host that cannot load it.
    pub fn check(&self, manifest: &Manifest) -> Result<(), Box<Unserved>> {
        for host in &self.hosts {
            if host.target.id == manifest.target.id {
                host.profile.can_run(manifest).map_err(|unfit| {
                    let host = host.name.clone();
                    Box::new(Unserved { host, unfit })
                })?;
            }
        }
        Ok(())
    }
}
