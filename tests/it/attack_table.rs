//! Compares the table of `docs/threat-model.md` with the tests, in both directions.

use std::collections::{BTreeMap, BTreeSet};

use edgec_tests::repository;
use regex::Regex;

fn sources() -> BTreeMap<String, String> {
    // Crates without an engine test much of this themselves.
    let folders = [
        "loader/src",
        "packager/src",
        "verifier/src",
        "verifier/src/policy_toml",
        "verifier/tests",
        "store/tests",
        "tests/it",
    ];
    let files = folders.iter().flat_map(|folder| {
        let entries = std::fs::read_dir(repository().join(folder)).unwrap();
        entries.map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            (name, text)
        })
    });
    files.collect()
}

#[test]
fn the_threat_model_names_every_test() {
    let sources = sources();
    let names = Regex::new(r"(?:\bfn|^\s+\d+) (row_\d\d_[a-z0-9_]+)").unwrap();
    let written: BTreeSet<&str> = sources
        .iter()
        .filter(|(file, _)| file.starts_with("attack"))
        .flat_map(|(_, text)| text.lines())
        .filter_map(|line| Some(names.captures(line)?.get(1)?.as_str()))
        .collect();

    let document = repository().join("docs/threat-model.md");
    let document = std::fs::read_to_string(document).unwrap();
    let quoted = Regex::new("`([^`]+)`").unwrap();
    let mut rows = BTreeSet::new();
    let mut named = BTreeSet::new();
    for line in document.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let Some(row) = cells.get(1).and_then(|cell| cell.parse::<u8>().ok()) else {
            continue;
        };
        assert!(rows.insert(row), "row {row} is there twice");
        // The rows from 51 to 70 also say what happened before.
        let tests = match (cells.as_slice(), row) {
            ([_, _, _, _, _, tests, _], ..51 | 71..) | ([_, _, _, _, _, _, tests, _], 51..71) => {
                *tests
            }
            _ => panic!("row {row} has another number of cells: {line}"),
        };
        let tests: Vec<&str> = quoted
            .captures_iter(tests)
            .filter_map(|found| Some(found.get(1)?.as_str()))
            .collect();
        assert!(!tests.is_empty(), "row {row} has no test");
        for test in tests {
            if test.contains('/') {
                assert!(repository().join(test).is_file(), "no {test}");
                continue;
            }
            if let Some((file, function)) = test.split_once("::") {
                let text = sources.get(file).unwrap_or_else(|| panic!("no {test}"));
                assert!(text.contains(&format!("fn {function}(")), "no {test}");
                continue;
            }
            assert!(written.contains(test), "row {row}: there is no {test}");
            assert!(test.starts_with(&format!("row_{row:02}_")), "{row}: {test}");
            named.insert(test);
        }
    }
    assert_eq!(rows, (1..=77).collect());
    assert_eq!(named, written, "named in the table, and written");
}
