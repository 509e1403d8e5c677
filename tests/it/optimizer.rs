//! If an optimizer breaks on a module and says so, the module is not optimized, and the build warns
//! and goes on. Late or killed optimizers are in `machine.rs`.
#![cfg(unix)]

use edgec_tests::turns::{PROGRAM, Turns};
use edgec_tests::{Sandbox, repository};

fn build(sandbox: &Sandbox) -> (String, serde_json::Value) {
    let wasm_opt = [
        "-O2",
        "--wasm-opt",
        "./wasm-opt",
        "--optimizer-timeout",
        "1",
    ];
    let output = sandbox.hello_with(&[&wasm_opt[..], &["--format", "json"]].concat());
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{stderr}");
    let greeting = sandbox.ok(&["run", "--key", "key.pub.pem", "hello.cwasm"]);
    assert_eq!(greeting, "Hello from the edge!\n");
    (stderr, serde_json::from_slice(&output.stdout).unwrap())
}

fn reasons(report: &serde_json::Value) -> Vec<String> {
    let kept = report["inputs"][0]["built"]["modulesKept"]
        .as_array()
        .unwrap();
    let reasons = kept
        .iter()
        .map(|kept| kept["reason"].as_str().unwrap().to_owned());
    reasons.collect()
}

/// The optimizer's message shows that it aborted by itself. It would do so on every machine.
#[test]
fn a_failed_assertion() {
    let sandbox = Sandbox::new();
    let says = r"wasm-opt: wasm.cpp:7: void f(): Assertion \`x' failed.";
    sandbox.fake_optimizer(&format!("echo \"{says}\" >&2; kill -ABRT $$"));
    let (stderr, report) = build(&sandbox);
    let reasons = reasons(&report);
    assert_eq!(reasons.len(), 3);
    assert!(reasons[0].contains("SIGABRT"), "{reasons:?}");
    assert!(reasons[0].contains("Assertion `x' failed."), "{reasons:?}");
    assert!(
        stderr.contains("warning: ") && stderr.contains("core module 0 is left as it is: "),
        "{stderr}"
    );
}

/// A signal from outside may be the same as the signal of a crash. So a crash without a message
/// fails the build, too.
#[test]
fn a_crash_without_a_word_gives_no_other_bytes() {
    let sandbox = Sandbox::new();
    let hello = repository().join("examples/hello.wat");
    let build = ["build", "-q", "-t", "x86_64", "--key", "key.pem"];
    let with = |program| {
        let program = ["-O2", "-o", "a.cwasm", "--wasm-opt", program];
        [&build[..], &program, &[hello.to_str().unwrap()]].concat()
    };
    let arguments = with("./wasm-opt");
    for (body, says) in [
        ("kill -SEGV $$", "SIGSEGV"),
        ("kill -ABRT $$", "SIGABRT"),
        ("cat; kill -BUS $$", "SIGBUS"),
        // A warning does not explain the signal.
        ("echo warning: no passes >&2; kill -ABRT $$", "no passes"),
        // A shell in between reports the signal as an exit code.
        ("exit 139", "exit status: 139"),
    ] {
        sandbox.fake_optimizer(body);
        let stderr = sandbox.fails(1, &arguments);
        let error = "error[optimize-crash]: ";
        assert!(stderr.starts_with(error), "{body}: {stderr}");
        assert!(stderr.contains(says), "{body}: {stderr}");
        assert!(stderr.contains("--keep-module 0 "), "{body}: {stderr}");
        assert!(!sandbox.path().join("a.cwasm").exists(), "{body}");
    }
    // It crashes once, and succeeds at the second attempt. The bytes are those of every other
    // build.
    let turns = Turns::of(&sandbox, "kill -SEGV $$");
    let arguments = with(PROGRAM);
    sandbox.ok(&arguments);
    // Three modules, and one of them twice.
    assert_eq!(turns.taken(), 4);
    let shaken = sandbox.read("a.cwasm");
    sandbox.fake_optimizer_at(PROGRAM, "cat");
    sandbox.ok(&arguments);
    assert_eq!(sandbox.read("a.cwasm"), shaken);
}

