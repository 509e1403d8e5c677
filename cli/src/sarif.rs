//! SARIF logs, which code hosts read to annotate a change.
//!
//! A failure of an input is a result: its code is the rule, and its place the location. A failure
//! of the command line or of the machine is a notification, because no file has to change.
//!
//! Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0".

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::explain;
use crate::place::Place;
use crate::render;

/// Something that failed.
pub(crate) struct Finding {
    /// The error's code.
    pub(crate) rule: &'static str,
    /// The message, safe, with its hint.
    pub(crate) message: String,
    pub(crate) place: Place,
    /// Who must act.
    pub(crate) exit: Exit,
}

/// The document with the text of each code.
const DOCUMENT: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/errors.md");

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Value; 1],
}

/// Prints a log. `exit` is the exit code of the verb; `None` if nothing failed.
pub(crate) fn print(findings: &[Finding], exit: Option<Exit>) {
    render::json(&log(findings, exit));
}

fn log(findings: &[Finding], exit: Option<Exit>) -> Log {
    let (results, others): (Vec<&Finding>, Vec<&Finding>) = findings
        .iter()
        .partition(|finding| finding.exit == Exit::Rejected);
    let codes: BTreeSet<&'static str> = findings.iter().map(|finding| finding.rule).collect();
    let rules: Vec<Value> = codes.iter().map(|code| rule(code)).collect();
    let index = |code: &str| codes.iter().position(|known| *known == code);
    let results: Vec<Value> = results
        .into_iter()
        .map(|finding| {
            let mut result = described(finding);
            result["ruleId"] = finding.rule.into();
            result["ruleIndex"] = index(finding.rule).into();
            result
        })
        .collect();
    let others: Vec<Value> = others
        .into_iter()
        .map(|finding| {
            let mut notification = described(finding);
            notification["descriptor"] = json!({
                "id": finding.rule,
                "index": index(finding.rule),
            });
            notification
        })
        .collect();
    Log {
        schema: "https://json.schemastore.org/sarif-2.1.0.json",
        version: "2.1.0",
        runs: [json!({
            "tool": { "driver": {
                "name": "edgec",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules,
                "notifications": rules,
            }},
            "invocations": [{
                // A rejected input is a result of a successful run.
                "executionSuccessful": exit.is_none_or(|exit| exit == Exit::Rejected),
                "exitCode": exit.map_or(0, |exit| exit as u8),
                "toolExecutionNotifications": others,
            }],
            "results": results,
        })],
    }
}

fn rule(code: &str) -> Value {
    let mut rule = json!({
        "id": code,
        "helpUri": format!("{DOCUMENT}#{code}"),
    });
    if let Some(explanation) = explain::find(code) {
        rule["shortDescription"] = json!({ "text": explanation.what });
        rule["help"] = json!({ "text": explanation.remedy });
    }
    rule
}

/// The parts that results and notifications share.
fn described(finding: &Finding) -> Value {
    let mut described = json!({
        "level": "error",
        "message": { "text": finding.message },
    });
    if let Some(file) = &finding.place.file {
        described["locations"] = json!([location(file, &finding.place)]);
    }
    described
}

fn location(file: &Path, place: &Place) -> Value {
    let mut physical = json!({ "artifactLocation": { "uri": uri(file) } });
    // A region of a text, or of a binary: a file is one of the two.
    let region = match (place.line, place.offset) {
        (Some(line), _) => Some(match place.column {
            Some(column) => json!({ "startLine": line, "startColumn": column }),
            None => json!({ "startLine": line }),
        }),
        (None, Some(offset)) => Some(json!({ "byteOffset": offset })),
        (None, None) => None,
    };
    if let Some(mut region) = region {
        if !place.excerpt.is_empty() && place.line.is_none() {
            region["snippet"] = json!({ "text": place.excerpt.join("\n") });
        }
        physical["region"] = region;
    }
    let mut location = json!({ "physicalLocation": physical });
    if let Some(function) = &place.function {
        location["logicalLocations"] = json!([{ "name": function.text(), "kind": "function" }]);
    }
    location
}

/// A path as a URI (RFC 3986): relative paths stay relative, so that a code host finds them from
/// the root of the repository.
fn uri(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    let bytes = bytes.strip_prefix(b"./").unwrap_or(bytes);
    let mut uri = String::with_capacity(bytes.len());
    if path.is_absolute() {
        uri.push_str("file://");
    }
    for byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(*byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(rule: &'static str, exit: Exit, place: Place) -> Finding {
        Finding {
            rule,
            message: "m".to_owned(),
            place,
            exit,
        }
    }

    #[test]
    fn a_path_is_a_uri() {
        for (path, expected) in [
            ("./a b.wat", "a%20b.wat"),
            ("x/a:b#c.wasm", "x/a%3Ab%23c.wasm"),
            ("/tmp/a.wasm", "file:///tmp/a.wasm"),
            ("é.wat", "%C3%A9.wat"),
        ] {
            assert_eq!(uri(Path::new(path)), expected);
        }
    }

    #[test]
    fn inputs_are_results_and_the_machine_is_a_notification() {
        let mut place = Place::in_message("x\n --> line 2:9\n");
        place.set_file(Path::new("a.wat"));
        let findings = [
            finding("kind", Exit::Rejected, place),
            finding("io", Exit::Environment, Place::default()),
        ];
        let log = serde_json::to_value(log(&findings, Some(Exit::Environment))).unwrap();
        let run = &log["runs"][0];
        let region = &run["results"][0]["locations"][0]["physicalLocation"]["region"];
        assert_eq!(*region, json!({ "startLine": 2, "startColumn": 9 }));
        assert_eq!(run["results"][0]["ruleIndex"], 1);
        assert_eq!(run["tool"]["driver"]["rules"][1]["id"], "kind");
        assert_eq!(run["results"].as_array().unwrap().len(), 1);
        let invocation = &run["invocations"][0];
        assert_eq!(invocation["executionSuccessful"], false);
        assert_eq!(invocation["exitCode"], 3);
        let notification = &invocation["toolExecutionNotifications"][0];
        assert_eq!(notification["descriptor"]["id"], "io");
        assert!(notification.get("locations").is_none());
    }

    #[test]
    fn a_binary_has_an_offset() {
        let place = Place {
            file: Some("a.wasm".into()),
            offset: Some(31),
            ..Place::default()
        };
        let log = serde_json::to_value(log(&[finding("invalid", Exit::Rejected, place)], None));
        let log = log.unwrap();
        let location = &log["runs"][0]["results"][0]["locations"][0];
        let region = &location["physicalLocation"]["region"];
        assert_eq!(*region, json!({ "byteOffset": 31 }));
    }
}
