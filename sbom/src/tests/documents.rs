//! What documents say.

use serde_json::{Value, json};
use wasm_metadata::AddMetadata;

use super::{RECORD, component, module, zlib};
use crate::{Bill, Format, PartKind, Program};

/// A component with everything that a bill knows.
fn shop() -> Vec<u8> {
    let crates = zlib(RECORD.as_bytes());
    let bytes = component(
        &[module(&[(".dep-v0", &crates)]), module(&[])],
        &[
            ("authors", b"Acme"),
            ("description", b"Sells \xe2\x80\xaeshoes"),
            ("licenses", b"Apache-2.0 OR MIT"),
            ("source", b"https://git.example.com/acme/shop"),
            ("homepage", b"https://shop.example.com"),
            ("revision", b"4ac1"),
            ("version", b"1.2.3"),
            ("other", b"\xff"),
        ],
    );
    let mut more = AddMetadata::default();
    more.language = vec![("Rust".to_owned(), "2024".to_owned())];
    more.processed_by = vec![("rustc".to_owned(), "1.95.0".to_owned())];
    more.sdk = vec![("wasi-sdk".to_owned(), String::new())];
    more.to_wasm(&bytes).unwrap()
}

fn document(format: Format) -> Value {
    let bytes = shop();
    let program = Program::read(&bytes).unwrap();
    let bill = Bill::new(&program, "acme/shop")
        .made_at(1_800_000_000)
        .unwrap();
    let text = bill.document(format);
    assert_eq!(text, bill.document(format), "the same each time");
    assert!(text.is_ascii() && text.ends_with("}\n"));
    serde_json::from_str(&text).unwrap()
}

fn entry<'v>(list: &'v Value, field: &str, value: &str) -> &'v Value {
    let entries = list.as_array().unwrap();
    let found = entries.iter().find(|it| it[field] == value);
    found.unwrap_or_else(|| panic!("no {value} in {list:#}"))
}

#[test]
fn a_program_is_read() {
    let bytes = shop();
    let program = Program::read(&bytes).unwrap();
    let paths: Vec<_> = program.parts.iter().map(|part| part.path.clone()).collect();
    assert_eq!(paths, [vec![], vec![0], vec![1]]);
    assert_eq!(program.parts[0].kind, PartKind::Component);
    assert_eq!(program.parts[1].kind, PartKind::Module);
    let metadata = &program.parts[0].metadata;
    assert_eq!(metadata.version.as_deref(), Some("1.2.3"));
    assert_eq!(metadata.description.as_deref(), Some("Sells \u{202e}shoes"));
    assert_eq!(program.parts[0].producers.len(), 3);
    assert_eq!(program.parts[1].crates.as_ref().unwrap().len(), 4);
    assert_eq!(program.parts[2].crates, None);
    // The digest of a module is that of its bytes in the file.
    let module = &bytes[program.parts[1].range.clone()];
    assert!(module.starts_with(b"\0asm\x01"));
    let digest = crate::digest::sha256(module);
    assert_eq!(program.parts[1].sha256, Some(digest));
}

#[test]
fn cyclonedx_has_it_all() {
    let document = document(Format::CycloneDx);
    assert_eq!(document["specVersion"], "1.6");
    assert_eq!(document["metadata"]["timestamp"], "2027-01-15T08:00:00Z");
    let program = &document["metadata"]["component"];
    assert_eq!(program["version"], "1.2.3");
    assert_eq!(
        program["licenses"],
        json!([{"expression": "Apache-2.0 OR MIT"}])
    );
    assert_eq!(program["authors"], json!([{"name": "Acme"}]));
    assert_eq!(program["externalReferences"][0]["type"], "vcs");
    let properties = &program["properties"];
    assert_eq!(
        entry(properties, "name", "edgec:producer:sdk")["value"],
        "wasi-sdk"
    );
    let components = &document["components"];
    let serde = entry(components, "name", "serde");
    assert_eq!(serde["purl"], "pkg:cargo/serde@1.0.228");
    assert_eq!(serde["scope"], Value::Null);
    assert_eq!(
        entry(components, "name", "serde_derive")["scope"],
        "excluded"
    );
    // An address names a public package, so a package from elsewhere has none.
    let own = entry(components, "name", "own");
    assert_eq!(own["purl"], Value::Null);
    assert_eq!(own["bom-ref"], "crate:own@1.0.0%2Bb?source=git");
    let needs = |reference: &str| {
        let dependencies = &document["dependencies"];
        entry(dependencies, "ref", reference)["dependsOn"].clone()
    };
    assert_eq!(needs("program"), json!(["part:0", "part:1"]));
    assert_eq!(needs("part:0"), json!(["crate:shop@0.3.0?source=local"]));
    let shop = json!(["crate:own@1.0.0%2Bb?source=git", "pkg:cargo/serde@1.0.228"]);
    assert_eq!(needs("crate:shop@0.3.0?source=local"), shop);
    let tools = &document["formulation"][0]["components"];
    assert_eq!(entry(tools, "name", "rustc")["version"], "1.95.0");
    let serial = document["serialNumber"].as_str().unwrap();
    assert!(
        serial.starts_with("urn:uuid:") && serial.len() == 45,
        "{serial}"
    );
}

