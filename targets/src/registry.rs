//! Looking targets up by name.

use crate::{Target, aarch64, x86_64};

/// A name that no target has.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown target `{name}`")]
pub struct UnknownTarget {
    /// The name that was asked for.
    pub name: String,
    /// Up to three names of targets that are spelled alike, nearest first.
    pub nearest: Vec<&'static str>,
}

/// Every target, the families in turn, each from its default to its newest level.
pub fn all() -> impl Iterator<Item = &'static Target> {
    x86_64::TARGETS.iter().chain(aarch64::TARGETS)
}

/// What a build is for when no target is named: one conservative level a family.
pub fn default_targets() -> Vec<&'static Target> {
    all()
        .filter(|target| target.id == target.arch.name())
        .collect()
}

/// The target with this name or alias.
///
/// # Errors
///
/// [`UnknownTarget`] with the names that are spelled most alike.
pub fn find(name: &str) -> Result<&'static Target, UnknownTarget> {
    all()
        .find(|target| names(target).any(|known| known == name))
        .ok_or_else(|| UnknownTarget {
            name: name.to_owned(),
            nearest: nearest(name),
        })
}

fn names(target: &'static Target) -> impl Iterator<Item = &'static str> {
    std::iter::once(target.id).chain(target.aliases.iter().copied())
}

/// Targets that have a name within four edits or one that begins alike.
fn nearest(name: &str) -> Vec<&'static str> {
    // A distance costs the product of the lengths; no name is this long.
    if name.len() > 64 {
        return Vec::new();
    }
    let name = name.to_ascii_lowercase();
    let mut ranked: Vec<(usize, &'static str)> = all()
        .filter_map(|target| {
            let distance = names(target).map(|known| edits(&name, known)).min()?;
            let alike = distance <= 4 || name.starts_with(target.arch.name());
            alike.then_some((distance, target.id))
        })
        .collect();
    ranked.sort_by_key(|(distance, _)| *distance);
    ranked.into_iter().map(|(_, id)| id).take(3).collect()
}

/// Levenshtein distance: single-byte insertions, deletions and substitutions.
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (y, above) in b.bytes().zip(row.iter_mut().skip(1)) {
            let cost = (diagonal + usize::from(x != y))
                .min(*above + 1)
                .min(left + 1);
            diagonal = std::mem::replace(above, cost);
            left = cost;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
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
        assert_eq!(error.nearest, ["aarch64"]);
        let error = find("x86_64-v5").unwrap_err();
        assert_eq!(error.nearest.len(), 3);
        assert!(find("sparc").unwrap_err().nearest.is_empty());
        assert!(find(&"x".repeat(10_000)).unwrap_err().nearest.is_empty());
    }

    #[test]
    fn edits_are_counted() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("abc", "abc"), 0);
    }
}
