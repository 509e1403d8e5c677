//! `edgec build --prune-imports`: the artifact lacks the imports that nothing in the component
//! uses, and does the same.

use edgec_tests::Sandbox;
use edgec_tests::commands::command;
use edgec_tests::corpus::write_policy;
use serde_json::{Value, json};

const RANDOM: &str = "wasi:random/random@0.2.0";
const ENVIRONMENT: &str = "wasi:cli/environment@0.2.0";
/// What the program needs to print.
const NEEDED: [&str; 3] = [
    "wasi:cli/stdout@0.2.0",
    "wasi:io/error@0.2.0",
    "wasi:io/streams@0.2.0",
];

/// A command that prints `42`. It imports an interface of which it makes nothing, and another one
/// with a function that its core module imports and never calls.
fn program() -> String {
    command(&format!(
        r#"(import "{ENVIRONMENT}" (instance
            (export "get-arguments" (func (result (list string))))))
        (import "{RANDOM}" (instance $random (export "get-random-u64" (func (result u64)))))
        (core func $random (canon lower (func $random "get-random-u64")))
        (core module $m
            (import "host" "say" (func $say (param i32)))
            (import "random" "next" (func (result i64)))
            (func (export "run") (result i32) (call $say (i32.const 42)) (i32.const 0)))
        (core instance $m (instantiate $m
            (with "host" (instance $host))
            (with "random" (instance (export "next" (func $random))))))
        (alias core export $m "run" (core func $main))"#
    ))
}

fn build(sandbox: &Sandbox, options: &[&str]) -> Value {
    let fixed = ["build", "app.wat", "-t", std::env::consts::ARCH];
    let signed = ["--key", "key.pem", "-o", "app.cwasm", "--format", "json"];
    let report = sandbox.ok(&[&fixed[..], &signed, options].concat());
    let report: Value = serde_json::from_str(&report).unwrap();
    report["inputs"][0]["built"].clone()
}

fn manifest(sandbox: &Sandbox) -> Value {
    let report = sandbox.ok(&["inspect", "app.cwasm", "--format", "json"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    report["manifest"].clone()
}

/// What the manifest says about the stage, if the program went through it.
fn stage(manifest: &Value) -> Option<&Value> {
    let stages = manifest["builder"]["stages"].as_array().unwrap();
    let stage = stages.iter().find(|stage| stage["name"] == "prune");
    stage.map(|stage| &stage["settings"])
}

/// Checks that the artifact prints the number, and that a rebuild gives the same artifact.
fn is_sound(sandbox: &Sandbox) {
    let output = sandbox.run(&["run", "--key", "key.pub.pem", "app.cwasm"]);
    assert_eq!(output.stdout, b"42 ", "{output:?}");
    assert_eq!(output.status.code(), Some(0));
    let verify = ["verify", "-q", "--key", "key.pub.pem", "app.cwasm"];
    sandbox.ok(&[&verify[..], &["--rebuild", "app.wat"]].concat());
}

#[test]
fn an_artifact_lacks_the_imports_that_nothing_uses() {
    let sandbox = Sandbox::new();
    sandbox.write("app.wat", program());
    let mut all = Vec::from(NEEDED);
    all.extend([ENVIRONMENT, RANDOM]);
    all.sort_unstable();

    for level in ["-O0", "-O2"] {
        let report = build(&sandbox, &[level]);
        assert_eq!(report["importsRemoved"], json!([]));
        let manifest = manifest(&sandbox);
        assert_eq!(manifest["capabilities"]["imports"], json!(all));
        assert_eq!(stage(&manifest), None);
        is_sound(&sandbox);
    }
    for (options, removed) in [
        // Without the optimizer, the core module still imports the function.
        (&["-O0"][..], &[ENVIRONMENT][..]),
        (&["-O2"], &[ENVIRONMENT, RANDOM]),
        (&["-O2", "--no-flatten"], &[ENVIRONMENT, RANDOM]),
        (&["-O2", "--profile", "edge"], &[ENVIRONMENT, RANDOM]),
    ] {
        let report = build(&sandbox, &[options, &["--prune-imports"]].concat());
        assert_eq!(report["importsRemoved"], json!(removed), "{options:?}");
        assert!(report["importsKept"].is_null(), "{report}");
        let manifest = manifest(&sandbox);
        let left: Vec<&str> = all
            .iter()
            .copied()
            .filter(|name| !removed.contains(name))
            .collect();
        assert_eq!(manifest["capabilities"]["imports"], json!(left));
        let number = removed.len().to_string();
        let settings = json!({"importsRemoved": number, "removed": removed.join(",")});
        assert_eq!(stage(&manifest), Some(&settings));
        is_sound(&sandbox);
    }
}

#[test]
fn the_summary_names_them() {
    let sandbox = Sandbox::new();
    sandbox.write("app.wat", program());
    let told = |options: &[&str]| {
        let build = ["build", "app.wat", "--key", "key.pem", "-o", "out", "-O2"];
        let output = sandbox.run(&[&build[..], options].concat());
        assert!(output.status.success(), "{output:?}");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr))
    };
    let (summary, notes) = told(&["--prune-imports"]);
    let line = summary.lines().find(|line| line.starts_with("  prune"));
    let words: Vec<&str> = line.unwrap().split_whitespace().collect();
    assert_eq!(words, ["prune", "2", "unused", "imports", "removed"]);
    let note =
        format!("note: app.wat: 2 unused imports were removed: `{ENVIRONMENT}`, `{RANDOM}`\n");
    assert!(notes.contains(&note), "{notes}");
    let (summary, notes) = told(&[]);
    assert!(!summary.contains("prune"), "{summary}");
    assert!(!notes.contains("unused import"), "{notes}");
}

/// A policy sees the imports that are left.
#[test]
fn a_policy_need_not_allow_what_is_gone() {
    let sandbox = Sandbox::new();
    sandbox.write("app.wat", program());
    let pem = String::from_utf8(sandbox.read("key.pub.pem")).unwrap();
    let policy = format!(
        "threshold = 1\n[allow]\nimports = ['wasi:io/*', 'wasi:cli/stdout@*']\n\
         [[key]]\nname = 'k'\npem = \"\"\"\n{pem}\"\"\"\n"
    );
    write_policy(&sandbox, &policy);
    let verify = ["verify", "-q", "app.cwasm", "--trust", "edgec-trust.toml"];
    build(&sandbox, &["-O2"]);
    let stderr = sandbox.fails(1, &verify);
    assert!(stderr.contains("error[import]: "), "{stderr}");
    build(&sandbox, &["-O2", "--prune-imports"]);
    sandbox.ok(&verify);
}

/// The option is for components. A core module loses its unused imports to the optimizer.
#[test]
fn a_core_module_is_left_to_the_optimizer() {
    let sandbox = Sandbox::new();
    let text = r#"(module (import "env" "a" (func)) (memory (export "memory") 1)
        (func (export "_start")))"#;
    sandbox.write("app.wat", text);
    let report = build(&sandbox, &["-O0", "--prune-imports"]);
    assert_eq!(report["importsRemoved"], json!([]));
    let manifest = manifest(&sandbox);
    assert_eq!(manifest["capabilities"]["imports"], json!(["env::a"]));
    assert_eq!(stage(&manifest), None);
}
