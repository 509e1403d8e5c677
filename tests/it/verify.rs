//! The report of `edgec verify`: every check that was made, and no other; for several artifacts,
//! from standard input, and for hosts.

use edgec_packager::SecretKey;
use edgec_tests::Sandbox;
use edgec_tests::corpus::{Forge, write_policy};
use serde_json::Value;

/// All checks of a verification, in order.
const CHECKS: [&str; 25] = [
    "policy",
    "layout",
    "signatures",
    "statement",
    "digest",
    "image",
    "expected",
    "application",
    "channel",
    "target",
    "version",
    "revocation",
    "compiler",
    "builder",
    "advisories",
    "profile",
    "imports",
    "validity",
    "expiry",
    "audit",
    "provenance",
    "release",
    "freshness",
    "notary",
    "log",
];

/// A sandbox with the example for x86-64 and aarch64, and a policy with this text.
fn sandbox(policy: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.hello();
    for target in ["x86_64", "aarch64"] {
        let example = edgec_tests::repository().join("examples/hello.wat");
        let output = format!("{target}.cwasm");
        sandbox.build(example.to_str().unwrap(), target, &output);
    }
    let pem = String::from_utf8(sandbox.read("key.pub.pem")).unwrap();
    let key = format!("[[key]]\nname = 'k'\npem = '''\n{pem}'''\n");
    write_policy(&sandbox, &format!("threshold = 1\n{policy}\n{key}"));
    sandbox
}

fn reports(sandbox: &Sandbox, arguments: &[&str]) -> Vec<Value> {
    let verb = ["verify", "--trust", "edgec-trust.toml", "--format", "json"];
    let output = sandbox.run(&[&verb[..], arguments].concat());
    edgec_tests::results(&output.stdout)
}

/// Names and outcomes of a report's checks.
fn checks(report: &Value) -> Vec<(&str, &str)> {
    let checks = report["checks"].as_array().unwrap();
    checks
        .iter()
        .map(|check| {
            let text = |field: &str| check[field].as_str().unwrap();
            (text("check"), text("status"))
        })
        .collect()
}

#[test]
fn every_outcome_is_told() {
    let policy = "[allow]\nimports = []\ntargets = ['x86_64*']\nchannels = ['stable']\n\
        [checks]\nimports = 'warn'\nexpiry = 'off'\nchannel = 'warn'\n[validity]\nexpiry-required = true";
    let sandbox = sandbox(policy);
    let reports = reports(&sandbox, &["x86_64.cwasm", "aarch64.cwasm"]);
    assert_eq!(reports.len(), 2);
    let found = checks(&reports[0]);
    let names: Vec<&str> = found.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, CHECKS);
    let outcome = |report: usize, name| {
        let found = checks(&reports[report]);
        found
            .iter()
            .find(|(check, _)| *check == name)
            .unwrap()
            .1
            .to_owned()
    };
    assert_eq!(outcome(0, "target"), "passed");
    assert_eq!(outcome(0, "imports"), "warned");
    assert_eq!(outcome(0, "channel"), "warned");
    assert_eq!(outcome(0, "expiry"), "off");
    assert_eq!(outcome(0, "revocation"), "not-applicable");
    assert_eq!(reports[0]["verified"], true);
    assert_eq!(reports[0]["warnings"], 2);
    assert_eq!(outcome(1, "target"), "failed");
    assert_eq!(reports[1]["verified"], false);
    assert_eq!(reports[1]["error"]["code"], "target");
}

/// A refusal ends the report at the point where the evidence ends.
#[test]
fn what_was_not_checked_is_not_told() {
    let sandbox = sandbox("");
    let mut file = sandbox.read("x86_64.cwasm");
    file[0x1100] ^= 1;
    sandbox.write("changed.cwasm", &file);
    file.pop();
    sandbox.write("shorter.cwasm", file);
    let reports = reports(&sandbox, &["changed.cwasm", "shorter.cwasm", "--host"]);
    let changed = [
        ("policy", "not-applicable"),
        ("layout", "passed"),
        ("signatures", "passed"),
        ("statement", "passed"),
        ("digest", "failed"),
    ];
    assert_eq!(checks(&reports[0]), changed);
    let shorter = [("policy", "not-applicable"), ("layout", "failed")];
    assert_eq!(checks(&reports[1]), shorter);
}

#[test]
fn the_worst_outcome_is_the_exit_code() {
    let sandbox = sandbox("");
    sandbox.write("empty.cwasm", "");
    let verify = |files: &[&str]| {
        let verb = ["verify", "-q", "--key", "key.pub.pem"];
        sandbox.run(&[&verb[..], files].concat()).status.code()
    };
    assert_eq!(verify(&["x86_64.cwasm", "aarch64.cwasm"]), Some(0));
    assert_eq!(verify(&["x86_64.cwasm", "empty.cwasm"]), Some(1));
    assert_eq!(verify(&["absent.cwasm", "empty.cwasm"]), Some(3));
    assert_eq!(verify(&[]), Some(2));
}

