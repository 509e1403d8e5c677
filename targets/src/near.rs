//! The known name that an unknown one was probably meant to be.

use crate::edits::edits;

/// The nearest of these names, if at most half of its letters differ. Names in configurations are
/// short, so the work is little.
pub fn nearest_name<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let (distance, nearest) = ranked(name, 64, known.iter().copied())?;
    let begins = name.len() > 2 && nearest.starts_with(name);
    (distance * 2 <= nearest.len() || begins).then_some(nearest)
}

/// The nearest of these names, if it is another one, and at most a third of its letters differ.
/// Names of interfaces and applications begin alike, so more of them must agree than in
/// [`nearest_name`].
pub fn nearest_alike<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let (distance, nearest) = ranked(name, 128, known)?;
    (distance > 0 && distance * 3 <= nearest.len()).then_some(nearest)
}

/// The name with the lowest distance, among those of at most `longest` bytes. The distance costs
/// the product of the lengths, and no name is longer.
fn ranked<'k>(
    name: &str,
    longest: usize,
    known: impl IntoIterator<Item = &'k str>,
) -> Option<(usize, &'k str)> {
    if name.len() > longest {
        return None;
    }
    let known = known.into_iter().filter(|known| known.len() <= longest);
    let ranked = known.map(|known| (edits(name, known), known));
    ranked.min_by_key(|(distance, _)| *distance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_near_and_another_word_is_not() {
        let known = ["name", "input", "targets", "profile", "image-bytes"];
        for (name, near) in [
            ("target", Some("targets")),
            ("tragets", Some("targets")),
            ("nmae", Some("name")),
            ("nam", Some("name")),
            ("image_bytes", Some("image-bytes")),
            ("prof", Some("profile")),
            ("nonsense", None),
            ("", None),
        ] {
            assert_eq!(nearest_name(name, &known), near, "{name}");
        }
        assert_eq!(nearest_name(&"x".repeat(65), &known), None);
    }
    #[test]
    fn names_that_begin_alike_must_agree_in_more() {
        let known = ["release", "security", "acme/shop"];
        for (name, near) in [
            ("relaese", Some("release")),
            ("acme/shpo", Some("acme/shop")),
            ("acme/billing", None),
            ("release", None),
            ("nonsense", None),
            ("", None),
        ] {
            assert_eq!(nearest_alike(name, known), near, "{name}");
        }
        assert_eq!(nearest_alike(&"x".repeat(129), known), None);
    }
}
