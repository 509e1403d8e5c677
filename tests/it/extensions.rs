//! `extensions` of a manifest are kept, shown and otherwise ignored. Every other unknown field is
//! refused.

use std::collections::BTreeMap;

use edgec_artifact::{ExtensionValue, Extensions, Statement};
use edgec_tests::corpus::{Forge, material};
use edgec_tests::interop::{Case, Trust, check_agreement, python};
use edgec_tests::{Sandbox, words};
use serde_json::Value;

const EXTENSION: &str =
    r#"{"dev.example/build":{"commit":"4ac1","flags":[true,0,9007199254740991,{}]}}"#;

fn extended() -> Vec<u8> {
    Forge::of(material()).with_manifest(|manifest| {
        manifest.extensions = Some(serde_json::from_str(EXTENSION).unwrap());
    })
}

/// A sandbox with the example's artifact, plain and with extensions, and the signer's public key.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("signer.pub.pem", material().signer.public().to_pem());
    sandbox.write("plain.cwasm", &material().hello);
    sandbox.write("a.cwasm", extended());
    sandbox
}

#[test]
fn extensions_are_carried_and_shown_and_skipped() {
    let sandbox = sandbox();
    sandbox.ok(&["verify", "--key", "signer.pub.pem", "a.cwasm"]);
    let report = |arguments: &[&str]| -> Value {
        let output = sandbox.run(&[arguments, &["--format", "json"]].concat());
        serde_json::from_slice(&output.stdout).unwrap()
    };
    // Every check has the same result with and without extensions.
    let checks = |name| {
        let report = report(&["verify", "--key", "signer.pub.pem", name]);
        let checks = report["results"][0]["checks"].as_array().unwrap().iter();
        let told = checks.map(|check| (check["check"].clone(), check["status"].clone()));
        told.collect::<Vec<_>>()
    };
    assert_eq!(checks("a.cwasm"), checks("plain.cwasm"));

    let shown = report(&["inspect", "a.cwasm"]);
    let expected: Value = serde_json::from_str(EXTENSION).unwrap();
    assert_eq!(shown["manifest"]["extensions"], expected);
    let text = sandbox.ok(&["inspect", "a.cwasm"]);
    let line = r#"extensions     dev.example/build: {"commit":"4ac1","flags":[true,0,9007199254740991,{}]}"#;
    assert!(text.contains(line), "{text}");
    assert!(
        !sandbox
            .ok(&["inspect", "plain.cwasm"])
            .contains("extensions")
    );

    // A second signer signs the same bytes, alone or in addition to the first.
    let pae = sandbox.ok(&["inspect", "--pae", "a.cwasm"]);
    sandbox.ok(&["sign", "a.cwasm", "--key", "key.pem", "-o", "again.cwasm"]);
    assert_eq!(sandbox.ok(&["inspect", "--pae", "again.cwasm"]), pae);
    sandbox.ok(&[
        "sign",
        "a.cwasm",
        "--key",
        "key.pem",
        "--append",
        "-o",
        "both.cwasm",
    ]);
    assert_eq!(sandbox.ok(&["inspect", "--pae", "both.cwasm"]), pae);
    sandbox.ok(&[
        "verify",
        "--key",
        "signer.pub.pem",
        "--key",
        "key.pub.pem",
        "both.cwasm",
    ]);

    let found = report(&["diff", "plain.cwasm", "a.cwasm"]);
    let at: Vec<&Value> = found["manifest"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["at"])
        .collect();
    assert_eq!(at[0], "extensions.dev.example/build.commit");
    assert!(
        at.iter()
            .all(|at| at.as_str().unwrap().starts_with("extensions.")),
        "{at:?}"
    );

    if cfg!(target_os = "linux") {
        let store = words("store --store store");
        let add = words("add --key signer.pub.pem a.cwasm");
        sandbox.ok(&[&store[..], &add].concat());
        let verify = words("verify --key signer.pub.pem");
        sandbox.ok(&[store, verify].concat());
    }
}

/// Extensions come from the publisher, not from the compiler, so a rebuild copies them.
#[test]
fn an_extended_artifact_is_made_again() {
    let sandbox = Sandbox::new();
    sandbox.write("app.wat", "(module (func (export \"f\")))");
    sandbox.build("app.wat", "x86_64", "a.cwasm");
    let pem = String::from_utf8(sandbox.read("key.pem")).unwrap();
    let key = edgec_packager::SecretKey::from_pem(&pem).unwrap();
    let file = sandbox.read("a.cwasm");
    let forged = Forge::new(&file, &key).with_manifest(|manifest| {
        manifest.extensions = Some(serde_json::from_str(EXTENSION).unwrap());
    });
    sandbox.write("a.cwasm", forged);
    sandbox.ok(&[
        "verify",
        "--key",
        "key.pub.pem",
        "a.cwasm",
        "--rebuild",
        "app.wat",
    ]);
}

