//! SPDX 2.3.
//!
//! Source: <https://spdx.github.io/spdx-spec/v2.3/>. Each entry is a package. What the format has
//! no field for is an annotation.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::ascii;
use crate::bill::{Bill, TOOL, TOOL_VERSION};
use crate::crates::CrateSource;
use crate::cyclonedx::is_address;
use crate::digest::uuid;
use crate::graph::{Entry, Key};
use crate::licence::is_expression;

const NOTHING: &str = "NOASSERTION";
const DOCUMENT: &str = "SPDXRef-DOCUMENT";
/// The time of a bill without one: the format wants a time.
const EPOCH: &str = "1970-01-01T00:00:00Z";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    spdx_version: &'static str,
    data_license: &'static str,
    #[serde(rename = "SPDXID")]
    spdx_id: &'static str,
    name: String,
    document_namespace: String,
    creation_info: Creation,
    packages: Vec<Package>,
    relationships: Vec<Relationship>,
}

#[derive(Serialize)]
struct Creation {
    created: String,
    creators: Vec<String>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Package {
    #[serde(rename = "SPDXID")]
    spdx_id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_info: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    download_location: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    homepage: Option<String>,
    files_analyzed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checksums: Vec<Checksum>,
    license_concluded: &'static str,
    license_declared: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    license_comments: Option<String>,
    copyright_text: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    primary_package_purpose: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_refs: Vec<ExternalRef>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    annotations: Vec<Annotation>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Checksum {
    algorithm: &'static str,
    checksum_value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExternalRef {
    reference_category: &'static str,
    reference_type: &'static str,
    reference_locator: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Annotation {
    annotation_date: String,
    annotation_type: &'static str,
    annotator: String,
    comment: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Relationship {
    spdx_element_id: String,
    relationship_type: &'static str,
    related_spdx_element: String,
}

pub(crate) fn document(bill: &Bill<'_>) -> String {
    let graph = bill.graph();
    let created = bill.time.clone().unwrap_or_else(|| EPOCH.to_owned());
    let author = format!("Tool: {TOOL}-{TOOL_VERSION}");
    let note = |comment: String| Annotation {
        annotation_date: created.clone(),
        annotation_type: "OTHER",
        annotator: author.clone(),
        comment,
    };
    let ids: BTreeMap<&Key, String> = graph
        .entries
        .keys()
        .enumerate()
        .map(|(number, key)| (key, id(key, number)))
        .collect();
    let id_of = |key: &Key| ids.get(key).cloned().unwrap_or_default();
    let mut packages = Vec::new();
    let mut relationships = vec![Relationship {
        spdx_element_id: DOCUMENT.to_owned(),
        relationship_type: "DESCRIBES",
        related_spdx_element: id_of(&Key::Program),
    }];
    for (key, entry) in &graph.entries {
        let mut notes: Vec<_> = entry
            .properties(key)
            .into_iter()
            .map(|(name, value)| note(format!("{name}: {value}")))
            .collect();
        let mut package = package(key, entry, id_of(key));
        let texts = entry.metadata();
        for (name, text) in [
            ("authors", texts.and_then(|it| it.authors.as_ref())),
            ("source", texts.and_then(|it| it.source.as_ref())),
        ] {
            notes.extend(text.map(|text| note(format!("edgec:{name}: {text}"))));
        }
        if *key == Key::Program {
            package.checksums = vec![sha256(&bill.program.sha256)];
            let imports = bill.program.imports.iter().map(|it| ("import", it));
            let exports = bill.program.exports.iter().map(|it| ("export", it));
            let names = imports.chain(exports);
            notes.extend(names.map(|(what, name)| note(format!("edgec:{what}: {name}"))));
        }
        package.annotations = notes;
        packages.push(package);
        let needs = entry.needs.iter().map(|needed| {
            let is_for_builds = graph.entries.get(needed).is_some_and(|it| it.is_for_builds);
            relationship(key, needed, is_for_builds, &id_of)
        });
        relationships.extend(needs);
    }
    for (number, (name, version)) in graph.tools.iter().enumerate() {
        let tool = format!("SPDXRef-tool-{number}");
        packages.push(Package {
            spdx_id: tool.clone(),
            name: name.clone(),
            version_info: Some(version.clone()).filter(|version| !version.is_empty()),
            primary_package_purpose: Some("APPLICATION"),
            ..unknown()
        });
        relationships.push(Relationship {
            spdx_element_id: tool,
            relationship_type: "BUILD_TOOL_OF",
            related_spdx_element: id_of(&Key::Program),
        });
    }
    let mut document = Document {
        spdx_version: "SPDX-2.3",
        data_license: "CC0-1.0",
        spdx_id: DOCUMENT,
        name: bill.name.clone(),
        document_namespace: String::new(),
        creation_info: Creation {
            created: created.clone(),
            creators: vec![author.clone()],
        },
        packages,
        relationships,
    };
    // A namespace is unique to a document, so it depends on all the rest.
    let unique = uuid(&ascii::document(&document));
    document.document_namespace = format!("https://edgec.dev/spdx/{unique}");
    ascii::document(&document)
}

/// The identifier of an entry: only letters, digits, dots and hyphens.
fn id(key: &Key, number: usize) -> String {
    match key {
        Key::Program => "SPDXRef-program".to_owned(),
        Key::Part(path) => {
            let numbers: Vec<_> = path.iter().map(usize::to_string).collect();
            format!("SPDXRef-part-{}", numbers.join("."))
        }
        Key::Crate(..) => format!("SPDXRef-crate-{number}"),
    }
}

/// A package about which nothing is known.
fn unknown() -> Package {
    Package {
        download_location: NOTHING.to_owned(),
        license_concluded: NOTHING,
        license_declared: NOTHING.to_owned(),
        copyright_text: NOTHING,
        ..Package::default()
    }
}

fn package(key: &Key, entry: &Entry<'_>, spdx_id: String) -> Package {
    let metadata = entry.metadata();
    let licenses = metadata.and_then(|it| it.licenses.clone());
    let (declared, other) = match licenses {
        Some(text) if is_expression(&text) => (text, None),
        other => (NOTHING.to_owned(), other),
    };
    let address = |text: Option<String>| text.filter(|text| is_address(text));
    let reference = key.purl().map(|reference_locator| ExternalRef {
        reference_category: "PACKAGE-MANAGER",
        reference_type: "purl",
        reference_locator,
    });
    Package {
        spdx_id,
        name: entry.name.clone(),
        version_info: entry.version.clone(),
        description: metadata.and_then(|it| it.description.clone()),
        download_location: downloads(key).unwrap_or_else(|| NOTHING.to_owned()),
        homepage: address(metadata.and_then(|it| it.homepage.clone())),
        checksums: entry
            .part
            .and_then(|part| part.sha256.as_deref())
            .map(sha256)
            .into_iter()
            .collect(),
        license_declared: declared,
        license_comments: other,
        primary_package_purpose: Some(match key {
            Key::Program => "APPLICATION",
            Key::Part(_) | Key::Crate(..) => "LIBRARY",
        }),
        external_refs: reference.into_iter().collect(),
        ..unknown()
    }
}

/// Where a crate can be fetched.
fn downloads(key: &Key) -> Option<String> {
    let Key::Crate(name, version, CrateSource::CratesIo) = key else {
        return None;
    };
    let address = format!("https://crates.io/api/v1/crates/{name}/{version}/download");
    Some(address).filter(|address| is_address(address))
}

fn sha256(digest: &str) -> Checksum {
    Checksum {
        algorithm: "SHA256",
        checksum_value: digest.to_owned(),
    }
}

fn relationship(
    key: &Key,
    needed: &Key,
    is_for_builds: bool,
    id_of: &impl Fn(&Key) -> String,
) -> Relationship {
    let (from, kind, to) = match (needed, is_for_builds) {
        (Key::Program | Key::Part(_), _) => (key, "CONTAINS", needed),
        (Key::Crate(..), false) => (key, "DEPENDS_ON", needed),
        (Key::Crate(..), true) => (needed, "BUILD_DEPENDENCY_OF", key),
    };
    Relationship {
        spdx_element_id: id_of(from),
        relationship_type: kind,
        related_spdx_element: id_of(to),
    }
}
