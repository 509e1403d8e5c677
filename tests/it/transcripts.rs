//! Every transcript in the documents equals the program's output.

use std::collections::BTreeSet;

use edgec_tests::{repository, transcript};

/// A test for each document with a session. `cargo xtask bless FILE` makes the test's name from the
/// document's path, as [`name`] does.
macro_rules! transcripts {
    ($($name:ident: $document:literal,)*) => {
        $(
            #[test]
            fn $name() {
                transcript::check(&repository().join($document));
            }
        )*

        const TESTS: &[(&str, &str)] = &[$((stringify!($name), $document)),*];
    };
}

transcripts! {
    readme: "README.md",
    docs_audit: "docs/audit.md",
    docs_cold_start: "docs/cold-start.md",
    docs_debugging: "docs/debugging.md",
    docs_hosting: "docs/hosting.md",
    docs_init: "docs/init.md",
    docs_keys: "docs/keys.md",
    docs_preview1: "docs/preview1.md",
    docs_rebuild: "docs/rebuild.md",
    docs_releases_and_timestamps: "docs/releases-and-timestamps.md",
    docs_report: "docs/report.md",
    docs_targets: "docs/targets.md",
    docs_trust: "docs/trust.md",
    tests_cli_advisories: "tests/cli/advisories.md",
    tests_cli_audit: "tests/cli/audit.md",
    tests_cli_build: "tests/cli/build.md",
    tests_cli_check: "tests/cli/check.md",
    tests_cli_cold_start: "tests/cli/cold-start.md",
    tests_cli_completions: "tests/cli/completions.md",
    tests_cli_diagnostics: "tests/cli/diagnostics.md",
    tests_cli_fleet: "tests/cli/fleet.md",
    tests_cli_inspect: "tests/cli/inspect.md",
    tests_cli_keys_and_trust: "tests/cli/keys-and-trust.md",
    tests_cli_keys: "tests/cli/keys.md",
    tests_cli_policy: "tests/cli/policy.md",
    tests_cli_project: "tests/cli/project.md",
    tests_cli_push_pull: "tests/cli/push-pull.md",
    tests_cli_sbom: "tests/cli/sbom.md",
    tests_cli_store: "tests/cli/store.md",
    tests_cli_sync: "tests/cli/sync.md",
    tests_cli_targets: "tests/cli/targets.md",
    tests_cli_validate: "tests/cli/validate.md",
}

/// Each document with a session has its test, under the expected name.
#[test]
fn every_document_has_its_test() {
    let mut shown = BTreeSet::new();
    for folder in [".", "docs", "tests/cli"] {
        for entry in std::fs::read_dir(repository().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let markdown = path.extension().is_some_and(|extension| extension == "md");
            let sessions = |text: String| text.contains("\n```console\n");
            if markdown && std::fs::read_to_string(&path).is_ok_and(sessions) {
                let file = path.file_name().unwrap().to_str().unwrap();
                let folder = folder.trim_start_matches('.');
                shown.insert(
                    format!("{folder}/{file}")
                        .trim_start_matches('/')
                        .to_owned(),
                );
            }
        }
    }
    let tested = TESTS.iter().map(|(_, document)| (*document).to_owned());
    assert_eq!(tested.collect::<BTreeSet<_>>(), shown);
    for (test, document) in TESTS {
        assert_eq!(*test, name(document), "{document}");
    }
}

/// The name of a document's test: its path without the ending, with `_` for characters that no name
/// has.
fn name(document: &str) -> String {
    let stem = document.trim_end_matches(".md").to_ascii_lowercase();
    stem.replace(['/', '-'], "_")
}

/// The check finds a digest in a document that no build in that document has.
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

/// The check finds a document with two key ids for one key.
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
