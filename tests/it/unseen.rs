//! Invisible characters: the rule follows from their properties, documents and readers have the
//! same rule, and no output contains them. Different texts are shown differently.

use std::collections::BTreeSet;

use edgec_artifact::{BLANK, Stage, is_unseen};
use edgec_tests::corpus::{Forge, material, write_policy};
use edgec_tests::{Sandbox, repository};
use regex::Regex;

/// Every character that is invisible by its Unicode properties.
fn by_properties() -> BTreeSet<char> {
    let properties = r"\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Zs}\p{Co}";
    let more = r"\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}";
    let unseen = Regex::new(&format!("[{properties}{more}]")).unwrap();
    let found = ('\0'..=char::MAX).filter(|c| unseen.is_match(c.encode_utf8(&mut [0; 4])));
    let mut found: BTreeSet<char> = found.collect();
    found.remove(&' ');
    found.extend(BLANK);
    found
}

/// First and last of each range.
fn ranges(characters: &BTreeSet<char>) -> Vec<(char, char)> {
    let mut ranges: Vec<(char, char)> = Vec::new();
    for c in characters {
        match ranges.last_mut() {
            Some((_, last)) if u32::from(*last) + 1 == u32::from(*c) => *last = *c,
            _ => ranges.push((*c, *c)),
        }
    }
    ranges
}

#[test]
fn the_rule_is_that_of_the_properties() {
    let properties = by_properties();
    let rule: BTreeSet<char> = ('\0'..=char::MAX).filter(|c| is_unseen(*c)).collect();
    let table: String = ranges(&properties)
        .iter()
        .map(|(first, last)| {
            format!(
                "    ('{}', '{}'),\n",
                first.escape_unicode(),
                last.escape_unicode()
            )
        })
        .collect();
    let differing: Vec<&char> = rule.symmetric_difference(&properties).take(20).collect();
    assert!(
        differing.is_empty(),
        "{differing:?}, of this version of Unicode:\n{table}"
    );
}

#[test]
fn the_document_lists_them() {
    let document = std::fs::read_to_string(repository().join("docs/format.md")).unwrap();
    let (_, list) = document
        .split_once("does not change within version 1: ")
        .unwrap();
    let (list, _) = list
        .split_once("last two code points of each plane")
        .unwrap();
    let range = Regex::new(r"U\+([0-9A-F]{4,6})(?:\s+to\s+U\+([0-9A-F]{4,6}))?").unwrap();
    let number = |text: &str| u32::from_str_radix(text, 16).unwrap();
    let mut listed = BTreeSet::new();
    for found in range.captures_iter(list) {
        let first = number(&found[1]);
        let last = found.get(2).map_or(first, |last| number(last.as_str()));
        listed.extend((first..=last).filter_map(char::from_u32));
    }
    let of_planes = (0..=16).flat_map(|plane| [(plane << 16) + 0xfffe, (plane << 16) + 0xffff]);
    listed.extend(of_planes.filter_map(char::from_u32));
    assert_eq!(ranges(&listed), ranges(&by_properties()));
}

