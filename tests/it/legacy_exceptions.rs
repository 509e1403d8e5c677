//! Programs with exceptions from before the standard: a `wasm-opt` that the user named translates
//! them, and no other.
//!
//! The optimizers here are scripts that know the program. `cargo xtask ci legacy` does the same
//! with a real one.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt as _;

use edgec_tests::{Sandbox, words};
use serde_json::Value;

/// Catches an exception that it threw. If it did not, it would trap.
const LEGACY: &str = r#"(module (tag $t) (memory (export "memory") 1)
    (func $main (export "_start") try throw $t catch $t end))"#;

/// The same, as `wasm-opt` translates it.
const STANDARD: &str = r#"(module (tag $t) (memory (export "memory") 1)
    (func $main (export "_start") (block (try_table (catch $t 0) (throw $t)))))"#;

/// The version that a script reports. From this one on, programs are translated.
const VERSION: &str = "wasm-opt version 118 (version_118)";

const BUILD: &str = "build -q --key key.pem -o a.cwasm in.wat -t";
const WITH: &str = "--wasm-opt ./bin/wasm-opt";

/// A sandbox with the program, and with its translation where the optimizer can read it.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("in.wat", LEGACY);
    sandbox.write("in.wasm", wat::parse_str(LEGACY).unwrap());
    sandbox.write("bin/standard.wasm", wat::parse_str(STANDARD).unwrap());
    sandbox
}

/// Writes a `wasm-opt` that runs `translate` for a module with legacy exceptions, and returns other
/// modules unchanged.
fn optimizer(sandbox: &Sandbox, version: &str, translate: &str) {
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in\n--version) echo '{version}' ;;\n\
         *--translate-to-exnref*) {translate} ;;\n*) exec cat ;;\nesac\n"
    );
    let path = sandbox.write("bin/wasm-opt", script);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Returns the program's translation.
const TRANSLATE: &str = r#"exec cat "${0%/*}/standard.wasm""#;

/// The arguments of a build for this machine, and more.
fn build(more: &str) -> Vec<&str> {
    [&words(BUILD)[..], &[std::env::consts::ARCH], &words(more)].concat()
}

fn stages(sandbox: &Sandbox) -> Vec<Value> {
    let json = sandbox.ok(&words("inspect a.cwasm --format json"));
    let report: Value = serde_json::from_str(&json).unwrap();
    let stages = report["manifest"]["builder"]["stages"].as_array();
    stages.unwrap().clone()
}

#[test]
fn a_named_optimizer_translates_and_the_manifest_says_so() {
    let sandbox = sandbox();
    optimizer(&sandbox, VERSION, TRANSLATE);
    for level in ["-O0", "-O2"] {
        let json = sandbox.ok(&build(&format!("{WITH} {level} --format json")));
        let report: Value = serde_json::from_str(&json).unwrap();
        let translate = &report["inputs"][0]["built"]["translate"];
        assert_eq!(translate["modules"], serde_json::json!([0]), "{json}");
        let stages = stages(&sandbox);
        let names: Vec<&str> = stages
            .iter()
            .map(|it| it["name"].as_str().unwrap())
            .collect();
        assert_eq!(names[..2], ["parse", "translate"], "{level}");
        assert_eq!(stages[1]["tool"], "wasm-opt");
        assert_eq!(stages[1]["version"], VERSION);
        assert_eq!(stages[1]["settings"]["modules"], "0");
        sandbox.ok(&words("run --key key.pub.pem a.cwasm"));
        let verify = "verify --key key.pub.pem a.cwasm --rebuild in.wat";
        sandbox.ok(&words(&format!("{verify} {WITH}")));
        // A rebuild needs the optimizer too.
        let stderr = sandbox.fails(1, &words(verify));
        assert!(stderr.contains("error[legacy-exceptions]: "), "{stderr}");
    }
    let line = build(WITH).into_iter().filter(|word| *word != "-q");
    let text = sandbox.ok(&line.collect::<Vec<&str>>());
    let row = "  translate  legacy exceptions to standard ones, 1 core module";
    assert!(text.contains(row), "{text}");
}

/// The translated program is the standard one: its image is the same, as text and as binary.
#[test]
fn the_image_is_that_of_the_standard_program() {
    let sandbox = sandbox();
    optimizer(&sandbox, VERSION, TRANSLATE);
    let image = |input: &str| {
        let more = format!("{WITH} -O0 --name app");
        let line = build(&more).into_iter();
        let line: Vec<&str> = line
            .map(|word| if word == "in.wat" { input } else { word })
            .collect();
        sandbox.ok(&line);
        let json = sandbox.ok(&words("inspect a.cwasm --format json"));
        let report: Value = serde_json::from_str(&json).unwrap();
        report["manifest"]["image"]["sha256"].to_string()
    };
    sandbox.write("standard.wat", STANDARD);
    let standard = image("standard.wat");
    assert!(standard.len() > 60, "{standard}");
    assert_eq!(image("in.wat"), standard);
    assert_eq!(image("in.wasm"), standard);
}

