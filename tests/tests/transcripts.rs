//! Every transcript in the documents is what the program prints.

use edgec_tests::{repository, transcript};

#[test]
fn readme() {
    transcript::check(&repository().join("README.md"));
}

/// One file a verb, and one for errors.
#[test]
fn command_line() {
    let mut checked = 0;
    for entry in std::fs::read_dir(repository().join("tests/cli")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            transcript::check(&path);
            checked += 1;
        }
    }
    assert!(checked > 0);
}
