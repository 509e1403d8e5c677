//! Finds targets by name, and compares them.

use std::cmp::Reverse;

use crate::edits::edits;
use crate::{Arch, HostCpu, Target, aarch64, x86_64};

/// A name that no target has.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown target `{name}`")]
pub struct UnknownTarget {
    /// The name that was asked for.
    pub name: String,
    /// Up to three names or aliases with a similar spelling, nearest first, each of a different
    /// target.
    pub nearest: Vec<&'static str>,
    /// If edgec leaves this family out on purpose: the reason.
    pub left_out: Option<&'static str>,
}

/// Families that the engine supports and the registry leaves out. `docs/targets.md` gives the full
/// reasons.
const LEFT_OUT: &[(&str, &str)] = &[
    (
        "riscv64",
        "this engine needs vectors for what every RISC-V machine should run, and no host can ask its CPU for them",
    ),
    (
        "s390x",
        "its images are big-endian, and artifacts are little-endian",
    ),
];

/// Names that other tools use for families and edgec does not. They only lead to the right name.
const CALLED_ELSEWHERE: &[(&str, Arch)] = &[("x64", Arch::X86_64), ("armv8", Arch::Aarch64)];

/// Every target, family by family, each from its default to its newest level.
pub fn all() -> impl Iterator<Item = &'static Target> {
    x86_64::TARGETS.iter().chain(aarch64::TARGETS)
}

/// How much of a CPU a target's code uses. More features are better; of targets with as many
/// features, the first in the registry is better. Within a family, the features of every target
/// contain those of each lower rank (held by a test). So the count compares targets, and never one
/// kind of feature with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    features: usize,
    place: Reverse<usize>,
}

impl Target {
    /// The target's rank among the targets that one host can run.
    pub fn rank(&self) -> Rank {
        let place = all().position(|target| target.id == self.id);
        Rank {
            features: self.features.len(),
            place: Reverse(place.unwrap_or(usize::MAX)),
        }
    }
}

impl HostCpu {
    /// The targets that this host can run, best first.
    pub fn targets(&self) -> Vec<&'static Target> {
        let mut fit: Vec<_> = all().filter(|target| target.fits(self).is_ok()).collect();
        fit.sort_by_key(|target| Reverse(target.rank()));
        fit
    }
}

/// The targets of a build that names none: one conservative level for each family.
pub fn default_targets() -> Vec<&'static Target> {
    all()
        .filter(|target| target.id == target.arch.name())
        .collect()
}

/// The target with this name or alias.
///
/// # Errors
///
/// [`UnknownTarget`] with the most similar names.
pub fn find(name: &str) -> Result<&'static Target, UnknownTarget> {
    all()
        .find(|target| names(target).any(|known| known == name))
        .ok_or_else(|| UnknownTarget {
            name: name.to_owned(),
            nearest: nearest(name),
            left_out: left_out(name),
        })
}

fn left_out(name: &str) -> Option<&'static str> {
    let family = |(family, _): &&(&str, &str)| name.starts_with(family);
    LEFT_OUT.iter().find(family).map(|(_, reason)| *reason)
}

