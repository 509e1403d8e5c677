//! `edgec explain` has a text for every error code, and docs/errors.md has the same texts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use edgec_tests::{Sandbox, repository, results};
use regex::Regex;
use serde_json::Value;

/// The maximum width of a document, in characters.
const WIDTH: usize = 100;

fn explanations() -> Vec<Value> {
    results(Sandbox::empty().ok(&["explain", "--format", "json"]))
}

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap()
}

/// docs/errors.md is its own introduction and the texts of `edgec explain`. `BLESS=1` writes it.
#[test]
fn the_document_has_the_same_texts() {
    let path = repository().join("docs/errors.md");
    let document = std::fs::read_to_string(&path).unwrap();
    let (introduction, _) = document.split_once("\n## ").unwrap();
    let mut expected = introduction.to_owned();
    let mut subject = String::new();
    for row in explanations() {
        if text(&row, "subject") != subject {
            subject = text(&row, "subject").to_owned();
            expected.push_str(&format!(
                "\n## {subject}\n\n{}\n",
                wrapped(text(&row, "about"))
            ));
        }
        expected.push_str(&format!(
            "\n### `{}`\n\n{}\n\n{}\n",
            text(&row, "code"),
            wrapped(text(&row, "what")),
            wrapped(text(&row, "remedy"))
        ));
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    } else {
        assert!(
            document == expected,
            "BLESS=1 writes docs/errors.md:\n{expected}"
        );
    }
}

fn wrapped(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

/// Every code in the sources has a text, and every text is of a code in the sources.
#[test]
fn every_code_is_explained() {
    let explained: BTreeSet<String> = explanations()
        .iter()
        .map(|row| text(row, "code").to_owned())
        .collect();
    let mut used = BTreeSet::new();
    for crate_ in [
        "artifact",
        "builder",
        "cli",
        "compiler",
        "differences",
        "files",
        "host",
        "loader",
        "packager",
        "registry",
        "sbom",
        "shared-cache",
        "store",
        "sync",
        "verifier",
    ] {
        let mut files = Vec::new();
        sources(&repository().join(crate_).join("src"), &mut files);
        for file in files {
            used.extend(codes(&file));
        }
    }
    assert!(used.len() > 100, "{used:?}");
    let without: Vec<_> = used.difference(&explained).collect();
    assert!(
        without.is_empty(),
        "no text for {without:?}: cli/src/explain/"
    );
    let unused: Vec<_> = explained.difference(&used).collect();
    assert!(unused.is_empty(), "no error has the codes {unused:?}");
}

/// The scan sees each of the forms in which a code is written.
#[test]
fn the_scan_sees_codes() {
    for (text, expected) in [
        ("Failure::usage(\"a-b\", message)", &["a-b"][..]),
        (
            "Failure::new(\n    Exit::Rejected,\n    \"a\",\n    message)",
            &["a"],
        ),
        ("rejected(\"a\", &error)", &["a"]),
        ("refused(\"a\", message, hint)", &["a"]),
        ("eprintln!(\"warning[a-b]: {x}\")", &["a-b"]),
        ("const CODE: &str = \"a\";", &["a"]),
        (
            "let code = match it {\n A => \"a\",\n B => \"b\",\n };\n",
            &["a", "b"],
        ),
        (
            "    pub fn code(&self) -> &'static str {\n        match self {\n            \
             A => \"a\",\n            B => \"b\",\n        }\n    }\n",
            &["a", "b"],
        ),
        (
            "let (code, hint) = match it {\n A => (\n \"a\",\n \"b\"),\n };\n",
            &["a"],
        ),
        ("let name = \"a\";", &[]),
    ] {
        let found: Vec<String> = codes_in(text).into_iter().collect();
        assert_eq!(found, expected, "{text}");
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn codes(file: &Path) -> BTreeSet<String> {
    // The texts themselves, and reasons why core modules stay apart and imports stay, which are no
    // errors.
    let other = [
        "cli/src/explain",
        "flatten/reason.rs",
        "wasm/prune_imports.rs",
    ];
    let name = file.display().to_string();
    if other.iter().any(|part| name.contains(part)) {
        return BTreeSet::new();
    }
    let source = std::fs::read_to_string(file).unwrap();
    let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
    codes_in(code)
}

fn codes_in(source: &str) -> BTreeSet<String> {
    let regex = |pattern: &str| Regex::new(pattern).unwrap();
    let word = "\"([a-z0-9]+(?:-[a-z0-9]+)*)\"";
    let mut found = BTreeSet::new();
    // A constructor of a failure, or a closure that calls one. The exit code may come first.
    let constructors =
        "(?:Failure::(?:new|usage|rejected|environment)|rejected_as|rejected|refused)";
    let call = regex(&format!(
        r"{constructors}\(\s*(?:Exit::\w+,\s*|exit,\s*)?{word}"
    ));
    found.extend(call.captures_iter(source).map(|it| it[1].to_owned()));
    let printed = regex(r"(?:error|warning)\[([a-z][a-z0-9-]*)\]: ");
    found.extend(printed.captures_iter(source).map(|it| it[1].to_owned()));
    // Functions and values that are codes: all words in them.
    let word = regex(word);
    for part in [
        r"(?s)fn code\([^)]*\) -> &'static str \{\n.*?\n    \}\n",
        r"(?s)\nfn code\([^)]*\) -> &'static str \{\n.*?\n\}\n",
        r"(?s)let code = match .*?;\n",
        r"const CODE: &str = [^;]*;",
    ] {
        for part in regex(part).find_iter(source) {
            let words = word.captures_iter(part.as_str());
            found.extend(words.map(|it| it[1].to_owned()));
        }
    }
    // Pairs of a code and something else.
    let first = regex(&format!(r"\(\s*{}\s*,", word.as_str()));
    let pairs = regex(r"(?s)let \(code, \w+\) = match .*?;\n");
    for pairs in pairs.find_iter(source) {
        let words = first.captures_iter(pairs.as_str());
        found.extend(words.map(|it| it[1].to_owned()));
    }
    // Names of conditions in `cfg`.
    for name in ["async", "linux"] {
        found.remove(name);
    }
    found
}

#[test]
fn a_code_is_explained_as_it_is_printed() {
    let sandbox = Sandbox::empty();
    let plain = sandbox.ok(&["explain", "image-digest"]);
    assert!(
        plain.starts_with("image-digest: The image is not "),
        "{plain}"
    );
    assert_eq!(sandbox.ok(&["explain", "error[image-digest]:"]), plain);
    let list = sandbox.ok(&["explain"]);
    assert!(list.contains("\n  image-digest "), "{list}");
    let stderr = sandbox.fails(2, &["explain", "nonsense"]);
    let says = "error[unknown-code]: nonsense: this edgec has no such code\n";
    assert!(stderr.starts_with(says), "{stderr}");
    // An error names the command, once for each code.
    let output = sandbox.run(&["validate", "a.wasm", "b.wasm"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        stderr.matches("  more: edgec explain io\n").count(),
        1,
        "{stderr}"
    );
}
