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

/// The check detects a digest in a document that no build of that document has.
#[test]
fn a_stale_digest_is_found() {
    if std::env::var_os("BLESS").is_some() {
        return;
    }
    let session = |digest: &str| {
        let folder = tempfile::tempdir().unwrap();
        let document = folder.path().join("document.md");
        let text = format!(
            "```console\n$ edgec keygen -o key.pem > /dev/null\n\
             $ edgec build -q examples/hello.wat -O0 -t x86_64 --key key.pem -o a.cwasm\n\
             $ edgec inspect a.cwasm | grep '^input'\n\
             input          686 bytes, sha256 {digest}\n```\n"
        );
        std::fs::write(&document, text).unwrap();
        std::panic::catch_unwind(|| transcript::check(&document))
    };
    let input = std::fs::read(repository().join("examples/hello.wat")).unwrap();
    let right = edgec_artifact::Sha256Digest::of(&input).to_string();
    session(&right).unwrap();
    let stale = edgec_artifact::Sha256Digest::of(b"an older program").to_string();
    assert!(session(&stale).is_err());
}

/// The check detects a document with two key ids for one key.
#[test]
fn two_ids_of_one_key_are_found() {
    if std::env::var_os("BLESS").is_some() {
        return;
    }
    let session = |first: char, second: char| {
        let folder = tempfile::tempdir().unwrap();
        let document = folder.path().join("document.md");
        let id = |digit: char| digit.to_string().repeat(64);
        let (first, second) = (id(first), id(second));
        let text = format!(
            "```console\n$ edgec keygen -o key.pem | grep id\nkey id       {first}\n\
             $ edgec keys show key.pub.pem --format json | grep -o '\"keyId\": .*\",'\n\
             \"keyId\": \"{second}\",\n```\n"
        );
        std::fs::write(&document, text).unwrap();
        std::panic::catch_unwind(|| transcript::check(&document))
    };
    session('1', '1').unwrap();
    assert!(session('1', '2').is_err());
}

fn markdown(folder: &str) -> Vec<PathBuf> {
    std::fs::read_dir(repository().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect()
}