fn names(target: &'static Target) -> impl Iterator<Item = &'static str> {
    std::iter::once(target.id).chain(target.aliases.iter().copied())
}

/// Names with at most a third of the letters different, or names of targets of the family that
/// `name` names.
fn nearest(name: &str) -> Vec<&'static str> {
    // The distance costs the product of the lengths, and no name is this long.
    if name.len() > 64 {
        return Vec::new();
    }
    let name = name.to_ascii_lowercase();
    // A triple names a family.
    if let Some(family) = all().find(|it| it.triple() == name && it.id == it.arch.name()) {
        return vec![family.id];
    }
    // So does the beginning of its name, such as `x86` or `arm`.
    let is_called = |arch: Arch| {
        let mut known = std::iter::once(arch.name()).chain(arch.aliases().iter().copied());
        let mut elsewhere = CALLED_ELSEWHERE.iter();
        (name.len() > 2 && known.any(|known| known.starts_with(&name)))
            || elsewhere.any(|(other, family)| *other == name && *family == arch)
    };
    if let Some(family) = all().find(|it| it.id == it.arch.name() && is_called(it.arch)) {
        return vec![family.id];
    }
    let mut ranked: Vec<(usize, &'static str)> = all()
        .filter_map(|target| {
            let distances = names(target).map(|known| (edits(&name, known), known));
            let (distance, known) = distances.min_by_key(|(distance, _)| *distance)?;
            let alike = distance * 3 <= known.len() || name.starts_with(target.arch.name());
            alike.then_some((distance, known))
        })
        .collect();
    ranked.sort_by_key(|(distance, _)| *distance);
    ranked.into_iter().map(|(_, name)| name).take(3).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique() {
        let mut seen = HashSet::new();
        for name in all().flat_map(names) {
            assert!(seen.insert(name), "{name} names two targets");
        }
    }

    /// Each alias of a family also names the family's default target, and can begin a triple.
    #[test]
    fn a_family_s_aliases_are_those_of_its_default_target() {
        for arch in Arch::ALL {
            let default = find(arch.name()).unwrap();
            assert_eq!(Arch::called(arch.name()), Some(arch));
            let mut triples = vec![arch.triple().to_owned()];
            for alias in arch.aliases() {
                assert_eq!(find(alias), Ok(default));
                assert_eq!(Arch::called(alias), Some(arch));
                triples.push(arch.triple().replacen(arch.name(), alias, 1));
            }
            assert_eq!(arch.triples(), triples);
            assert!(default.names().any(|name| name == arch.triple()));
        }
        assert_eq!(Arch::called("x86_64-v3"), None);
    }

    #[test]
    fn both_families_are_built_by_default() {
        let ids: Vec<_> = default_targets().iter().map(|t| t.id).collect();
        assert_eq!(ids, ["x86_64", "aarch64"]);
    }

    #[test]
    fn a_misspelled_name_gets_its_neighbours() {
        assert_eq!(find("x86_64-v3").map(|t| t.id), Ok("x86_64-v3"));
        assert_eq!(find("arm64").map(|t| t.id), Ok("aarch64"));
        let error = find("aarch46").unwrap_err();
        assert_eq!(error.nearest.first(), Some(&"aarch64"));
        for (alias, id) in [
            ("graviton2", "neoverse-n1"),
            ("graviton3", "neoverse-v1"),
            ("graviton4", "neoverse-v2"),
            ("axion", "neoverse-v2"),
            ("cobalt", "neoverse-n2"),
            ("ampere-altra", "neoverse-n1"),
            ("zen4", "znver4"),
        ] {
            assert_eq!(find(alias).map(|t| t.id), Ok(id));
        }
        assert_eq!(find("gravitron3").unwrap_err().nearest[0], "graviton3");
        assert_eq!(
            find("Sapphire_Rapids").unwrap_err().nearest[0],
            "sapphire-rapids"
        );
        let error = find("x86_64-v5").unwrap_err();
        assert_eq!(error.nearest.len(), 3);
        let triple = find("aarch64-unknown-linux-gnu").unwrap_err();
        assert_eq!(triple.nearest, ["aarch64"]);
        for (name, family) in [
            ("x86", "x86_64"),
            ("x64", "x86_64"),
            ("X64", "x86_64"),
            ("amd", "x86_64"),
            ("arm", "aarch64"),
            ("aarch", "aarch64"),
        ] {
            assert_eq!(find(name).unwrap_err().nearest, [family], "{name}");
        }
        for name in ["", "a", "x", "sparc"] {
            assert!(find(name).unwrap_err().nearest.is_empty(), "{name}");
        }
        assert_eq!(find("sparc").unwrap_err().left_out, None);
        for family in ["riscv64", "riscv64gc", "s390x"] {
            assert!(find(family).unwrap_err().left_out.is_some(), "{family}");
        }
        assert!(find(&"x".repeat(10_000)).unwrap_err().nearest.is_empty());
    }

    /// Of any two targets of a family, one runs on all hosts of the other.
    #[test]
    fn the_targets_of_a_family_are_a_chain() {
        for one in all() {
            for other in all().filter(|other| other.arch == one.arch) {
                assert!(
                    one.contains(other) || other.contains(one),
                    "{} and {}: say in docs/targets.md which is better",
                    one.id,
                    other.id
                );
                assert_eq!(one.rank() == other.rank(), one.id == other.id);
                if one.contains(other) && !other.contains(one) {
                    assert!(one.rank() > other.rank(), "{} {}", one.id, other.id);
                }
            }
        }
    }

    #[test]
    fn targets_of_the_same_code_are_of_one_tier() {
        for target in all() {
            if let Some(same) = target.same_code_as() {
                assert_eq!(same.tier, target.tier, "{}", target.id);
                assert_eq!(same.same_code_as(), None, "{}", same.id);
            }
            assert!(!target.source.is_empty() && !target.machines.is_empty());
        }
        let same = |id: &str| find(id).unwrap().same_code_as().map(|target| target.id);
        assert_eq!(same("haswell"), Some("x86_64-v3"));
        assert_eq!(same("znver4"), Some("icelake-server"));
        assert_eq!(same("x86_64-v3"), None);
        assert_eq!(same("neoverse-v2"), Some("neoverse-v1"));
    }

    #[test]
    fn a_host_s_targets_stand_best_first() {
        let zen3 = find("znver3").unwrap();
        let features = zen3.features.iter().map(|f| f.name.to_owned());
        let host = HostCpu::new("x86_64", features);
        let ids: Vec<_> = host.targets().iter().map(|target| target.id).collect();
        let expected = [
            "x86_64-v3",
            "haswell",
            "znver2",
            "znver3",
            "x86_64",
            "x86_64-v1",
        ];
        assert_eq!(ids, expected);
        assert!(HostCpu::new("sparc64", []).targets().is_empty());
    }
}
