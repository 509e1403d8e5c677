//! Bills of materials of programs that lie.

use std::collections::BTreeSet;

use edgec_sbom::{Bill, Format, Program};
use serde_json::Value;

/// Law: whatever a program says about itself, its documents are JSON in printable ASCII, the same
/// each time, and name nothing that they do not list.
pub fn sbom(data: &[u8]) {
    let Ok(program) = Program::read(data) else {
        return;
    };
    let bill = Bill::new(&program, "fuzz");
    let [cyclonedx, spdx] = [Format::CycloneDx, Format::Spdx].map(|format| {
        let text = bill.document(format);
        assert_eq!(text, bill.document(format));
        assert!(text.chars().all(|c| c == '\n' || (' '..='~').contains(&c)));
        serde_json::from_str::<Value>(&text).expect("JSON")
    });
    let components = list(&cyclonedx["components"]).chain([&cyclonedx["metadata"]["component"]]);
    let listed = unique(components.map(|it| &it["bom-ref"]));
    for dependency in list(&cyclonedx["dependencies"]) {
        let needs = list(&dependency["dependsOn"]).chain([&dependency["ref"]]);
        needs.for_each(|it| assert!(listed.contains(it.as_str().expect("a text"))));
    }
    let mut listed = unique(list(&spdx["packages"]).map(|it| &it["SPDXID"]));
    listed.insert("SPDXRef-DOCUMENT");
    for relationship in list(&spdx["relationships"]) {
        for end in ["spdxElementId", "relatedSpdxElement"] {
            assert!(listed.contains(relationship[end].as_str().expect("a text")));
        }
    }
}

/// The entries of a list. A list without entries is left out of a document.
fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// These texts, none of which comes twice.
fn unique<'v>(texts: impl Iterator<Item = &'v Value>) -> BTreeSet<&'v str> {
    let mut found = BTreeSet::new();
    for text in texts {
        assert!(found.insert(text.as_str().expect("a text")), "{text}");
    }
    found
}
