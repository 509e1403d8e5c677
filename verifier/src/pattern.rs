//! Patterns of a policy: text in which `*` matches any number of characters, including none. If all
//! possible names are known, a pattern that matches none of them is refused: otherwise a rule that
//! denies or demands something would have no effect.

use edgec_artifact::{TargetCpu, check_name};
use edgec_targets::{Arch, EngineProfile, Target, pattern_matches};
use serde::{Deserialize, Deserializer, de};

/// A pattern. Every character except `*` stands for itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Pattern(String);

impl Pattern {
    /// Whether the whole `text` matches ([`pattern_matches`]).
    pub(crate) fn matches(&self, text: &str) -> bool {
        pattern_matches(&self.0, text)
    }

    /// The pattern itself.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether some text matches both patterns. The time is the product of their lengths; of very
    /// long ones, nothing is claimed.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        const MAX_LEN: usize = 512;
        let (one, two): (Vec<char>, Vec<char>) =
            (self.0.chars().collect(), other.0.chars().collect());
        if one.len() > MAX_LEN || two.len() > MAX_LEN {
            return true;
        }
        // `row[j]`: whether the rest of `one` and the rest of `two` from `j` on meet. The rests
        // become longer from step to step.
        let mut row: Vec<bool> = Vec::new();
        for i in (0..=one.len()).rev() {
            let mut next = vec![false; two.len() + 1];
            for j in (0..=two.len()).rev() {
                let at = |row: &[bool], j: usize| row.get(j).copied().unwrap_or(false);
                let met = match (one.get(i), two.get(j)) {
                    (None, None) => true,
                    // A star takes nothing, or one more character of the other.
                    (Some('*'), b) => at(&row, j) || b.is_some() && at(&next, j + 1),
                    (a, Some('*')) => at(&next, j + 1) || a.is_some() && at(&row, j),
                    (Some(a), Some(b)) => a == b && at(&row, j + 1),
                    _ => false,
                };
                if let Some(cell) = next.get_mut(j) {
                    *cell = met;
                }
            }
            row = next;
        }
        row.first().copied().unwrap_or(false)
    }

    /// Whether the pattern can match a valid name.
    fn fits_a_name(&self) -> bool {
        let name = |filling| check_name(&self.0.replace('*', filling)).is_ok();
        name("") || name("x")
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A pattern for targets. It is compared with every name of a target: its id, its aliases and its
/// triple. So `aarch64*` and `arm64*` mean every target of the family, under any of its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TargetPattern(Pattern);

impl TargetPattern {
    /// Whether it matches the target that a manifest states.
    fn matches(&self, stated: &TargetCpu) -> bool {
        let known = edgec_targets::find(&stated.id).ok();
        let triples = Arch::named(stated.family()).map_or(&[][..], Arch::triples);
        self.0.matches(&stated.id)
            || self.0.matches(&stated.triple)
            || known.is_some_and(|target| self.means(target))
            || triples.iter().any(|triple| self.0.matches(triple))
    }

    fn means(&self, target: &Target) -> bool {
        target.names().any(|name| self.0.matches(name))
    }
}

impl<'de> Deserialize<'de> for TargetPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pattern = Self(Pattern::deserialize(deserializer)?);
        if edgec_targets::all().any(|target| pattern.means(target)) {
            return Ok(pattern);
        }
        let text = &pattern.0.0;
        Err(de::Error::custom(if text.contains('*') {
            format!("no target that this edgec knows matches `{text}`")
        } else {
            match edgec_targets::find(text) {
                Err(unknown) if !unknown.nearest.is_empty() => {
                    let nearest = unknown.nearest.join("`, `");
                    format!("{unknown}; did you mean `{nearest}`?")
                }
                _ => format!("unknown target `{text}`"),
            }
        }))
    }
}

