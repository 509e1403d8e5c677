//! `edgec verify --rebuild`: makes an image again from its input, as the manifest states.

#![cfg(unix)]

use std::collections::BTreeMap;

use edgec_packager::SecretKey;
use edgec_tests::corpus::Forge;
use edgec_tests::{Sandbox, guests, repository};
use serde_json::Value;

/// Two core modules, one of which traps, and a start-up function for `--init`.
const APP: &str = r#"(component
    (core module $a (memory (export "m") 1)
        (func $double (export "f") (param i32) (result i32) local.get 0 i32.const 1 i32.shl)
        (func (export "init") i32.const 0 i32.const 7 i32.store))
    (core module $b (func (export "g") (result i32) i32.const 1 i32.const 2 i32.add))
    (core instance $a (instantiate $a)) (core instance $b (instantiate $b))
    (func (export "f") (param "x" s32) (result s32) (canon lift (core func $a "f")))
    (func (export "init") (canon lift (core func $a "init")))
    (func (export "g") (result s32) (canon lift (core func $b "g"))))"#;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("app.wat", APP);
    sandbox
}

fn build(sandbox: &Sandbox, arguments: &[&str]) {
    let fixed = ["build", "-q", "--key", "key.pem", "-o", "a.cwasm"];
    sandbox.ok(&[&fixed[..], arguments].concat());
}

/// The arguments of a verification with a rebuild.
fn verify<'a>(input: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let fixed = [
        "verify",
        "--key",
        "key.pub.pem",
        "a.cwasm",
        "--rebuild",
        input,
    ];
    [&fixed[..], more].concat()
}

/// The report of a verification that refuses.
fn refused(sandbox: &Sandbox, input: &str) -> Value {
    let output = sandbox.run(&verify(input, &["--format", "json"]));
    assert_eq!(output.status.code(), Some(1));
    let report = edgec_tests::results(&output.stdout).swap_remove(0);
    assert_eq!(report["verified"], false);
    let check = report["checks"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&check["check"], &check["status"]),
        (&"rebuild".into(), &"failed".into())
    );
    report
}