/// The verifiers agree on every text that a trusted key has signed after the last field of a
/// manifest.
#[test]
fn both_verifiers_take_the_same_extensions() {
    let sandbox = sandbox();
    let forge = Forge::of(material());
    let statement = String::from_utf8(forge.payload.clone()).unwrap();
    let manifest = statement.strip_suffix("}}").unwrap();
    let long = |len: usize| format!(r#"{{"x":"{}"}}"#, "x".repeat(len - 8));
    let deep = |depth: usize| {
        format!(
            r#"{{"x":{}{}}}"#,
            "[".repeat(depth - 1),
            "]".repeat(depth - 1)
        )
    };
    let name = |len: usize| format!(r#"{{"{}":1}}"#, "n".repeat(len));
    let accepted = [
        EXTENSION.to_owned(),
        r#"{"":1}"#.replace("\"\"", "\"a/b\""),
        r#"{"a":"","b":false,"é":"\u001b\n\"\\/"}"#.to_owned(),
        r#"{"a":{"":0,"a":{},"b":[]}}"#.to_owned(),
        long(1 << 16),
        deep(8),
        name(128),
    ];
    let refused = [
        "{}",
        "null",
        "[]",
        "1",
        "\"x\"",
        "true",
        r#"{"a":null}"#,
        r#"{"a":-1}"#,
        r#"{"a":-0}"#,
        r#"{"a":1.0}"#,
        r#"{"a":1e2}"#,
        r#"{"a":NaN}"#,
        r#"{"a":9007199254740992}"#,
        r#"{"a":18446744073709551616}"#,
        r#"{"a":"\ud800"}"#,
        r#"{"b":1,"a":1}"#,
        r#"{"a":1,"a":1}"#,
        r#"{"a":{"b":1,"a":1}}"#,
        r#"{"a":{"b":1,"b":2}}"#,
        r#"{"a": 1}"#,
        r#"{"a":"\u0041"}"#,
        r#"{"a":"\/"}"#,
        r#"{"":1}"#,
        r#"{"a//b":1}"#,
        r#"{".a":1}"#,
        r#"{"a*":1}"#,
        r#"{"a\n":1}"#,
        r#"{"a":1},"extensions":{"a":1}"#,
        r#"{"a":1},"more":1"#,
        r#"{"a":1},"critical":["a"]"#,
    ];
    let refused = refused.map(str::to_owned).into_iter();
    let refused = refused.chain([
        long((1 << 16) + 1),
        deep(9),
        deep(200),
        deep(100_000),
        name(129),
    ]);
    let cases = accepted
        .into_iter()
        .map(|it| (it, true))
        .chain(refused.map(|it| (it, false)));
    let trust = Trust::Keys(vec![sandbox.path().join("signer.pub.pem")]);
    let cases: Vec<Case> = cases
        .map(|(extensions, accepted)| Case {
            name: extensions.chars().take(60).collect(),
            file: forge
                .with_payload(format!("{manifest},\"extensions\":{extensions}}}}}").as_bytes()),
            trust: trust.clone(),
            arguments: Vec::new(),
            accepted: Some(accepted),
        })
        .collect();
    // Without Python, the test still checks edgec's own answers.
    for case in &cases {
        let artifact = edgec_artifact::Artifact::decode(&case.file).unwrap();
        let decoded = Statement::decode(artifact.envelope().payload());
        assert_eq!(decoded.is_ok(), case.accepted.unwrap(), "{}", case.name);
    }
    // Anywhere except at the end, it is an unknown field.
    let elsewhere = ["\"kind\":", "\"builder\":"]
        .map(|at| forge.with_payload_text(at, &format!("\"extensions\":{EXTENSION},{at}")));
    let elsewhere = elsewhere.into_iter().map(|file| Case {
        name: "elsewhere".to_owned(),
        file,
        trust: trust.clone(),
        arguments: Vec::new(),
        accepted: Some(false),
    });
    if python().is_some() {
        check_agreement(cases.into_iter().chain(elsewhere));
    }
}

/// The same pseudorandom numbers in every run (xorshift64, Marsaglia 2003).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn text(&mut self) -> String {
        let characters = [
            'a', 'b', '"', '\\', '/', '\n', '\u{1f}', '\u{7f}', 'é', '\u{2028}', '🦀',
        ];
        let length = self.below(6);
        (0..length)
            .map(|_| characters[self.below(11) as usize])
            .collect()
    }

    fn value(&mut self, room: usize) -> ExtensionValue {
        let kinds = if room > 0 { 5 } else { 3 };
        match self.below(kinds) {
            0 => ExtensionValue::Boolean(self.below(2) == 0),
            1 => ExtensionValue::Integer(self.below(1 << 53)),
            2 => ExtensionValue::String(self.text()),
            3 => {
                let length = self.below(4);
                ExtensionValue::List((0..length).map(|_| self.value(room - 1)).collect())
            }
            _ => {
                let length = self.below(4);
                let fields = (0..length).map(|_| (self.text(), self.value(room - 1)));
                ExtensionValue::Object(fields.collect())
            }
        }
    }
}

/// Each value has one spelling: encoding and decoding give the same value and the same bytes. Other
/// JSON readers read the same value.
#[test]
fn any_extensions_survive_their_encoding() {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut manifest = Forge::of(material()).manifest;
    for case in 0..500 {
        let names = 1 + numbers.below(4);
        let values = (0..names).map(|number| (format!("dev.example/{number}"), numbers.value(6)));
        let values: BTreeMap<String, ExtensionValue> = values.collect();
        let text = serde_json::to_string(&values).unwrap();
        manifest.extensions = Some(Extensions::new(values).unwrap());
        let manifest = manifest.clone();
        let statement = Statement { manifest };
        let encoded = statement.encode();
        assert!(
            String::from_utf8_lossy(&encoded).ends_with(&format!("\"extensions\":{text}}}}}")),
            "{case}"
        );
        assert_eq!(
            Statement::decode(&encoded).as_ref(),
            Ok(&statement),
            "{case}"
        );
        let other: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            serde_json::to_value(statement.manifest.extensions).unwrap(),
            other,
            "{case}"
        );
    }
}
