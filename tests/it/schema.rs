//! docs/schema/edgec.schema.json describes what the verbs print with `--format json`.
//!
//! The test checks the documents with the part of JSON Schema (draft 2020-12) that the file uses.

use edgec_tests::{Sandbox, repository};
use serde_json::{Value, json};

/// What is wrong with a value, and where.
fn problems(schema: &Value, root: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut found = Vec::new();
    let rules = schema.as_object().unwrap();
    let holds = |schema: &Value| problems(schema, root, value, at).is_empty();
    for (rule, wanted) in rules {
        let wrong = match rule.as_str() {
            "type" => !is_of(wanted.as_str().unwrap(), value),
            "const" => value != wanted,
            "enum" => !wanted.as_array().unwrap().contains(value),
            "required" => {
                let names = wanted.as_array().unwrap().iter();
                let mut names = names.map(|name| name.as_str().unwrap());
                value.is_object() && !names.all(|name| value.get(name).is_some())
            }
            "properties" => {
                let known = wanted.as_object().unwrap().iter();
                let known =
                    known.filter_map(|(name, schema)| Some((name, schema, value.get(name)?)));
                for (name, schema, value) in known {
                    found.extend(problems(schema, root, value, &format!("{at}/{name}")));
                }
                false
            }
            "additionalProperties" => {
                assert_eq!(*wanted, json!(false), "only this is known here");
                let fields = value.as_object().into_iter().flatten();
                let mut names = fields.map(|(name, _)| name);
                names.any(|name| rules["properties"].get(name).is_none())
            }
            "items" => {
                for (number, item) in value.as_array().into_iter().flatten().enumerate() {
                    found.extend(problems(wanted, root, item, &format!("{at}/{number}")));
                }
                false
            }
            "allOf" => {
                for schema in wanted.as_array().unwrap() {
                    found.extend(problems(schema, root, value, at));
                }
                false
            }
            "anyOf" => !wanted.as_array().unwrap().iter().any(holds),
            "if" => holds(wanted) && !holds(&rules["then"]),
            "$ref" => {
                let pointer = wanted.as_str().unwrap().strip_prefix('#').unwrap();
                let schema = root.pointer(pointer).unwrap();
                found.extend(problems(schema, root, value, at));
                false
            }
            "then" | "description" | "title" | "$schema" | "$id" | "$defs" => false,
            other => panic!("the rule `{other}` is not known here"),
        };
        if wrong {
            found.push(format!("{at}: {rule} {wanted}: {value}"));
        }
    }
    found
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        other => panic!("the type `{other}` is not known here"),
    }
}