fn forged(sandbox: &Sandbox, change: impl FnOnce(&Forge<'_>) -> Vec<u8>) {
    let file = sandbox.read("a.cwasm");
    let pem = String::from_utf8(sandbox.read("key.pem")).unwrap();
    let key = SecretKey::from_pem(&pem).unwrap();
    let changed = change(&Forge::new(&file, &key));
    sandbox.write("a.cwasm", changed);
}

#[test]
fn every_way_to_build_is_made_again() {
    let sandbox = sandbox();
    sandbox.write("module.wat", r#"(module (func (export "f")))"#);
    let command = r#"(module
        (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
        (memory (export "memory") 1)
        (func (export "_start") (drop (call $yield))))"#;
    sandbox.write("command.wat", command);
    let ways: &[&[&str]] = &[
        &["app.wat", "-t", "x86_64"],
        &["app.wat", "-t", "aarch64", "--profile", "edge", "-Oz"],
        &["app.wat", "-t", "x86_64-v3", "-O0", "--debug-file"],
        &["app.wat", "-t", "x86_64", "--init", "init"],
        &["app.wat", "-t", "x86_64", "--prune-imports"],
        &["module.wat", "-t", "x86_64", "--no-self-audit"],
        &["command.wat", "-t", "x86_64", "--kind", "component"],
        &[
            "module.wat",
            "-t",
            "aarch64",
            "--name",
            "acme/shop",
            "--app-version",
            "7",
            "--display-version",
            "7.0",
            "--channel",
            "stable",
            "--issued",
            "1700000000",
            "--expires",
            "9999-01-01",
        ],
    ];
    for way in ways {
        build(&sandbox, way);
        let report = sandbox.ok(&verify(way[0], &[]));
        let line = report
            .lines()
            .find(|line| line.contains("rebuild"))
            .unwrap();
        assert!(line.contains("passed"), "{way:?}: {line}");
    }
}

/// The real programs, which a security team would rebuild.
#[test]
fn guests_are_made_again() {
    let Some(guests) = guests() else { return };
    for (guest, target) in [
        ("c-cmark.wasm", "aarch64"),
        ("rust-http-proxy.wasm", "x86_64"),
    ] {
        let sandbox = Sandbox::new();
        let guest = guests.join(guest);
        let guest = guest.to_str().unwrap();
        build(&sandbox, &[guest, "-t", target, "--profile", "edge"]);
        sandbox.ok(&verify(guest, &["-q"]));
    }
}

#[test]
fn the_optimizer_that_was_used_is_asked_for() {
    let sandbox = sandbox();
    // The script returns the module unchanged. Among its arguments, the output follows `-o`.
    let gives_back = r#"for it; do [ "$last" = -o ] && out=$it; last=$it; in=$it; done; in=$1; for it; do case $it in *.wasm) [ "$it" != "$out" ] && in=$it;; esac; done; cp "$in" "$out" 2>/dev/null || cat"#;
    sandbox.fake_optimizer(gives_back);
    build(
        &sandbox,
        &["app.wat", "-t", "x86_64", "-O2", "--wasm-opt", "./wasm-opt"],
    );
    sandbox.ok(&verify("app.wat", &["--wasm-opt", "./wasm-opt"]));
    let stderr = sandbox.fails(1, &verify("app.wat", &[]));
    assert!(
        stderr.contains("builder.stages.optimize.tool: wasm-opt, made: binaryen"),
        "{stderr}"
    );
    assert!(stderr.contains("--wasm-opt"), "{stderr}");
}

/// It depends on time and memory which modules an optimizer gives up on. The manifest has their
/// numbers.
#[test]
fn modules_that_were_kept_are_kept_again() {
    let sandbox = sandbox();
    sandbox.fake_optimizer("exit 1");
    let fake = ["--wasm-opt", "./wasm-opt"];
    build(
        &sandbox,
        &[&["app.wat", "-t", "x86_64", "-O2"], &fake[..]].concat(),
    );
    // If the optimizer were asked, it would now fail in another way than by an exit code.
    sandbox.fake_optimizer("kill -9 $$");
    sandbox.ok(&verify("app.wat", &fake));
}

#[test]
fn code_that_is_not_the_programs_is_found_with_its_function() {
    let sandbox = sandbox();
    build(&sandbox, &["app.wat", "-t", "x86_64", "-O0"]);
    let report = sandbox.ok(&["inspect", "--format", "json", "a.cwasm"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    let sections = report["sections"].as_array().unwrap();
    let text = sections.iter().find(|it| it["name"] == ".text").unwrap();
    let text = usize::try_from(text["offset"].as_u64().unwrap()).unwrap();
    // The code begins with the first function of the first core module.
    forged(&sandbox, |forge| {
        forge.with_image(|image| image[text + 2] ^= 0xff)
    });
    let report = refused(&sandbox, "app.wat");
    assert_eq!(report["error"]["code"], "rebuild");
    let differences = report["differences"].as_array().unwrap();
    let at: Vec<&str> = differences
        .iter()
        .map(|it| it["at"].as_str().unwrap())
        .collect();
    let code = at.iter().find(|at| at.contains(".text")).unwrap();
    assert!(
        code.contains("section .text from 0x2, first in double (core module 0, function 0) + 0x2"),
        "{code}"
    );
    assert!(at.contains(&"image.sha256"), "{at:?}");
}

#[test]
fn what_a_manifest_says_of_a_program_is_made_again_too() {
    let sandbox = sandbox();
    build(&sandbox, &["app.wat", "-t", "x86_64"]);
    let genuine = sandbox.read("a.cwasm");
    type Change = fn(&mut edgec_artifact::Manifest);
    let claims: [(&str, Change); 5] = [
        ("capabilities.exports", |it| {
            let mut names = it.capabilities.exports.names().unwrap().to_vec();
            names.pop();
            it.capabilities.exports = edgec_artifact::Exports::Listed(names);
        }),
        ("resources.coreInstances", |it| {
            it.resources.core_instances += 1
        }),
        ("source.optimized.length", |it| {
            it.source.optimized.length += 1
        }),
        ("engine.compatibilityHash", |it| {
            it.engine.compatibility_hash.0[0] ^= 1
        }),
        ("builder.edgec", |it| it.builder.edgec = "0.0.1".to_owned()),
    ];
    for (field, change) in claims {
        sandbox.write("a.cwasm", &genuine);
        forged(&sandbox, |forge| forge.with_manifest(change));
        let report = refused(&sandbox, "app.wat");
        let differences = report["differences"].as_array().unwrap();
        let at: Vec<&Value> = differences.iter().map(|it| &it["at"]).collect();
        assert_eq!(at, [field]);
    }
}

/// The settings of the stage `optimize`.
fn optimize(manifest: &mut edgec_artifact::Manifest) -> &mut BTreeMap<String, String> {
    let mut stages = manifest.builder.stages.iter_mut();
    let stage = stages.find(|stage| stage.name == "optimize");
    &mut stage.expect("a stage").settings
}

#[test]
fn what_cannot_be_made_again_is_said() {
    let sandbox = sandbox();
    build(&sandbox, &["app.wat", "-t", "x86_64"]);
    let genuine = sandbox.read("a.cwasm");
    sandbox.write("other.wat", "(component)");
    assert_eq!(
        refused(&sandbox, "other.wat")["error"]["code"],
        "rebuild-input"
    );
    type Change = fn(&mut edgec_artifact::Manifest);
    let unknown: [Change; 5] = [
        |it| it.builder.stages[0].name = "bless".to_owned(),
        |it| drop(optimize(it).insert("level".to_owned(), "9".to_owned())),
        |it| drop(optimize(it).insert("modulesKept".to_owned(), "1,x".to_owned())),
        |it| drop(optimize(it).remove("passes")),
        |it| drop(optimize(it).insert("passes".to_owned(), "edgec-0".to_owned())),
    ];
    for change in unknown {
        sandbox.write("a.cwasm", &genuine);
        forged(&sandbox, |forge| forge.with_manifest(change));
        let report = refused(&sandbox, "app.wat");
        assert_eq!(report["error"]["code"], "rebuild-unknown", "{report}");
    }
}

/// Stages are compared as an ordered list. If a manifest has a second stage with the same name, or
/// a stage in another place, the rebuild refuses it.
#[test]
fn stages_are_what_they_are_in_their_order() {
    let sandbox = sandbox();
    build(&sandbox, &["app.wat", "-t", "x86_64"]);
    let genuine = sandbox.read("a.cwasm");
    forged(&sandbox, |forge| {
        forge.with_manifest(|it| {
            let mut hidden = it.builder.stages[1].clone();
            hidden.tool = "other".to_owned();
            it.builder.stages.insert(1, hidden);
        })
    });
    assert_eq!(
        refused(&sandbox, "app.wat")["error"]["code"],
        "rebuild-unknown"
    );
    sandbox.write("a.cwasm", &genuine);
    forged(&sandbox, |forge| {
        forge.with_manifest(|it| it.builder.stages.reverse())
    });
    assert_eq!(refused(&sandbox, "app.wat")["error"]["code"], "rebuild");
    // `diff` notices it too, without an input.
    sandbox.write("b.cwasm", &genuine);
    sandbox.fails(4, &["diff", "a.cwasm", "b.cwasm"]);
}

/// edgec does not rebuild an artifact that it refuses.
#[test]
fn a_refused_artifact_is_not_made_again() {
    let sandbox = sandbox();
    build(&sandbox, &["app.wat", "-t", "x86_64"]);
    sandbox.ok(&["keygen", "-o", "other.pem"]);
    let arguments = ["verify", "--key", "other.pub.pem", "a.cwasm"];
    let rebuild = ["--rebuild", "app.wat", "--format", "json"];
    let output = sandbox.run(&[&arguments[..], &rebuild].concat());
    assert_eq!(output.status.code(), Some(1));
    let reports = edgec_tests::results(&output.stdout);
    let checks = reports[0]["checks"].as_array().unwrap();
    assert!(checks.iter().all(|check| check["check"] != "rebuild"));
}

#[test]
fn options_of_a_rebuild_want_one() {
    let sandbox = sandbox();
    build(&sandbox, &["app.wat", "-t", "x86_64"]);
    let arguments = ["verify", "--key", "key.pub.pem", "a.cwasm"];
    let stderr = sandbox.fails(2, &[&arguments[..], &["--compile-timeout", "5"]].concat());
    assert!(stderr.contains("--rebuild"), "{stderr}");
    let absent = sandbox.fails(3, &verify("absent.wat", &[]));
    assert!(absent.contains("absent.wat"), "{absent}");
    let example = repository().join("examples/hello.wat");
    let stdin = sandbox.fails(
        2,
        &["verify", "--key", "key.pub.pem", "-", "--rebuild", "-"],
    );
    assert!(stdin.contains("standard input"), "{stdin}");
    assert!(example.is_file());
}

/// A failure of the machine says nothing against the artifact.
#[test]
fn what_the_machine_could_not_check_is_not_refused() {
    let sandbox = sandbox();
    build(&sandbox, &["app.wat", "-t", "x86_64"]);
    let mut command = sandbox.command(&verify("app.wat", &[]));
    let output = command.env("TMPDIR", "/nonexistent").output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("a.cwasm: not checked\n"), "{text}");
    assert!(
        !text.contains("rebuild") && !text.contains("FAILED"),
        "{text}"
    );
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("error[temporary-folder]"), "{stderr}");
    let mut command = sandbox.command(&verify("app.wat", &["-q"]));
    let output = command.env("TMPDIR", "/nonexistent").output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "a.cwasm: not checked\n"
    );
}