#[test]
fn an_artifact_from_standard_input() {
    let sandbox = sandbox("");
    let file = std::fs::File::open(sandbox.path().join("x86_64.cwasm")).unwrap();
    let verb = ["verify", "-q", "--key", "key.pub.pem", "-"];
    let output = sandbox.command(&verb).stdin(file).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "-: verified\n");
}

#[test]
fn a_host_answers_for_itself() {
    let sandbox = sandbox("");
    let host = |text: &str, artifact: &str| {
        sandbox.write("host.toml", text);
        let reports = reports(&sandbox, &[artifact, "--host", "host.toml"]);
        let answer = checks(&reports[0]).last().unwrap().1.to_owned();
        let code = reports[0]["error"]["code"]
            .as_str()
            .unwrap_or("")
            .to_owned();
        (answer, code)
    };
    let passed = ("passed".to_owned(), String::new());
    let failed = |code: &str| ("failed".to_owned(), code.to_owned());
    let n1 = "schema = 1\narch = 'aarch64'\nfeatures = ['lse']\nengine = '48.0.2'\nprofiles = ['default']";
    assert_eq!(host(n1, "aarch64.cwasm"), passed);
    assert_eq!(host(n1, "x86_64.cwasm"), failed("host"));
    let old = "schema = 1\narch = 'x86_64'\nfeatures = ['sse3']\nengine = '48.0.8'\nprofiles = ['default']";
    assert_eq!(host(old, "x86_64.cwasm"), failed("host"));
    assert_eq!(
        host(&n1.replace("48.0.2", "49.0.0"), "aarch64.cwasm"),
        failed("engine-version")
    );
    assert_eq!(
        host(&n1.replace("'default'", "'edge'"), "aarch64.cwasm"),
        failed("profile")
    );
    let malformed = |text: &str, says: &str| {
        sandbox.write("host.toml", text);
        let verb = ["verify", "aarch64.cwasm", "--key", "key.pub.pem"];
        let stderr = sandbox.fails(1, &[&verb[..], &["--host", "host.toml"]].concat());
        let begins = stderr.starts_with("error[host-profile]: host.toml");
        assert!(begins && stderr.contains(says), "{stderr}");
    };
    malformed(
        &n1.replace("lse", "lze"),
        "no CPU feature of aarch64 is called `lze`",
    );
    malformed("schema = 1\narch = 'aarch64'", "missing field `features`");
}

/// EDGEC-2026-0001: code with exceptions from one side of 48.0.6, on a host from the other.
#[test]
fn another_layout_of_instances_is_another_engine() {
    let sandbox = sandbox("");
    let pem = String::from_utf8(sandbox.read("key.pem")).unwrap();
    let key = SecretKey::from_pem(&pem).unwrap();
    let file = sandbox.read("aarch64.cwasm");
    let forge = Forge::new(&file, &key);
    let host = |compiled: &str, exceptions: bool, engine: &str| {
        let forged = forge.with_manifest(|manifest| {
            manifest.engine.version = compiled.to_owned();
            if exceptions {
                manifest.wasm_features.push("exceptions".to_owned());
            }
        });
        sandbox.write("forged.cwasm", forged);
        let profile = format!(
            "schema = 1\narch = 'aarch64'\nfeatures = []\nengine = '{engine}'\nprofiles = ['default']"
        );
        sandbox.write("host.toml", profile);
        let reports = reports(&sandbox, &["forged.cwasm", "--host", "host.toml"]);
        reports[0]["error"]["code"]
            .as_str()
            .unwrap_or("")
            .to_owned()
    };
    assert_eq!(host("48.0.5", true, "48.0.8"), "engine-version");
    assert_eq!(host("48.0.8", true, "48.0.5"), "engine-version");
    assert_eq!(host("48.0.5", true, "48.0.1"), "");
    assert_eq!(host("48.0.6", true, "48.0.8"), "");
    assert_eq!(host("48.0.5", false, "48.0.8"), "");
}

