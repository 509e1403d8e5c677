//! Results and failures as documents for machines (`--format json`).

use edgec_tests::Sandbox;
use serde_json::Value;

use crate::usage::TRAP;

/// Expects one line on standard error, and the same error as a document.
fn json_failure(sandbox: &Sandbox, arguments: &[&str], exit: i32) -> Value {
    let output = sandbox.run(arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "{arguments:?}: {stderr}");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{arguments:?}: {error}: {output:?}", output = output.stdout)
    });
    let code = find_code(&document).unwrap_or_else(|| panic!("{document}"));
    assert!(stderr.starts_with(&format!("error[{code}]: ")), "{stderr}");
    document
}

/// The code of the first error in a document, at any depth.
fn find_code(document: &Value) -> Option<String> {
    match document {
        Value::Object(fields) => match fields.get("error") {
            Some(error) => Some(error["code"].as_str()?.to_owned()),
            None => fields.values().find_map(find_code),
        },
        Value::Array(items) => items.iter().find_map(find_code),
        _ => None,
    }
}

#[test]
fn a_failure_is_a_document_and_a_line() {
    let sandbox = Sandbox::new();
    sandbox.write("bad.wat", "(module (func (result i32)))");
    for (line, exit) in [
        ("build bad.wat --key key.pem", 1),
        ("build bad.wat --key missing.pem", 3),
        ("build bad.wat --key key.pem -t sparc", 2),
        ("validate bad.wat", 1),
        ("validate missing.wat", 3),
        ("verify bad.wat --key key.pub.pem", 1),
        ("verify bad.wat --trust missing.toml", 3),
        ("inspect bad.wat", 1),
        ("audit bad.wat", 1),
        ("diff bad.wat bad.wat", 1),
        ("keys show bad.wat", 1),
        ("store ls", 2),
        ("store --store store add --key key.pub.pem bad.wat", 1),
        ("targets --host missing.toml", 3),
    ] {
        let words: Vec<&str> = line.split(' ').chain(["--format", "json"]).collect();
        json_failure(&sandbox, &words, exit);
    }
}

/// The place is in the other lines of the message, which the document contains.
#[test]
fn the_line_beside_a_document_has_the_place() {
    let sandbox = Sandbox::new();
    sandbox.write("cut.wat", "(module\n  (func");
    let output = sandbox.run(&["validate", "cut.wat", "--format", "json"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("error[not-wasm]: cut.wat: "), "{stderr}");
    assert!(stderr.contains(" (line 2:"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[test]
fn usage_errors_are_documents_too() {
    let sandbox = Sandbox::new();
    for arguments in [
        &["build", "--format", "json"][..],
        &["--format", "json", "build"],
        &["build", "--format=json", "--nonsense", "a.wat"],
        &["verify", "--format", "json"],
        &["nonsense", "--format", "json"],
    ] {
        let document = json_failure(&sandbox, arguments, 2);
        assert_eq!(document["error"]["code"], "usage", "{document}");
        let text = |field: &str| document["error"][field].as_str().unwrap().to_owned();
        assert!(!text("message").contains('\n'), "{document}");
        let hint = text("hint");
        assert!(hint.ends_with("--help` shows its usage"), "{hint}");
        // clap prints these for terminals.
        for word in ["Usage:", "tip:", "For more information", "  "] {
            assert!(!hint.contains(word), "{hint}");
        }
    }
    // Arguments of a program are not options of edgec.
    for arguments in [
        &["run", "--nonsense", "a.cwasm", "--format", "json"][..],
        &["build", "--nonsense", "--", "--format", "json"],
    ] {
        let output = sandbox.run(arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty(), "{output:?}");
        assert!(output.stderr.starts_with(b"error: "), "{output:?}");
    }
}

/// Every verb with a result can print it as a document, and then prints nothing else to standard
/// output.
#[test]
fn results_are_documents() {
    let sandbox = Sandbox::new();
    sandbox.write("app.wat", TRAP);
    let build = ["build", "-q", "app.wat", "-t", std::env::consts::ARCH];
    let files = ["--key", "key.pem", "--debug-file", "-o", "app.cwasm"];
    sandbox.ok(&[&build[..], &files].concat());
    sandbox.admit("app.cwasm");
    sandbox.ok(&["keygen", "-o", "root.pem"]);
    let id = |file: &str| {
        let shown = sandbox.ok(&["keys", "show", file, "--format", "json"]);
        let shown = edgec_tests::results(shown);
        shown[0]["key"]["keyId"].as_str().unwrap().to_owned()
    };
    let key = String::from_utf8(sandbox.read("key.pub.pem")).unwrap();
    let policy = format!(
        "threshold = 1\n[[key]]\nname = \"release\"\npem = \"\"\"\n{key}\"\"\"\n\
         [allow]\nimports = []\n"
    );
    sandbox.write("policy.toml", policy);
    let json = |arguments: &[&str]| -> Value {
        let text = sandbox.ok(&[arguments, &["--format", "json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
    };
    let made = json(&["keygen", "-o", "new.pem"]);
    assert_eq!(made["privateKey"], "new.pem");
    assert_eq!(made["publicKey"], "new.pub.pem");
    assert_eq!(made["encrypted"], false);
    assert_eq!(made["keyId"], id("new.pub.pem"));
    let imported = json(&["keys", "import", "root.pub.pem", "-o", "imported.pem"]);
    assert_eq!(imported["publicKey"], "imported.pem");
    assert_eq!(imported["keyId"], id("root.pem"));
    let signed = json(&["sign", "app.cwasm", "--key", "root.pem", "-o", "b.cwasm"]);
    assert_eq!(signed["artifact"], "b.cwasm");
    assert_eq!(signed["keyId"], id("root.pem"));
    assert_eq!(signed["dropped"], serde_json::json!([id("key.pem")]));
    assert_eq!(signed["name"], "app");
    json(&["sign", "app.cwasm", "--key", "root.pem", "--append"]);
    let removed = json(&["sign", "app.cwasm", "--remove", "root.pub.pem"]);
    assert_eq!(removed["removed"], id("root.pem"));
    let signed = json(&[
        "policy",
        "sign",
        "policy.toml",
        "--key",
        "root.pem",
        "-o",
        "p.dsse",
    ]);
    assert_eq!(signed["policy"], "p.dsse");
    assert_eq!(signed["keyId"], id("root.pem"));
    let checked = [
        "policy",
        "check",
        "p.dsse",
        "app.cwasm",
        "--root",
        "root.pub.pem",
    ];
    let checked = json(&checked);
    assert_eq!(checked["signedBy"], serde_json::json!([id("root.pem")]));
    assert_eq!(checked["keys"][0]["keyId"], id("key.pem"));
    assert_eq!(
        checked["artifacts"][0]["refusedImports"],
        serde_json::json!([])
    );
    let paths = json(&["store", "--store", "store", "path", "app"]);
    assert!(
        paths["results"][0].as_str().unwrap().ends_with(".elf"),
        "{paths}"
    );
    let named = json(&["symbolize", "app.debug", "text+0x1"]);
    assert_eq!(named["results"][0]["address"], "text+0x1");
    assert!(named["results"][0]["place"].is_string(), "{named}");
    let wrong = ["symbolize", "app.debug", "x", "--format", "json"];
    let document = json_failure(&sandbox, &wrong, 1);
    assert_eq!(document["results"][0]["error"]["code"], "address");
    json_failure(&sandbox, &["symbolize", "app.debug", "--format", "json"], 2);
}