fn schema() -> Value {
    let text = std::fs::read(repository().join("docs/schema/edgec.schema.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn every_verb_keeps_to_the_schema() {
    let sandbox = Sandbox::new();
    let schema = schema();
    sandbox.write("good.wat", "(module (func (export \"f\")))");
    sandbox.write(
        "bad.wat",
        "(module\n  (func (result i32)\n    i32.const 1\n    i32.add))",
    );
    sandbox.write(
        "worse.wasm",
        wat::parse_str("(module (func $f drop))").unwrap(),
    );
    sandbox.write("imports.wat", "(module (import \"b\" \"f\" (func)))");
    let build =
        "build good.wat -t x86_64 --key key.pem --app-version 3 --expires +90d -o good.cwasm";
    for (line, command, exit) in [
        (build, "build", 0),
        (
            "build good.wat bad.wat worse.wasm -t x86_64 --key key.pem -o out/",
            "build",
            1,
        ),
        ("build good.wat --key missing.pem", "build", 3),
        ("build good.wat --nonsense", "build", 2),
        (
            "build good.wat -t x86_64 --key key.pem --provenance --cache cache --allow-import a:* \
             -o attested/",
            "build",
            0,
        ),
        ("build good.wat --unsigned -o unsigned/", "build", 0),
        (
            "build imports.wat --key key.pem --allow-import a:*",
            "build",
            1,
        ),
        ("cache --cache cache stats", "cache stats", 0),
        (
            "cache --cache cache verify --recompile 1",
            "cache verify",
            0,
        ),
        ("cache --cache cache prune", "cache prune", 0),
        ("cache --cache off stats", "cache stats", 2),
        ("sign-blob good.wat --key key.pem", "sign-blob", 0),
        ("verify-blob good.wat --key key.pub.pem", "verify-blob", 0),
        (
            "verify-blob bad.wat --bundle good.wat.dsse.json --key key.pub.pem",
            "verify-blob",
            1,
        ),
        (
            "release make good.cwasm --serial 1 --key key.pem -o good.release.json",
            "release make",
            0,
        ),
        (
            "release stamp good.release.json --expires +1d --key key.pem -o good.timestamp.json",
            "release stamp",
            0,
        ),
        (
            "release verify good.release.json --timestamp good.timestamp.json --key key.pub.pem",
            "release verify",
            0,
        ),
        (
            "notarize good.cwasm --rebuild good.wat --key key.pem -o good.rebuild.json",
            "notarize",
            0,
        ),
        (
            "notarize good.cwasm --rebuild bad.wat --key key.pem -o bad.rebuild.json",
            "notarize",
            1,
        ),
        ("init", "init", 0),
        ("init", "init", 2),
        (
            "validate good.wat bad.wat worse.wasm missing.wat",
            "validate",
            3,
        ),
        ("audit good.cwasm bad.wat", "audit", 1),
        ("verify good.cwasm bad.wat --key key.pub.pem", "verify", 1),
        ("inspect good.cwasm", "inspect", 0),
        ("inspect bad.wat", "inspect", 1),
        ("envelope good.cwasm", "envelope", 0),
        ("envelope good.cwasm -o good.dsse", "envelope", 0),
        ("check good.cwasm", "check", 0),
        ("diff good.cwasm good.cwasm", "diff", 0),
        ("report good.cwasm -o report.html", "report", 0),
        (
            "report good.cwasm --key key.pub.pem --baseline good.cwasm -o report.html",
            "report",
            0,
        ),
        ("report bad.wat -o report.html", "report", 1),
        ("push oci-layout:layout:v1 good.cwasm", "push", 0),
        ("push oci-layout:layout:v1 bad.wat", "push", 1),
        (
            "pull oci-layout:layout:v1 --all-targets -o pulled",
            "pull",
            0,
        ),
        (
            "pull oci-layout:layout:v1 --store pulled-store --key key.pub.pem",
            "pull",
            0,
        ),
        ("pull oci-layout:layout:v2 -o pulled", "pull", 3),
        ("copy oci-layout:layout:v1 oci-layout:copied:v1", "copy", 0),
        ("copy nonsense oci-layout:copied:v1", "copy", 2),
        ("keygen -o new.pem", "keygen", 0),
        ("keys show key.pem missing.pem", "keys show", 3),
        ("keys export key.pub.pem --as openssh", "keys export", 0),
        (
            "keys export key.pub.pem --as raw -o raw.key",
            "keys export",
            0,
        ),
        ("sign good.cwasm --key new.pem --append", "sign", 0),
        (
            "store --store store add good.cwasm bad.wat --key key.pub.pem",
            "store add",
            1,
        ),
        ("store --store store ls", "store ls", 0),
        ("store --store store path good", "store path", 0),
        (
            "store --store store verify --key key.pub.pem",
            "store verify",
            0,
        ),
        ("store --store store gc", "store gc", 0),
        ("store --store store plan", "store plan", 0),
        ("store --store store rm good", "store rm", 0),
        ("targets", "targets", 0),
        ("targets --host", "targets", 0),
        ("host", "host", 0),
        ("advisories", "advisories", 0),
        ("explain", "explain", 0),
        ("explain image-digest nonsense", "explain", 2),
        ("version", "version", 0),
        ("nonsense", "", 2),
    ] {
        let words: Vec<&str> = line.split(' ').chain(["--format", "json"]).collect();
        let output = sandbox.run(&words);
        let stderr = String::from_utf8_lossy(&output.stderr);
        // The machine of the test may be unable to load the artifact.
        let exit = match (command, output.status.code()) {
            ("check", Some(1)) => 1,
            _ => exit,
        };
        assert_eq!(output.status.code(), Some(exit), "{line}: {stderr}");
        let document: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{line}: {error}: {output:?}"));
        let found = problems(&schema, &schema, &document, "");
        assert!(found.is_empty(), "{line}: {found:#?}");
        assert_eq!(document["command"], command, "{line}");
        assert_eq!(document["ok"], exit == 0, "{line}");
    }
}

/// The digests and times in the summary of a build are those in the artifact.
#[test]
fn a_build_states_what_it_released() {
    let sandbox = Sandbox::new();
    sandbox.write("a.wat", "(module (func (export \"f\")))");
    let build = [
        "build", "a.wat", "-t", "x86_64", "--key", "key.pem", "-o", "a.cwasm",
    ];
    let release = [
        "--app-version",
        "7",
        "--channel",
        "stable",
        "--expires",
        "2100-01-01",
    ];
    let summary = sandbox.ok(&[&build[..], &release, &["--format", "json"]].concat());
    let summary: Value = serde_json::from_str(&summary).unwrap();
    let artifact = &summary["inputs"][0]["built"]["artifacts"][0];
    let file = sandbox.read("a.cwasm");
    let digest = edgec_artifact::Sha256Digest::of(&file).to_string();
    assert_eq!(artifact["sha256"], digest);
    let inspected = sandbox.ok(&["inspect", "a.cwasm", "--format", "json"]);
    let inspected: Value = serde_json::from_str(&inspected).unwrap();
    let manifest = &inspected["manifest"];
    for field in ["image", "version", "channel", "validity"] {
        assert_eq!(artifact[field], manifest[field], "{field}");
    }
    assert_eq!(artifact["version"], 7);
    assert_eq!(artifact["validity"]["expires"], 4_102_444_800_u64);
}

#[test]
fn a_wrong_document_is_found() {
    let schema = schema();
    let envelope = |more: Value| {
        let mut document = json!({ "schema": 1, "command": "build", "ok": false });
        document
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        problems(&schema, &schema, &document, "")
    };
    let error = json!({ "code": "io", "message": "m" });
    assert_eq!(envelope(json!({ "error": error })), Vec::<String>::new());
    for wrong in [
        json!({}),
        json!({ "error": { "code": "io" } }),
        json!({ "error": { "code": "io", "message": "m", "more": 1 } }),
        json!({ "error": error, "ok": true }),
        json!({ "error": error, "schema": 2 }),
        json!({ "inputs": [{ "input": "a", "built": { "name": "a" } }] }),
        json!({ "inputs": [{ "error": error }] }),
    ] {
        assert!(!envelope(wrong.clone()).is_empty(), "{wrong}");
    }
}