/// Only the core modules with legacy exceptions change.
#[test]
fn modules_of_a_component_are_translated() {
    let sandbox = sandbox();
    optimizer(&sandbox, VERSION, TRANSLATE);
    let module = LEGACY.strip_prefix("(module").unwrap();
    let component = format!(
        "(component (core module (memory 1)) (core module $m {module}
            (core instance $i (instantiate $m))
            (func (export \"f\") (canon lift (core func $i \"_start\"))))"
    );
    sandbox.write("in.wat", component);
    sandbox.ok(&build(WITH));
    assert_eq!(stages(&sandbox)[1]["settings"]["modules"], "1");
}

#[test]
fn without_a_named_optimizer_the_error_says_what_to_name() {
    let sandbox = sandbox();
    optimizer(&sandbox, VERSION, TRANSLATE);
    let before = sandbox.files();
    // An optimizer on the path is not a named one.
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", sandbox.path().join("bin").display());
    for input in ["in.wat", "in.wasm"] {
        for verb in [&build("")[..], &["validate", input]] {
            let line: Vec<&str> = verb
                .iter()
                .map(|word| if *word == "in.wat" { input } else { word })
                .collect();
            let output = sandbox.command(&line).env("PATH", &path).output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{stderr}");
            let begins = format!("error[legacy-exceptions]: {input}: ");
            assert!(stderr.starts_with(&begins), "{stderr}");
            let hint = "\n  hint: these are legacy exceptions, from before the standard: \
                        `edgec build` translates them if --wasm-opt names a `wasm-opt` of \
                        Binaryen 118 or later;\n";
            assert!(stderr.contains(hint), "{stderr}");
        }
    }
    assert_eq!(sandbox.files(), before);
}

#[test]
fn an_optimizer_that_cannot_translate_is_named() {
    let sandbox = sandbox();
    for version in ["wasm-opt version 117 (version_117)", "fake 1", ""] {
        optimizer(&sandbox, version, TRANSLATE);
        let stderr = sandbox.fails(1, &build(WITH));
        let begins = "error[legacy-exceptions]: in.wat: the program has legacy exceptions, and the \
                      optimizer's version is";
        assert!(stderr.starts_with(begins), "{stderr}");
        let says = format!("`{version}`, not 118 or later\n");
        assert!(stderr.contains(&says), "{stderr}");
        assert!(stderr.contains("hint: "), "{stderr}");
        assert!(!sandbox.path().join("a.cwasm").exists());
    }
}

#[test]
fn a_failed_translation_is_an_error() {
    let sandbox = sandbox();
    for (translate, code, says) in [
        (
            "echo oh no >&2; exit 1",
            "legacy-exceptions",
            "of core module 0 were not translated: the optimizer failed (exit status: 1): oh no",
        ),
        (
            "kill -SEGV $$",
            "legacy-exceptions",
            "of core module 0 were not translated: the optimizer failed (signal: 11 (SIGSEGV)",
        ),
        // It has translated nothing.
        (
            "exec cat",
            "legacy-exceptions",
            "with its legacy exceptions translated, the program is not valid: ",
        ),
        (
            "echo garbage",
            "legacy-exceptions",
            "with its legacy exceptions translated, the program is not valid: ",
        ),
        (
            "exec sleep 100",
            "optimize-timeout",
            "translating the legacy exceptions of core module 0 was stopped after 1 s",
        ),
        (
            "echo memory allocation of 9 bytes failed >&2; kill -ABRT $$",
            "optimize-memory",
            "translating the legacy exceptions of core module 0 needs more than 8192 MiB",
        ),
    ] {
        optimizer(&sandbox, VERSION, translate);
        let more = format!("{WITH} --optimizer-timeout 1");
        let stderr = sandbox.fails(1, &build(&more));
        let begins = format!("error[{code}]: in.wat: ");
        assert!(stderr.starts_with(&begins), "{translate}: {stderr}");
        assert!(stderr.contains(says), "{translate}: {stderr}");
        assert!(stderr.contains("hint: "), "{translate}: {stderr}");
        assert!(!sandbox.path().join("a.cwasm").exists());
    }
    // What the machine did is not the program's fault.
    optimizer(&sandbox, VERSION, "kill -KILL $$");
    let stderr = sandbox.fails(3, &build(WITH));
    assert!(stderr.starts_with("error[killed]: "), "{stderr}");
}

/// The message is about what a translation would not change.
#[test]
fn another_error_is_reported_first() {
    let sandbox = sandbox();
    optimizer(&sandbox, VERSION, TRANSLATE);
    let also = "(module (memory 1 (pagesize 1)) (func try catch_all end))";
    sandbox.write("in.wat", also);
    let stderr = sandbox.fails(1, &build(WITH));
    assert!(stderr.starts_with("error[unsupported]: "), "{stderr}");
    assert!(stderr.contains("`custom_page_sizes`"), "{stderr}");
}
