//! Programs that lie. Every error has its case, and none takes much.

use wasm_encoder::{Component, Module, NestedComponentSection};

use super::{component, module, zlib};
use crate::limits::{MAX_CRATES_LEN, MAX_DEPTH, MAX_PARTS, MAX_SECTION_LEN, MAX_TEXT_LEN};
use crate::{Bill, Format, Program, SbomError};

fn refused(bytes: &[u8]) -> SbomError {
    Program::read(bytes).unwrap_err()
}

#[test]
fn other_files_are_told() {
    for bytes in [&b""[..], b"(module)", b"\x7fELF", b"\0as"] {
        assert_eq!(refused(bytes), SbomError::NotWasm);
    }
    assert_eq!(refused(b"").code(), "sbom-input");
}

#[test]
fn malformed_sections_have_their_offset() {
    let mut cut = component(&[module(&[("a", b"b")])], &[]);
    cut.truncate(20);
    let error = refused(&cut);
    assert!(
        matches!(
            error,
            SbomError::Malformed {
                offset: 16..=20,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(error.code(), "sbom-malformed");

    for (name, data, at) in [
        ("producers", &b"\x01\x03abc"[..], 0),
        ("producers", b"\x05", 1),
        ("licenses", b"MIT\xff", 3),
        (".dep-v0", b"", 0),
        (".dep-v0", b"not zlib", 0),
        (".dep-v0", &zlib(b"{}"), 0),
        (".dep-v0", &zlib(b"\xff"), 0),
        (
            ".dep-v0",
            &zlib(br#"{"packages":[{"name":"","version":"1","source":"x"}]}"#),
            0,
        ),
        (
            ".dep-v0",
            &zlib(br#"{"packages":[{"name":"a","version":"1","source":"x","dependencies":[1]}]}"#),
            0,
        ),
    ] {
        let bytes = component(&[], &[(name, data)]);
        let begin = bytes.len() - data.len();
        match refused(&bytes) {
            SbomError::Section {
                section, offset, ..
            } => {
                assert_eq!(section, name);
                assert!(
                    offset >= begin + at && offset <= begin + at + 2,
                    "{name}: {offset}"
                );
            }
            error => panic!("{name}: {error:?}"),
        }
    }
    let error = refused(&component(&[], &[("version", b"\xff")]));
    assert_eq!(error.code(), "sbom-section");
    assert_eq!(
        error.to_string(),
        "malformed section `version` at offset 0x12: not UTF-8"
    );
}

#[test]
fn long_sections_are_refused() {
    let text = vec![b'a'; MAX_TEXT_LEN + 1];
    let section = vec![0; MAX_SECTION_LEN + 1];
    for (name, data) in [
        ("description", &text),
        ("producers", &section),
        (".dep-v0", &section),
    ] {
        let error = refused(&component(&[], &[(name, data)]));
        assert!(matches!(error, SbomError::Length { section, .. } if section == name));
        assert_eq!(error.code(), "sbom-limit");
    }
    // What has no meaning may be as long as it likes.
    let bytes = component(&[], &[("other", &section), ("name", &section)]);
    assert!(Program::read(&bytes).is_ok());
}

/// 1.1 MB that decompress to 16 MiB and more, a little at a time in many modules.
#[test]
fn what_decompresses_to_much_is_refused() {
    // A stored block and then references to it: miniz is not needed to write them.
    let space = " ".repeat(1 << 18);
    let list = format!("{{\"packages\":[]{space}}}");
    let crates = zlib(list.as_bytes());
    let enough = MAX_CRATES_LEN / list.len();
    let modules: Vec<Module> = (0..=enough)
        .map(|_| module(&[(".dep-v0", &crates)]))
        .collect();
    let error = refused(&component(&modules, &[]));
    assert!(
        matches!(
            error,
            SbomError::Length {
                section: ".dep-v0",
                ..
            }
        ),
        "{error}"
    );
    let error = Program::read(&component(&modules[1..], &[]));
    assert!(error.is_ok(), "{error:?}");
}

#[test]
fn many_parts_and_deep_ones_are_refused() {
    let modules: Vec<Module> = (0..MAX_PARTS).map(|_| Module::new()).collect();
    let error = refused(&component(&modules, &[]));
    assert!(
        matches!(
            error,
            SbomError::TooMany {
                what: "modules and components",
                ..
            }
        ),
        "{error}"
    );
    let program = Program::read(&component(&modules[1..], &[])).unwrap();
    assert_eq!(program.parts.len(), MAX_PARTS);

    let mut nested = Component::new();
    for _ in 1..MAX_DEPTH {
        let mut around = Component::new();
        around.section(&NestedComponentSection(&nested));
        nested = around;
    }
    assert!(Program::read(nested.as_slice()).is_ok());
    let mut around = Component::new();
    around.section(&NestedComponentSection(&nested));
    let error = refused(&around.finish());
    assert!(
        matches!(
            error,
            SbomError::TooMany {
                what: "components in one another",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn many_names_are_refused() {
    let mut section = wasm_encoder::ImportSection::new();
    for _ in 0..=crate::limits::MAX_NAMES {
        section.import("", "", wasm_encoder::EntityType::Function(0));
    }
    let mut module = Module::new();
    module.section(&section);
    let error = refused(&module.finish());
    assert!(
        matches!(
            error,
            SbomError::TooMany {
                what: "imports",
                ..
            }
        ),
        "{error}"
    );

    let mut section = wasm_encoder::ProducersSection::new();
    let mut field = wasm_encoder::ProducersField::new();
    for number in 0..=crate::limits::MAX_PRODUCERS {
        field.value(&number.to_string(), "1");
    }
    section.field("sdk", &field);
    let mut module = Module::new();
    module.section(&section);
    let error = refused(&module.finish());
    assert!(
        matches!(
            error,
            SbomError::TooMany {
                what: "producers",
                ..
            }
        ),
        "{error}"
    );
}

/// Names that would mean something else in an address, in an identifier or on a terminal.
#[test]
fn hostile_names_stay_names() {
    let crates = zlib(
        br#"{"packages":[
            {"name":"a/b?c#d@1","version":"1\u001b[31m","source":"crates.io"},
            {"name":"a","version":"1","source":"x y"},
            {"name":"a","version":"1","source":"crates.io","dependencies":[2]}
        ]}"#,
    );
    let escapes: &[u8] = b"https://x\x1b]8;;\x07";
    let bytes = component(&[module(&[(".dep-v0", &crates)])], &[("homepage", escapes)]);
    let program = Program::read(&bytes).unwrap();
    let bill = Bill::new(&program, "a");
    for format in [Format::CycloneDx, Format::Spdx] {
        let document = bill.document(format);
        assert!(
            document
                .chars()
                .all(|c| c == '\n' || (' '..='~').contains(&c))
        );
        assert!(
            document.contains("pkg:cargo/a%2Fb%3Fc%23d%401@1%1B%5B31m"),
            "{document}"
        );
        assert!(!document.contains("\"https://x"), "no address: {document}");
    }
    // A crate that needs itself does not become a circle.
    let document: serde_json::Value =
        serde_json::from_str(&bill.document(Format::CycloneDx)).unwrap();
    let list = document["dependencies"].as_array().unwrap();
    let own = list.iter().find(|it| it["ref"] == "pkg:cargo/a@1").unwrap();
    assert_eq!(own.get("dependsOn"), None);
}

/// Every prefix and every changed byte of a program gives a result or an error.
#[test]
fn no_damage_makes_it_panic() {
    let crates = zlib(super::RECORD.as_bytes());
    let bytes = component(
        &[module(&[(".dep-v0", &crates)])],
        &[
            ("version", b"1"),
            ("producers", b"\x01\x03sdk\x01\x01a\x011"),
        ],
    );
    for end in 0..bytes.len() {
        let _ = Program::read(&bytes[..end]);
    }
    for at in 0..bytes.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[at] = value;
            if let Ok(program) = Program::read(&changed) {
                Bill::new(&program, "a").document(Format::Spdx);
            }
        }
    }
}
