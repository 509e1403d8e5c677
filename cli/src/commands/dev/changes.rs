//! What a new version is, and what has changed since the one before.

use std::collections::BTreeSet;
use std::time::Duration;

use edgec_verifier::Manifest;

use crate::render::{count, safe, seconds, size};

/// The most names that are listed.
const MOST_LISTED: usize = 20;

/// What is told about a version.
pub(super) struct Version {
    name: String,
    number: u64,
    /// The length of the program and of its image, in bytes.
    program: u64,
    image: u64,
    imports: BTreeSet<String>,
}

impl Version {
    pub(super) fn new(manifest: &Manifest) -> Self {
        Self {
            name: manifest.name.clone(),
            number: manifest.version,
            program: manifest.source.input.length,
            image: manifest.image.length,
            imports: manifest.capabilities.imports.iter().cloned().collect(),
        }
    }

    /// Its number in the store.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The line about the first version.
    pub(super) fn first(&self, building: Duration) -> String {
        format!(
            "{}: {} -> image {}, {}, built in {}",
            safe(&self.name),
            size(self.program),
            size(self.image),
            count(self.imports.len(), "import"),
            seconds(building)
        )
    }

    /// The lines about a version after another one. `served` is the time from the first look at the
    /// changed file until requests get the new version.
    pub(super) fn since(&self, old: &Self, building: Duration, served: Duration) -> String {
        let lengths = |before: u64, now: u64| match before == now {
            true => size(now),
            false => format!("{} (was {})", size(now), size(before)),
        };
        let mut text = format!(
            "version {}: {} -> image {}, built in {}, served after {}",
            self.number,
            lengths(old.program, self.program),
            lengths(old.image, self.image),
            seconds(building),
            seconds(served)
        );
        let gone = old.imports.difference(&self.imports);
        let new = self.imports.difference(&old.imports);
        let lines = new.map(|name| format!("  + imports {}", safe(name)));
        let gone = gone.map(|name| format!("  - imports {}", safe(name)));
        let lines: Vec<String> = lines.chain(gone).collect();
        for line in lines.iter().take(MOST_LISTED) {
            text.push('\n');
            text.push_str(line);
        }
        if let more @ 1.. = lines.len().saturating_sub(MOST_LISTED) {
            text.push_str(&format!("\n  and {more} more changes of imports"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(number: u64, image: u64, imports: &[&str]) -> Version {
        Version {
            name: "app".to_owned(),
            number,
            program: 2048,
            image,
            imports: imports.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    #[test]
    fn only_what_has_changed_is_told() {
        let took = Duration::from_millis(20);
        let old = version(1, 4096, &["a", "b"]);
        assert_eq!(
            old.first(took),
            "app: 2.00 KiB -> image 4.00 KiB, 2 imports, built in 20.0 ms"
        );
        assert_eq!(
            version(2, 4096, &["a", "b"]).since(&old, took, took),
            "version 2: 2.00 KiB -> image 4.00 KiB, built in 20.0 ms, served after 20.0 ms"
        );
        assert_eq!(
            version(3, 5120, &["b", "c"]).since(&old, took, took),
            "version 3: 2.00 KiB -> image 5.00 KiB (was 4.00 KiB), built in 20.0 ms, \
             served after 20.0 ms\n  + imports c\n  - imports a"
        );
    }

    #[test]
    fn a_long_list_is_cut() {
        let names: Vec<String> = (0..30).map(|number| format!("i{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let took = Duration::ZERO;
        let text = version(2, 1, &names).since(&version(1, 1, &[]), took, took);
        assert!(
            text.ends_with("\n  and 10 more changes of imports"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 1 + MOST_LISTED + 1);
    }
}