/// In names of files, in names of functions and imports in a program, and in words of a command
/// line.
#[test]
fn no_output_shows_them() {
    let sandbox = Sandbox::new();
    // One of each kind: format, filler, blank, variation selector, tag, space, private use, and one
    // that is not assigned.
    for c in [
        '\u{200b}',
        '\u{202e}',
        '\u{ad}',
        '\u{3164}',
        '\u{115f}',
        '\u{2800}',
        '\u{fe0f}',
        '\u{e0061}',
        '\u{a0}',
        '\u{e000}',
        '\u{378}',
    ] {
        let file = format!("a{c}b.wat");
        // WebAssembly text does not accept all of them unescaped.
        let number = c.escape_unicode();
        let module = format!(
            r#"(module (import "e{number}nv" "f" (func $f)) (func (export "_start") call $f))"#
        );
        sandbox.write(&file, module);
        let missing = format!("not{c}there.wat");
        let option = format!("--not{c}there");
        let (file, missing, option) = (file.as_str(), missing.as_str(), option.as_str());
        let build = [
            "build",
            file,
            "-t",
            std::env::consts::ARCH,
            "--key",
            "key.pem",
            "--name",
            "app",
            "-o",
            "a.cwasm",
        ];
        for arguments in [
            &build[..],
            &["validate", file],
            &["validate", missing],
            &["validate", option],
            &["validate", option, "--format", "json"],
            &[option],
            &["inspect", "a.cwasm"],
            &["inspect", "a.cwasm", "--format", "json"],
            &["run", "--key", "key.pub.pem", "a.cwasm"],
        ] {
            let output = sandbox.run(arguments);
            let shown = [output.stdout, output.stderr]
                .map(|it| String::from_utf8(it).unwrap())
                .concat();
            assert!(!shown.is_empty(), "{arguments:?}");
            assert!(!shown.contains(c), "{arguments:?}: {shown:?}");
            let numbers = [
                c.escape_unicode().to_string(),
                c.encode_utf16(&mut [0; 2])
                    .iter()
                    .map(|unit| format!("\\u{unit:04x}"))
                    .collect(),
            ];
            assert!(
                numbers.iter().any(|number| shown.contains(number)),
                "{arguments:?}: {shown}"
            );
        }
        std::fs::remove_file(sandbox.path().join(file)).unwrap();
    }
}