impl std::fmt::Display for TargetPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Reads patterns for applications. Each must match some valid name.
pub(crate) fn applications<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<Pattern>>, D::Error> {
    known(deserializer, |pattern| match pattern.fits_a_name() {
        true => Ok(()),
        false => Err(format!("no name of an application matches `{pattern}`")),
    })
}

/// Reads patterns for channels. An artifact that states no channel has the channel `""`.
pub(crate) fn channels<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<Pattern>>, D::Error> {
    known(deserializer, |pattern| {
        match pattern.matches("") || pattern.fits_a_name() {
            true => Ok(()),
            false => Err(format!("no name of a channel matches `{pattern}`")),
        }
    })
}

/// Reads patterns for engine profiles. Each must match some profile.
pub(crate) fn profiles<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<Pattern>>, D::Error> {
    known(deserializer, |pattern| {
        match EngineProfile::ALL
            .iter()
            .any(|profile| pattern.matches(profile.name()))
        {
            true => Ok(()),
            false => Err(format!("no engine profile matches `{pattern}`")),
        }
    })
}

fn known<'de, D: Deserializer<'de>>(
    deserializer: D,
    check: impl Fn(&Pattern) -> Result<(), String>,
) -> Result<Option<Vec<Pattern>>, D::Error> {
    let patterns = Vec::<Pattern>::deserialize(deserializer)?;
    let checked: Result<(), String> = patterns.iter().try_for_each(check);
    checked.map_err(de::Error::custom)?;
    Ok(Some(patterns))
}

/// Whether a list has a pattern for `text`, or there is no list.
pub(crate) fn allows(list: Option<&[Pattern]>, text: &str) -> bool {
    list.is_none_or(|patterns| patterns.iter().any(|pattern| pattern.matches(text)))
}

/// Whether a list has a pattern for a manifest's target, or there is no list.
pub(crate) fn allows_target(list: Option<&[TargetPattern]>, target: &TargetCpu) -> bool {
    list.is_none_or(|patterns| patterns.iter().any(|pattern| pattern.matches(target)))
}

/// Whether a list has a pattern that means `target`, or there is no list.
pub(crate) fn means(list: Option<&[TargetPattern]>, target: &Target) -> bool {
    list.is_none_or(|patterns| patterns.iter().any(|pattern| pattern.means(target)))
}

/// The targets that the list does not mean, although they have all features of a target in the
/// list. A list means only the targets that it names, so such targets may have been forgotten.
pub(crate) fn left_out(list: &[TargetPattern]) -> Vec<&'static Target> {
    let (meant, others): (Vec<&Target>, Vec<&Target>) =
        edgec_targets::all().partition(|target| means(Some(list), target));
    let includes_one = |other: &&Target| meant.iter().any(|meant| other.contains(meant));
    others.into_iter().filter(includes_one).collect()
}

/// Patterns as reports show them.
pub(crate) fn join(patterns: &[impl std::fmt::Display]) -> String {
    let shown: Vec<String> = patterns.iter().map(|p| format!("`{p}`")).collect();
    match shown.as_slice() {
        [] => "nothing".to_owned(),
        _ => shown.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_meet_if_some_text_matches_both() {
        for (one, two, meet) in [
            ("", "", true),
            ("a", "a", true),
            ("a", "b", false),
            ("*", "", true),
            ("*", "*", true),
            ("a*", "*b", true),
            ("a*c", "abc", true),
            ("a*c", "ab", false),
            ("acme/*", "*/shop", true),
            ("acme/*", "pay/*", false),
            ("a*b*c", "*a*", true),
            ("x*", "*y*z", true),
            ("ab", "a", false),
            ("*a", "b*", true),
            ("*a", "*b", false),
        ] {
            let pattern = |text: &str| Pattern(text.to_owned());
            assert_eq!(pattern(one).meets(&pattern(two)), meet, "{one} {two}");
            assert_eq!(pattern(two).meets(&pattern(one)), meet, "{two} {one}");
        }
    }
}
