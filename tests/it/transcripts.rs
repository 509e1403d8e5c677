//! Every transcript in the documents is what the program prints.

use std::path::PathBuf;

use edgec_tests::{repository, transcript};

#[test]
fn readme() {
    transcript::check(&repository().join("README.md"));
}

/// The documents that show sessions.
#[test]
fn documents() {
    let mut checked = 0;
    for path in markdown("docs") {
        if std::fs::read_to_string(&path)
            .unwrap()
            .contains("\n```console\n")
        {
            transcript::check(&path);
            checked += 1;
        }
    }
    assert!(checked > 0);
}

/// One file a verb, and one for errors.
#[test]
fn command_line() {
    let documents = markdown("tests/cli");
    assert!(!documents.is_empty());
    for path in documents {
        transcript::check(&path);
    }
}

fn markdown(folder: &str) -> Vec<PathBuf> {
    std::fs::read_dir(repository().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect()
}