/// An invalid module, an empty file, and a valid module that does not fit its component.
#[test]
fn wrong_output() {
    let sandbox = Sandbox::new();
    for body in [
        "echo garbage",
        "true",
        "printf '\\0asm\\1\\0\\0\\0'",
        "head -c 100 /dev/stdin",
    ] {
        sandbox.fake_optimizer(body);
        let (_, report) = build(&sandbox);
        let reasons = reasons(&report);
        assert_eq!(reasons.len(), 3, "{body}");
        assert!(
            reasons.iter().all(|reason| reason.contains("not valid")),
            "{body}: {reasons:?}"
        );
    }
}

/// The manifest says which modules were optimized and which were not, so the image can be rebuilt.
/// The engine generates code for calls between components, and asserts that this code has at most
/// 100 memories. If the core modules import none of these calls, the engine puts the code of all
/// calls into one module, which may exceed the limit.
#[test]
fn a_program_that_is_beyond_the_engine_once_it_is_optimized() {
    const MEMORY: &str = r#"(memory (export "m") 1)
        (func (export "r") (param i32 i32 i32 i32) (result i32) (i32.const 0))"#;
    const OWN: &str = r#"(core instance $own (instantiate $own))
        (alias core export $own "m" (core memory $m))
        (alias core export $own "r" (core func $r))"#;
    const LIST: &str = r#"(param "a" (list u32)) (result (list u32))"#;
    let program = |imports: &str, gives: &str| {
        let caller = r#"(instance (instantiate $caller (with "f" (func $f))))"#.repeat(100);
        format!(
            r#"(component
            (component $callee
                (core module $own {MEMORY}
                    (func (export "f") (param i32 i32) (result i32) (i32.const 0)))
                {OWN}
                (func (export "f") {LIST}
                    (canon lift (core func $own "f") (memory $m) (realloc (func $r)))))
            (component $caller
                (import "f" (func $f {LIST}))
                (core module $own {MEMORY})
                {OWN}
                (core func $low (canon lower (func $f) (memory $m) (realloc (func $r))))
                (core module $user {imports})
                (core instance (instantiate $user {gives})))
            (instance $callee (instantiate $callee))
            (alias export $callee "f" (func $f))
            {caller})"#
        )
    };
    let sandbox = Sandbox::new();
    let imports = r#"(import "a" "f" (func (param i32 i32 i32)))"#;
    let gives = r#"(with "a" (instance (export "f" (func $low))))"#;
    sandbox.write("in.wat", program(imports, gives));
    let build = |level| {
        let build = ["build", "-q", "-t", "x86_64", "--key", "key.pem", level];
        let rest = ["--no-flatten", "-o", "a.cwasm", "in.wat"];
        sandbox.run(&[&build[..], &rest].concat())
    };
    let says = "memories count exceeds limit of 100";
    for (level, left) in [("-O0", false), ("-O2", true)] {
        let output = build(level);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{level}: {stderr}");
        assert_eq!(stderr.contains(says), left, "{level}: {stderr}");
    }
    // A program that exceeds the limit without an optimizer.
    sandbox.write("in.wat", program("", ""));
    let output = build("-O0");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("error[unsupported]: "), "{stderr}");
    assert!(stderr.contains(says), "{stderr}");
    assert!(!stderr.contains("offset"), "{stderr}");
}

#[test]
fn the_manifest_says_what_was_left() {
    let sandbox = Sandbox::new();
    sandbox.fake_optimizer("exit 1");
    build(&sandbox);
    let json = sandbox.ok(&["inspect", "hello.cwasm", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    let stages = report["manifest"]["builder"]["stages"].as_array().unwrap();
    let optimize = stages.iter().find(|stage| stage["name"] == "optimize");
    let optimize = optimize.unwrap();
    assert_eq!(optimize["tool"], "wasm-opt");
    assert_eq!(optimize["version"], "fake 1");
    assert_eq!(optimize["settings"]["modulesKept"], "0-2");
}

/// The bundled Binaryen: at every level, the program behaves the same.
#[test]
fn every_level_keeps_the_behaviour() {
    let sandbox = Sandbox::new();
    for level in ["0", "1", "2", "3", "4", "s", "z"] {
        let output = sandbox.hello_with(&[&format!("-O{level}")]);
        assert!(output.status.success(), "-O{level}: {output:?}");
        let greeting = sandbox.ok(&["run", "--key", "key.pub.pem", "hello.cwasm"]);
        assert_eq!(greeting, "Hello from the edge!\n", "-O{level}");
    }
}
