//! CycloneDX 1.6.
//!
//! Source: <https://cyclonedx.org/docs/1.6/json/>. The program is `metadata.component`; modules,
//! components and crates are `components`; tools of `producers` are in `formulation`.

use serde::Serialize;

use crate::ascii;
use crate::bill::{Bill, TOOL, TOOL_VERSION};
use crate::digest::uuid;
use crate::graph::{Entry, Key};
use crate::licence::is_expression;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    bom_format: &'static str,
    spec_version: &'static str,
    serial_number: Option<String>,
    version: u32,
    metadata: Metadata,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    components: Vec<Component>,
    dependencies: Vec<Dependency>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    formulation: Vec<Formula>,
}

#[derive(Serialize)]
struct Metadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
    tools: Tools,
    component: Component,
}

#[derive(Serialize)]
struct Tools {
    components: Vec<Component>,
}

#[derive(Serialize)]
struct Formula {
    components: Vec<Component>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Component {
    r#type: &'static str,
    #[serde(rename = "bom-ref", skip_serializing_if = "Option::is_none")]
    bom_ref: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authors: Vec<Author>,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hashes: Vec<Hash>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    licenses: Vec<License>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purl: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_references: Vec<Reference>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    properties: Vec<Property>,
}

#[derive(Serialize)]
struct Author {
    name: String,
}

#[derive(Serialize)]
struct Hash {
    alg: &'static str,
    content: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum License {
    Expression { expression: String },
    Named { license: Named },
}

#[derive(Serialize)]
struct Named {
    name: String,
}

#[derive(Serialize)]
struct Reference {
    r#type: &'static str,
    url: String,
}

#[derive(Serialize)]
struct Property {
    name: &'static str,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency {
    r#ref: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    depends_on: Vec<String>,
}

pub(crate) fn document(bill: &Bill<'_>) -> String {
    let graph = bill.graph();
    let mut entries = graph.entries.iter();
    let mut program = entries
        .next()
        .map(|(key, entry)| component(key, entry))
        .unwrap_or_default();
    program.hashes = vec![sha256(&bill.program.sha256)];
    let names = |name, values: &[String]| -> Vec<Property> {
        let property = |value: &String| Property {
            name,
            value: value.clone(),
        };
        values.iter().map(property).collect()
    };
    let interface = [
        names("edgec:import", &bill.program.imports),
        names("edgec:export", &bill.program.exports),
    ];
    program.properties.extend(interface.into_iter().flatten());
    let components = entries.map(|(key, entry)| component(key, entry)).collect();
    let dependency = |(key, entry): (&Key, &Entry<'_>)| Dependency {
        r#ref: key.reference(),
        depends_on: entry.needs.iter().map(Key::reference).collect(),
    };
    let tools: Vec<Component> = graph.tools.iter().map(tool).collect();
    let formulation = match tools.is_empty() {
        true => Vec::new(),
        false => vec![Formula { components: tools }],
    };
    let mut document = Document {
        bom_format: "CycloneDX",
        spec_version: "1.6",
        serial_number: None,
        version: 1,
        metadata: Metadata {
            timestamp: bill.time.clone(),
            tools: Tools {
                components: vec![tool(&(TOOL.to_owned(), TOOL_VERSION.to_owned()))],
            },
            component: program,
        },
        components,
        dependencies: graph.entries.iter().map(dependency).collect(),
        formulation,
    };
    // The number says which document this is, so it depends on all the rest.
    let serial = uuid(&ascii::document(&document));
    document.serial_number = Some(format!("urn:uuid:{serial}"));
    ascii::document(&document)
}

fn component(key: &Key, entry: &Entry<'_>) -> Component {
    let metadata = entry.metadata();
    let text =
        |text: fn(&crate::Metadata) -> &Option<String>| metadata.and_then(|it| text(it).clone());
    let reference = |r#type, url: Option<String>| {
        let url = url.filter(|url| is_address(url))?;
        Some(Reference { r#type, url })
    };
    let references = [
        reference("vcs", text(|it| &it.source)),
        reference("website", text(|it| &it.homepage)),
    ];
    let property = |(name, value)| Property { name, value };
    Component {
        r#type: match key {
            Key::Program => "application",
            Key::Part(_) | Key::Crate(..) => "library",
        },
        bom_ref: Some(key.reference()),
        authors: text(|it| &it.authors)
            .map(|name| Author { name })
            .into_iter()
            .collect(),
        name: entry.name.clone(),
        version: entry.version.clone(),
        description: text(|it| &it.description),
        scope: entry.is_for_builds.then_some("excluded"),
        hashes: entry
            .part
            .and_then(|part| part.sha256.as_deref())
            .map(sha256)
            .into_iter()
            .collect(),
        licenses: text(|it| &it.licenses).map(license).into_iter().collect(),
        purl: key.purl(),
        external_references: references.into_iter().flatten().collect(),
        properties: entry.properties(key).into_iter().map(property).collect(),
    }
}

fn tool((name, version): &(String, String)) -> Component {
    Component {
        r#type: "application",
        name: name.clone(),
        version: Some(version.clone()).filter(|version| !version.is_empty()),
        ..Component::default()
    }
}

fn sha256(digest: &str) -> Hash {
    Hash {
        alg: "SHA-256",
        content: digest.to_owned(),
    }
}

fn license(text: String) -> License {
    match is_expression(&text) {
        true => License::Expression { expression: text },
        false => License::Named {
            license: Named { name: text },
        },
    }
}

/// Whether a text can stand where the format wants an address (`iri-reference`).
pub(crate) fn is_address(text: &str) -> bool {
    let begins = ["https://", "http://", "git+https://", "ssh://"];
    begins.iter().any(|begin| text.starts_with(begin))
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && !text.contains(['<', '>', '"', '\\', '^', '`', '{', '|', '}', '[', ']'])
}
