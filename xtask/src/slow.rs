//! The slow subjects of the end-to-end tests, which `cargo xtask test --fast` leaves out. The list
//! comes from `cargo xtask times`: it measures all subjects, and marks those that do not belong in
//! the list, or are missing there.

use std::time::Duration;

/// A subject that takes longer than this is slow.
const SLOW_FROM: Duration = Duration::from_secs(10);

/// What the list should say about a subject that took this long, if it says something else. Times
/// differ between machines, so a time near the limit says little.
pub(crate) fn correction(subject: &str, time: Duration) -> &'static str {
    let listed = SLOW.iter().any(|(name, _)| *name == subject);
    match (time > SLOW_FROM, listed) {
        (true, false) => "  add it to xtask/src/slow.rs",
        (false, true) => "  remove it from xtask/src/slow.rs",
        (true, true) | (false, false) => "",
    }
}

/// Modules of `tests/it`, each with the reason why it takes time.
pub(crate) const SLOW: &[(&str, &str)] = &[
    ("aarch64", "an emulated CPU"),
    ("attack", "every attack on an artifact, through the binary"),
    (
        "attack_build",
        "builds that are interrupted, and wait for it",
    ),
    ("attack_store_many", "stores of many artifacts"),
    ("attack_totals", "programs up to their limits"),
    ("audit", "the code of real programs, for every target"),
    ("bombs", "expensive files"),
    ("conformance", "the public test suites"),
    ("differential", "5,000 generated programs"),
    ("every_level", "each program at every level"),
    ("exports", "programs with 75,000 exports"),
    ("flatten", "each program merged and unmerged"),
    ("graphs", "5,000 generated components"),
    ("guests", "real programs"),
    ("hosting", "servers, and requests to them"),
    ("kept_functions", "functions that take long to optimize"),
    ("machine", "builds under each limit of the machine"),
    ("machine_stack", "builds under limits on the stack"),
    ("manifest_room", "programs up to their limits"),
    ("optimizer", "real programs at every level"),
    ("pools", "pools of instances"),
    ("preview1", "real programs"),
    ("preview1_programs", "the public test suites"),
    ("program_limits", "programs up to their limits"),
    ("rebuild", "real programs, compiled twice"),
    ("store_crash", "a store, stopped at every system call"),
    ("transcripts", "all commands in the documents"),
    ("x86_levels", "emulated CPUs"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::modules;

    #[test]
    fn times_correct_the_list() {
        let (slow, fast) = (SLOW_FROM * 2, SLOW_FROM / 2);
        for (subject, time, says) in [
            ("differential", slow, ""),
            ("differential", fast, "remove"),
            ("errors", slow, "add"),
            ("errors", fast, ""),
        ] {
            assert!(correction(subject, time).contains(says), "{subject}");
            assert_eq!(correction(subject, time).is_empty(), says.is_empty());
        }
    }

    #[test]
    fn every_slow_subject_exists_once() {
        let modules = modules().unwrap();
        for (name, _) in SLOW {
            // A filter is a part of a name, so no other module's name may end like this one.
            let named = modules.iter().filter(|module| module.ends_with(*name));
            assert_eq!(named.collect::<Vec<_>>(), [*name], "tests/it/main.rs");
        }
        assert!(SLOW.is_sorted_by(|(first, _), (second, _)| first < second));
        // Most subjects must remain, or the fast tests would check too little.
        assert!(SLOW.len() * 2 < modules.len());
    }
}