/// Without a version, there is nothing to compare. A damaged state file is an error.
#[test]
fn the_newest_policy_seen_is_compared_or_it_is_an_error() {
    let sandbox = sandbox("");
    let verify = [
        "verify",
        "x86_64.cwasm",
        "--trust",
        "edgec-trust.toml",
        "--trust-state",
        "seen.json",
    ];
    let stderr = sandbox.fails(1, &verify);
    assert!(stderr.contains("states no version"), "{stderr}");
    let text = String::from_utf8(sandbox.read("edgec-trust.toml")).unwrap();
    write_policy(&sandbox, &format!("name = 'fleet'\nversion = 1\n{text}"));
    sandbox.ok(&verify);
    let mut unset = sandbox.command(&verify[..4]);
    let output = unset.env("EDGEC_TRUST_STATE", "").output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    let says = "error[trust-state]: EDGEC_TRUST_STATE is empty";
    assert!(stderr.starts_with(says), "{stderr}");
    sandbox.write("seen.json", "{");
    let stderr = sandbox.fails(1, &verify);
    assert!(stderr.contains("is damaged"), "{stderr}");
    let elsewhere = verify.map(|word| {
        if word == "seen.json" {
            "no/seen.json"
        } else {
            word
        }
    });
    let stderr = sandbox.fails(3, &elsewhere);
    assert!(stderr.starts_with("error[io]"), "{stderr}");
    sandbox.write("edgec-trust.toml", b"name = \"\xff\"");
    let stderr = sandbox.fails(1, &verify);
    assert!(stderr.contains("invalid UTF-8 at byte 8"), "{stderr}");
}

/// The table, the document and the failure name the same cause.
#[test]
fn what_another_file_is_stands_in_every_report() {
    let sandbox = Sandbox::new();
    let mut tar = vec![b'a'; 512];
    tar[257..262].copy_from_slice(b"ustar");
    let mut stock = b"\x7fELF\x02\x01\x01\xc8".to_vec();
    stock.resize(100, 0);
    let cases = [
        ("a.gz", b"\x1f\x8b\x08 and more".to_vec(), "gzip archive"),
        ("a.tar", tar, "tar archive"),
        ("a.wat", b"(module)".to_vec(), "WebAssembly text"),
        ("stock.cwasm", stock, "image of Wasmtime"),
        (
            "a.png",
            b"\x89PNG\r\n\x1a\n\0\xff and some forty bytes, as a footer has".to_vec(),
            "not a .cwasm artifact",
        ),
    ];
    for (name, bytes, what) in cases {
        sandbox.write(name, bytes);
        let verify = ["verify", "--key", "key.pub.pem", name];
        let output = sandbox.run(&verify);
        let text = String::from_utf8(output.stdout).unwrap();
        let row = text.lines().find(|line| line.contains("layout")).unwrap();
        assert!(row.contains(what), "{text}");
        let output = sandbox.run(&[&verify[..], &["--format", "json"]].concat());
        let reports: Value = serde_json::from_slice(&output.stdout).unwrap();
        let report = &reports["results"][0];
        let checks = report["checks"].as_array().unwrap();
        let layout = checks.iter().find(|it| it["check"] == "layout").unwrap();
        assert_eq!(layout["evidence"], report["error"]["message"]);
    }
}

/// If the user gives only keys, the report does not mention a policy.
#[test]
fn without_a_policy_the_report_says_what_was_required() {
    let sandbox = sandbox("");
    let table = |arguments: &[&str]| {
        let verb = ["verify", "x86_64.cwasm"];
        sandbox.ok(&[&verb[..], arguments].concat())
    };
    let key = ["--key", "key.pub.pem"];
    let name = ["--name", "hello"];
    for (arguments, said) in [
        (&key[..], "only the signature was required"),
        (
            &[&key[..], &name].concat()[..],
            "only the signature and the name were required",
        ),
    ] {
        let text = table(arguments);
        assert!(text.contains(&format!("no policy given: {said}")), "{text}");
        assert!(!text.contains("(policy)"), "{text}");
    }
    let text = table(&["--trust", "edgec-trust.toml"]);
    assert!(text.contains("the policy does not expire"), "{text}");
    assert!(text.contains("(policy)") && text.contains("not compared with earlier"));
}

/// The report does not give a channel to an artifact without one.
#[test]
fn a_channel_that_is_not_stated_is_said_to_be_missing() {
    let sandbox = Sandbox::new();
    sandbox.hello();
    let verify = ["verify", "--key", "key.pub.pem", "hello.cwasm"];
    let stderr = sandbox.fails(1, &[&verify[..], &["--channel", "stable"]].concat());
    assert!(
        stderr.contains("the artifact states no channel, `stable` is wanted"),
        "{stderr}"
    );
    assert!(!stderr.contains("``"), "{stderr}");
    let policy = |channels: &str| {
        let pem = String::from_utf8(sandbox.read("key.pub.pem")).unwrap();
        let key = format!("[[key]]\nname = 'k'\npem = '''\n{pem}'''\n");
        let allow = format!("[allow]\nchannels = {channels}\n");
        write_policy(&sandbox, &format!("threshold = 1\n{allow}\n{key}"));
    };
    let verify = ["verify", "--trust", "edgec-trust.toml", "hello.cwasm"];
    policy("['stable']");
    let stderr = sandbox.fails(1, &verify);
    assert!(
        stderr.contains("the artifact states no channel, "),
        "{stderr}"
    );
    policy("['*']");
    let verified = sandbox.ok(&verify);
    assert!(!verified.contains("``"), "{verified}");
}
