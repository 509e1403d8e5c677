//! The known name that an unknown one was probably meant to be.

use crate::edits::edits;

/// The nearest of these names, if at most half of its letters differ. Names in configurations are
/// short, so the work is little.
pub fn nearest_name<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    // The distance costs the product of the lengths, and no name is this long.
    if name.len() > 64 {
        return None;
    }
    let ranked = known.iter().map(|known| (edits(name, known), *known));
    let (distance, nearest) = ranked.min_by_key(|(distance, _)| *distance)?;
    let begins = name.len() > 2 && nearest.starts_with(name);
    (distance * 2 <= nearest.len() || begins).then_some(nearest)
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
}
