//! CPU features as bits of a word: those that an instruction needs, and those that a manifest
//! declares.

/// The features of a family, by the names of manifests. A feature's bit is its place in this list.
/// The last one stands for all features without a name in the list: no manifest can declare it.
pub(super) type Names = &'static [&'static str];

/// Stands for a feature without a name.
pub(super) const UNKNOWN: &str = "(unknown)";

/// The features that a manifest declares.
#[derive(Clone, Copy)]
pub(super) struct Declared {
    pub(super) names: Names,
    bits: u64,
}

impl Declared {
    pub(super) fn new(names: Names, declared: &[String]) -> Self {
        let bits = names
            .iter()
            .enumerate()
            .filter(|(_, name)| **name != UNKNOWN && declared.iter().any(|it| it == *name))
            .fold(0, |bits, (place, _)| bits | bit(place));
        Self { names, bits }
    }

    /// The features of `needed` that are not declared, if there are any.
    pub(super) fn missing(&self, needed: u64) -> Option<u64> {
        let missing = needed & !self.bits;
        (missing != 0).then_some(missing)
    }

    /// The names behind bits, sorted.
    pub(super) fn list(&self, bits: u64) -> Vec<String> {
        let set = self.names.iter().enumerate();
        let set = set.filter(|(place, _)| bits & bit(*place) != 0);
        let mut names: Vec<String> = set.map(|(_, name)| (*name).to_owned()).collect();
        names.sort_unstable();
        names
    }
}

/// The bit of the feature at this place. There are fewer than 64 features.
pub(super) fn bit(place: usize) -> u64 {
    u32::try_from(place)
        .ok()
        .and_then(|place| 1_u64.checked_shl(place))
        .unwrap_or(0)
}

/// The bit of a feature. For a name that is not in the list, the bit of the last feature.
pub(super) fn named(names: Names, name: &str) -> u64 {
    let place = names.iter().position(|it| *it == name);
    bit(place.unwrap_or(names.len().saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_declares_what_has_no_name() {
        const NAMES: Names = &["a", "b", UNKNOWN];
        let declared = Declared::new(NAMES, &["b".to_owned(), UNKNOWN.to_owned()]);
        assert_eq!(declared.missing(named(NAMES, "b")), None);
        let missing = |needed| declared.missing(needed).map(|bits| declared.list(bits));
        assert_eq!(missing(named(NAMES, "a")).unwrap(), ["a"]);
        let other = named(NAMES, "c") | named(NAMES, "a");
        assert_eq!(missing(other).unwrap(), [UNKNOWN, "a"]);
        for names in [
            super::super::x86_64_encodings::FEATURES,
            super::super::aarch64::FEATURES,
        ] {
            assert!(names.len() < 64 && names.last() == Some(&UNKNOWN));
        }
    }
}