/// Two versions and two imports: one with the character, and one with the text that is printed for
/// it.
#[test]
fn different_texts_are_shown_differently() {
    let sandbox = Sandbox::new();
    let forge = Forge::of(material());
    for (name, text) in [("a.cwasm", "a\u{202e}b"), ("b.cwasm", r"a\u{202e}b")] {
        let file = forge.with_manifest(|manifest| {
            manifest.display_version = Some(text.to_owned());
            manifest.capabilities.imports = vec![text.to_owned(), "y…".to_owned()];
        });
        sandbox.write(name, file);
    }
    let (character, letters) = (r"a\u{202e}b", r"a\\u{202e}b");
    for (name, shown) in [("a.cwasm", character), ("b.cwasm", letters)] {
        let text = sandbox.ok(&["inspect", name]);
        assert!(text.contains(&format!("({shown})")), "{text}");
        assert!(
            text.contains(&format!("imports        {shown}\n")),
            "{text}"
        );
        // Nothing was cut.
        assert!(text.contains(" y…\n"), "{text}");
    }
    let output = sandbox.run(&["diff", "a.cwasm", "b.cwasm"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let row = ["displayVersion", character, letters];
    assert!(
        text.lines().any(|line| line.split_whitespace().eq(row)),
        "{text}"
    );
    // The subject of an error is shown once, and so is its message.
    for (file, shown) in [
        ("no\u{202e}.cwasm", r"no\u{202e}.cwasm"),
        (r"no\u{202e}.cwasm", r"no\\u{202e}.cwasm"),
    ] {
        for verb in ["inspect", "audit", "envelope"] {
            let stderr = sandbox.run(&[verb, file]).stderr;
            let stderr = String::from_utf8(stderr).unwrap();
            assert!(
                stderr.starts_with(&format!("error[io]: {shown}: ")),
                "{stderr}"
            );
        }
    }
}

/// Every list of a manifest in the text of `inspect` ends with a count.
#[test]
fn lists_are_cut_and_counted() {
    let sandbox = Sandbox::new();
    let file = Forge::of(material()).with_manifest(|manifest| {
        manifest.target.cpu_features = (0..1500).map(|number| format!("f{number}")).collect();
        let settings = (0..1600).map(|number| (format!("s{number}"), "a b".to_owned()));
        let stage = Stage::new("stage", "tool", "1", settings.collect());
        manifest.builder.stages.push(stage);
    });
    sandbox.write("a.cwasm", file);
    let text = sandbox.ok(&["inspect", "a.cwasm"]);
    let features = ", f998, f999, and 500 more (--format json)\n";
    assert!(text.contains(features), "{text}");
    assert_eq!(text.matches("=\"a b\"").count(), 1000);
    assert!(
        text.contains("=\"a b\" and 600 more (--format json)\n"),
        "{text}"
    );
}

/// In the output of a store, an application does not look like another one, or like a whole row.
#[test]
fn names_are_not_taken_for_others() {
    let sandbox = Sandbox::new();
    sandbox.write("a.wat", r#"(module (func (export "_start")))"#);
    let build = [
        "build",
        "-q",
        "a.wat",
        "-t",
        std::env::consts::ARCH,
        "--key",
        "key.pem",
    ];
    let named = |name| [&build[..], &["-o", "a.cwasm", "--name", name]].concat();
    for name in [
        "acme/a  b",
        "acme/shop   -        9        current  x86_64",
        "acme/cafe\u{301}",
    ] {
        let stderr = sandbox.fails(2, &named(name));
        assert!(stderr.starts_with("error[name]: "), "{stderr}");
        assert!(stderr.contains("Normalization Form C"), "{stderr}");
    }
    sandbox.ok(&named("acme/my caf\u{e9}"));
    sandbox.ok(&[
        "store",
        "--store",
        "store",
        "add",
        "a.cwasm",
        "--key",
        "key.pub.pem",
    ]);
    let text = sandbox.ok(&["store", "--store", "store", "ls"]);
    let row = "\n\"acme/my caf\u{e9}\"  -        ";
    assert!(text.contains(row), "{text}");
}

/// In a table of hosts, the name of one host cannot look like several names or like this machine.
#[test]
fn names_of_hosts_are_not_taken_for_others() {
    let sandbox = Sandbox::new();
    sandbox.write("a.wat", r#"(module (func (export "_start")))"#);
    sandbox.build("a.wat", std::env::consts::ARCH, "a.cwasm");
    sandbox.ok(&["host", "--name", "this machine", "--save", "here.toml"]);
    let nameless = sandbox.ok(&["host"]);
    sandbox.write("-.toml", nameless);
    let here = sandbox.ok(&["check", "a.cwasm"]);
    assert!(here.contains("  this machine\n"), "{here}");
    let others = ["check", "a.cwasm", "--host", "here.toml", "./-.toml"];
    let others = sandbox.ok(&others);
    assert!(others.contains("  \"this machine\"  \"-\"\n"), "{others}");
    let fleet = "schema = 1\n[[host]]\nfile = \"here.toml\"\n";
    sandbox.write("fleet.toml", fleet);
    let build = [
        "build",
        "a.wat",
        "--fleet",
        "fleet.toml",
        "--key",
        "key.pem",
    ];
    let text = sandbox.ok(&[&build[..], &["-o", "out/"]].concat());
    assert!(text.contains("\n  \"this machine\"  "), "{text}");
}

/// The name of a key or of a policy cannot look like the text after it.
#[test]
fn names_in_policies_are_not_taken_for_others() {
    let sandbox = Sandbox::new();
    let pem = String::from_utf8(sandbox.read("key.pub.pem")).unwrap();
    let key = format!("[[key]]\nname = \"a (b), c\"\npem = \"\"\"\n{pem}\"\"\"\n");
    let scope = "[[scope]]\nthreshold = 1\nkeys = [\"a (b), c\"]\n";
    let head = "name = \"fleet, version 9\"\nversion = 2\nthreshold = 1\n";
    write_policy(&sandbox, &format!("{head}{key}{scope}"));
    let text = sandbox.ok(&["policy", "check", "edgec-trust.toml"]);
    for row in [
        "edgec-trust.toml: \"fleet, version 9\", version 2\n",
        "  \"a (b), c\" (",
        "  scope 1: 1 of `a (b), c`\n",
    ] {
        assert!(text.contains(row), "{row}: {text}");
    }
}
