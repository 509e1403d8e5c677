//! Outputs at a path where there is no file: a pipe, a folder, or a file that is named as a folder.

#[cfg(unix)]
use edgec_tests::fifo;

use crate::outputs::{FILE, WRITERS, onto, sandbox};

/// Verbs check this before they work, so nothing is written beside it either.
#[cfg(unix)]
#[test]
fn an_output_replaces_no_pipe() {
    let sandbox = sandbox();
    fifo(&sandbox.path().join("pipe.out"));
    let before = sandbox.files();
    for (writes, verb) in WRITERS {
        let stderr = sandbox.fails(2, &onto(verb, "pipe.out"));
        let says = "error[output]: pipe.out: a pipe or a device is there, and ";
        let says = format!("{says}{writes} does not replace it\n  hint: name another file");
        assert!(stderr.starts_with(&says), "{verb:?}: {stderr}");
        assert_eq!(sandbox.files(), before, "{verb:?}");
    }
    let stderr = sandbox.fails(2, &["keygen", "-o", "pipe.out"]);
    let says = "error[output]: pipe.out: a pipe or a device is there, and a key does not";
    assert!(stderr.starts_with(says), "{stderr}");
}

/// A folder in the place of a file, a file in the place of a folder, and the name of a folder.
#[test]
fn an_output_is_no_folder() {
    let sandbox = sandbox();
    std::fs::create_dir(sandbox.path().join("folder")).unwrap();
    let before = sandbox.files();
    let (_, build) = WRITERS[0];
    let refuses = |verb: &[&str], output: &str, says: &str| {
        let stderr = sandbox.fails(2, &onto(verb, output));
        let says = format!("error[output]: {says}");
        assert!(stderr.starts_with(&says), "{verb:?}: {stderr}");
        assert!(stderr.contains("\n  hint: name a"), "{verb:?}: {stderr}");
        assert_eq!(sandbox.files(), before, "{verb:?}");
    };
    let keygen: &[&str] = &["keygen", "-o", FILE];
    let verbs = WRITERS.iter().map(|(writes, verb)| (*writes, *verb));
    for (writes, verb) in verbs.chain([("a key", keygen)]) {
        let below = "notes.txt: this is not a folder, so nothing can be written in it\n";
        refuses(verb, "notes.txt/out", below);
        // `build` makes folders, and chooses the names of the files in them.
        if verb == build {
            refuses(verb, "notes.txt/", below);
            continue;
        }
        let says = format!("folder: a folder is there, and {writes} does not replace it\n");
        refuses(verb, "folder", &says);
        for name in ["notes.txt/", "new/"] {
            let says = format!("{name}: this is the name of a folder, and {writes} is one file\n");
            refuses(verb, name, &says);
        }
    }
}
