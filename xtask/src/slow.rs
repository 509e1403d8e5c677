//! The slow subjects of the end-to-end tests, which `cargo xtask test --fast` leaves out. `cargo
//! xtask times` measures all subjects.

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
    use super::SLOW;
    use crate::suite::modules;

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
