//! The tree of the repository with the length of each file, and the limits of these lengths.
//!
//! `cargo xtask test tidy --nocapture` prints the tree.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use edgec_tests::repository;

use super::sources;

/// The most lines of a file.
const MOST: usize = 500;
/// The most lines of a file that states no reason for its length.
const MOST_WITHOUT_REASON: usize = 400;
/// The beginning of the reason, in the text at the head of a file.
const REASON: &str = "//! More than 400 lines: ";

#[test]
fn files_are_of_a_size_to_read() {
    let mut tree: BTreeMap<PathBuf, Vec<(String, usize)>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for file in sources() {
        let text = std::fs::read_to_string(&file).unwrap();
        let lines = text.lines().count();
        let file = file.strip_prefix(repository()).unwrap();
        if let Some(problem) = problem(&text, lines) {
            wrong.push(format!("{}: {lines} lines, {problem}", file.display()));
        }
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let folder = file.parent().unwrap_or(Path::new(""));
        let files = tree.entry(folder.to_owned()).or_default();
        files.push((name, lines));
    }
    for (folder, mut files) in tree {
        files.sort_unstable();
        let lines: usize = files.iter().map(|(_, lines)| lines).sum();
        println!("{}/: {lines} lines", folder.display());
        for (name, lines) in files {
            println!("    {lines:>4} {name}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The problem with the length of a file, if there is one.
fn problem(text: &str, lines: usize) -> Option<&'static str> {
    let mut head = text.lines().take_while(|line| line.starts_with("//!"));
    if lines > MOST {
        Some("which is too long")
    } else if lines > MOST_WITHOUT_REASON && !head.any(|line| line.starts_with(REASON)) {
        Some("and its head does not say why")
    } else {
        None
    }
}

#[test]
fn a_long_file_needs_a_reason() {
    let reason = format!("//! A.\n//!\n{REASON}one table.\n");
    let elsewhere = format!("//! A.\n\n{REASON}one table.\n");
    assert_eq!(problem("//! A.\n", 400), None);
    assert!(problem("//! A.\n", 401).is_some());
    assert!(problem(&elsewhere, 401).is_some());
    assert_eq!(problem(&reason, 500), None);
    assert!(problem(&reason, 501).is_some());
}
