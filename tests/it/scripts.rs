//! Scripts take packages from the machine's configured sources: no script names a mirror.

use std::path::{Path, PathBuf};

use edgec_tests::repository;

/// Parts of the addresses of public registries.
const REGISTRIES: &[&str] = &[
    "crates.io",
    "debian.org",
    "npmjs",
    "pypi.org",
    "pythonhosted",
];

#[test]
fn no_script_names_a_mirror() {
    let mut scripts = vec![repository().join("fuzz/smoke.sh")];
    for folder in [".ci", "integrations", "release", "tests"] {
        walk(&repository().join(folder), &mut scripts);
    }
    assert!(scripts.len() > 10, "{scripts:?}");
    for script in scripts {
        let text = std::fs::read_to_string(&script).unwrap();
        let named = REGISTRIES.iter().find(|registry| text.contains(**registry));
        assert_eq!(named, None, "{}", script.display());
    }
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            // Files of cargo and Python do not belong to the repository.
            if !path.ends_with("target") && !path.ends_with("__pycache__") {
                walk(&path, found);
            }
            continue;
        }
        // Scripts without an ending begin like all scripts.
        let start = std::fs::read(&path).unwrap_or_default();
        let ending = path
            .extension()
            .is_some_and(|ending| ending == "py" || ending == "sh");
        if ending || start.starts_with(b"#!") {
            found.push(path);
        }
    }
}
