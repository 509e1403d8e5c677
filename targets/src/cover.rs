//! Which targets a fleet needs, so that every host gets code that it can run.
//!
//! There are two modes. `Fewest` chooses as few targets as possible: for each family, the best
//! target that all of its hosts can run. `Best` chooses the best target for each host. Targets with
//! the same code count as one, under the name that is first in the registry.

use crate::{Arch, HostCpu, Target, all};

/// How to choose a set of targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cover {
    /// As few targets as possible.
    Fewest,
    /// The best target for each host.
    Best,
}

/// The target for one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The best target of the set that the host can run.
    pub target: &'static Target,
    /// The best target of the registry that the host can run.
    pub best: &'static Target,
}

/// A host that can run no target: it has another family, or lacks a feature of its family's base.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no target runs on host {host}")]
pub struct Uncovered {
    /// The host's index in the list of hosts.
    pub host: usize,
}

/// Chooses targets for `hosts`, and returns one assignment for each host, in their order. The order
/// of the hosts does not change the choice.
///
/// # Errors
///
/// [`Uncovered`] names the first host that can run no target.
pub fn cover(hosts: &[HostCpu], wanted: Cover) -> Result<Vec<Assignment>, Uncovered> {
    let bests = hosts.iter().enumerate().map(|(number, host)| {
        let best = host.targets().into_iter().find(|it| is_first(it));
        best.ok_or(Uncovered { host: number })
    });
    let bests = bests.collect::<Result<Vec<_>, _>>()?;
    let shared: Vec<&'static Target> = match wanted {
        Cover::Best => Vec::new(),
        Cover::Fewest => Arch::ALL
            .into_iter()
            .filter_map(|arch| shared(arch, hosts))
            .collect(),
    };
    let assigned = bests.into_iter().map(|best| {
        let mut shared = shared.iter().copied();
        let target = shared.find(|target| target.arch == best.arch);
        let target = target.unwrap_or(best);
        Assignment { target, best }
    });
    Ok(assigned.collect())
}

fn is_first(target: &Target) -> bool {
    target.same_code_as().is_none()
}

/// The target that serves all hosts of a family best. Each family has a target without features,
/// which all of its hosts can run (held by a test). `None` if the family has no host.
fn shared(arch: Arch, hosts: &[HostCpu]) -> Option<&'static Target> {
    let hosts = hosts.iter().filter(|host| host.arch() == arch.name());
    let hosts: Vec<&HostCpu> = hosts.collect();
    let candidates = all().filter(|target| target.arch == arch && is_first(target));
    let serves = |target: &&Target| hosts.iter().all(|host| target.fits(host).is_ok());
    let best = candidates.filter(serves).max_by_key(|target| target.rank());
    best.filter(|_| !hosts.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::find;

    /// A host with exactly the features of a target.
    fn host(target: &str) -> HostCpu {
        let target = find(target).unwrap();
        let features = target.features.iter().map(|f| f.name.to_owned());
        HostCpu::new(target.arch.name(), features)
    }

    fn ids(hosts: &[&str], wanted: Cover) -> Vec<&'static str> {
        let hosts: Vec<_> = hosts.iter().map(|name| host(name)).collect();
        let assigned = cover(&hosts, wanted).unwrap();
        assigned.iter().map(|it| it.target.id).collect()
    }

    #[test]
    fn the_fewest_targets_are_those_that_all_hosts_of_a_family_share() {
        let hosts = ["znver3", "sapphire-rapids", "haswell", "neoverse-n1"];
        let expected = ["x86_64-v3", "x86_64-v3", "x86_64-v3", "neoverse-n1"];
        assert_eq!(ids(&hosts, Cover::Fewest), expected);
        let newer = ["znver4", "sapphire-rapids"];
        assert_eq!(ids(&newer, Cover::Fewest), ["icelake-server"; 2]);
        assert_eq!(ids(&[], Cover::Fewest), [""; 0]);
    }

    #[test]
    fn the_best_targets_are_each_host_s_own() {
        let hosts = [
            "znver3",
            "sapphire-rapids",
            "x86_64",
            "graviton4",
            "aarch64",
        ];
        let expected = [
            "x86_64-v3",
            "sapphire-rapids",
            "x86_64",
            "neoverse-v1",
            "aarch64",
        ];
        assert_eq!(ids(&hosts, Cover::Best), expected);
    }

    #[test]
    fn a_host_that_runs_nothing_is_named() {
        let hosts = [host("x86_64"), HostCpu::new("sparc64", [])];
        for wanted in [Cover::Fewest, Cover::Best] {
            assert_eq!(cover(&hosts, wanted), Err(Uncovered { host: 1 }));
        }
        let error = cover(&hosts[1..], Cover::Fewest).unwrap_err();
        assert_eq!(error.to_string(), "no target runs on host 0");
    }

    #[test]
    fn every_family_has_a_target_that_all_of_its_hosts_run() {
        for arch in Arch::ALL {
            let mut targets = all().filter(|target| target.arch == arch);
            assert!(targets.any(|target| target.features.is_empty()));
        }
    }
}