#[test]
fn spdx_has_it_all() {
    let document = document(Format::Spdx);
    assert_eq!(document["spdxVersion"], "SPDX-2.3");
    assert_eq!(document["creationInfo"]["created"], "2027-01-15T08:00:00Z");
    let packages = &document["packages"];
    let program = entry(packages, "SPDXID", "SPDXRef-program");
    assert_eq!(program["licenseDeclared"], "Apache-2.0 OR MIT");
    assert_eq!(program["versionInfo"], "1.2.3");
    let notes = &program["annotations"];
    entry(
        notes,
        "comment",
        "edgec:source: https://git.example.com/acme/shop",
    );
    entry(notes, "comment", "edgec:revision: 4ac1");
    let serde = entry(packages, "name", "serde");
    let locator = &serde["externalRefs"][0]["referenceLocator"];
    assert_eq!(*locator, "pkg:cargo/serde@1.0.228");
    let derive = entry(packages, "name", "serde_derive");
    let relationships = &document["relationships"];
    let build = entry(
        relationships,
        "spdxElementId",
        derive["SPDXID"].as_str().unwrap(),
    );
    assert_eq!(build["relationshipType"], "BUILD_DEPENDENCY_OF");
    assert_eq!(build["relatedSpdxElement"], serde["SPDXID"]);
    assert_eq!(relationships[0]["relationshipType"], "DESCRIBES");
}

#[test]
fn imports_and_exports_are_listed() {
    let text = r#"(component
        (import "wasi:cli/exit@0.2.0" (instance))
        (import "b" (func $b))
        (export "run" (func $b)))"#;
    let program = Program::read(&wat::parse_str(text).unwrap()).unwrap();
    assert_eq!(program.imports, ["wasi:cli/exit@0.2.0", "b"]);
    assert_eq!(program.exports, ["run"]);
    let text = r#"(module (import "a" "b" (func)) (func (export "c")))"#;
    let program = Program::read(&wat::parse_str(text).unwrap()).unwrap();
    assert_eq!(program.imports, ["a b"]);
    assert_eq!(program.exports, ["c"]);
    let bill = Bill::new(&program, "m").document(Format::CycloneDx);
    assert!(bill.contains("\"edgec:import\""), "{bill}");
}

#[test]
fn another_program_has_another_number() {
    let numbers = ["(component)", "(component (core module))"].map(|text| {
        let bytes = wat::parse_str(text).unwrap();
        let program = Program::read(&bytes).unwrap();
        [Format::CycloneDx, Format::Spdx].map(|format| {
            let bill = Bill::new(&program, "a").with_version("7");
            let text = bill.document(format);
            let document: Value = serde_json::from_str(&text).unwrap();
            let number = ["serialNumber", "documentNamespace"].map(|it| document[it].clone());
            number.map(|it| it.to_string()).concat()
        })
    });
    assert_ne!(numbers[0][0], numbers[1][0]);
    assert_ne!(numbers[0][1], numbers[1][1]);
}

#[test]
fn a_licence_that_is_no_expression_is_a_text() {
    let bytes = component(&[], &[("licenses", b"ask us")]);
    let program = Program::read(&bytes).unwrap();
    let bill = Bill::new(&program, "a");
    let document: Value = serde_json::from_str(&bill.document(Format::CycloneDx)).unwrap();
    let licenses = &document["metadata"]["component"]["licenses"];
    assert_eq!(*licenses, json!([{"license": {"name": "ask us"}}]));
    let document: Value = serde_json::from_str(&bill.document(Format::Spdx)).unwrap();
    assert_eq!(document["packages"][0]["licenseDeclared"], "NOASSERTION");
    assert_eq!(document["packages"][0]["licenseComments"], "ask us");
    assert_eq!(document["creationInfo"]["created"], "1970-01-01T00:00:00Z");
    assert!(bill.made_at(253_402_300_800).is_none());
}

#[test]
fn a_crate_of_two_modules_is_listed_once() {
    let runs = zlib(br#"{"packages":[{"name":"a","version":"1.0.0","source":"crates.io"}]}"#);
    let builds = zlib(
        br#"{"packages":[{"name":"a","version":"1.0.0","source":"crates.io","kind":"build"}]}"#,
    );
    let modules = [&builds, &runs].map(|crates| module(&[(".dep-v0", crates)]));
    let program = component(&modules, &[]);
    let program = Program::read(&program).unwrap();
    let text = Bill::new(&program, "a").document(Format::CycloneDx);
    let document: Value = serde_json::from_str(&text).unwrap();
    let components = document["components"].as_array().unwrap();
    assert_eq!(components.len(), 3);
    assert_eq!(components[2]["scope"], Value::Null, "one module runs it");
}
