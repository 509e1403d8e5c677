//! Changes to a component's core modules as a whole: unused exports are removed, and duplicates are
//! stored once.

use edgec_tests::Sandbox;

/// Builds `app.wat`. Returns the report on it.
fn build(sandbox: &Sandbox, text: &str, level: &str) -> serde_json::Value {
    sandbox.write("app.wat", text);
    let report = sandbox.ok(&[
        "build",
        "app.wat",
        "-t",
        std::env::consts::ARCH,
        level,
        "--key",
        "key.pem",
        "-o",
        "app.cwasm",
        "--format",
        "json",
    ]);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    report["inputs"][0]["built"].clone()
}

/// The exit code, which is the result of the program's `run`.
fn run(sandbox: &Sandbox) -> i32 {
    let output = sandbox.run(&["run", "--key", "key.pub.pem", "app.cwasm"]);
    output.status.code().unwrap()
}

/// The settings of the optimizing stage in the manifest, if there are any.
fn settings(sandbox: &Sandbox) -> serde_json::Value {
    let report = sandbox.ok(&["inspect", "app.cwasm", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let stages = report["manifest"]["builder"]["stages"].as_array().unwrap();
    let optimize = stages.iter().find(|stage| stage["name"] == "optimize");
    optimize.map_or(serde_json::Value::Null, |stage| stage["settings"].clone())
}

/// A command whose exit code is the result of `run` in the core instance `$app`.
fn command(core: &str) -> String {
    format!(
        r#"(component {core}
        (func $run (result (result)) (canon lift (core func $app "run")))
        (instance $command (export "run" (func $run)))
        (export "wasi:cli/run@0.2.0" (instance $command)))"#
    )
}

#[test]
fn exports_that_nothing_uses_keep_nothing_alive() {
    let sandbox = Sandbox::new();
    let ballast = "x".repeat(40_000);
    let text = command(&format!(
        r#"(core module $m
            (memory 1)
            (data $ballast "{ballast}")
            (func (export "run") (result i32) i32.const 1)
            (func (export "unused")
                (memory.init $ballast (i32.const 0) (i32.const 0) (i32.const 40000))))
        (core instance $app (instantiate $m))"#
    ));
    let kept = build(&sandbox, &text, "-O0");
    assert_eq!(run(&sandbox), 1);
    assert_eq!(kept["exportsRemoved"], serde_json::json!([]));
    assert!(settings(&sandbox).is_null());
    let trimmed = build(&sandbox, &text, "-O1");
    assert_eq!(run(&sandbox), 1);
    assert_eq!(trimmed["exportsRemoved"], serde_json::json!([1]));
    assert_eq!(settings(&sandbox)["trimExports"], "true");
    assert!(kept["optimizedBytes"].as_u64() > Some(40_000));
    assert!(trimmed["optimizedBytes"].as_u64() < Some(1000), "{trimmed}");
}

/// A component contains a module twice and instantiates both. The image has one copy, and there are
/// still two instances with separate memories.
#[test]
fn a_core_module_is_stored_once() {
    let sandbox = Sandbox::new();
    let ballast = "x".repeat(200_000);
    let counter = format!(
        r#"(core module (memory 4) (data (i32.const 4) "{ballast}")
            (func (export "next") (result i32)
                (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
                (i32.load (i32.const 0))))"#
    );
    let text = command(&format!(
        r#"{counter} {counter}
        (core instance $a (instantiate 0))
        (core instance $b (instantiate 1))
        (core module $m
            (import "a" "next" (func $a (result i32)))
            (import "b" "next" (func $b (result i32)))
            (func (export "run") (result i32)
                (drop (call $a))
                (i32.eqz (i32.and
                    (i32.eq (call $a) (i32.const 2))
                    (i32.eq (call $b) (i32.const 1))))))
        (core instance $app (instantiate $m (with "a" (instance $a)) (with "b" (instance $b))))"#
    ));
    let twice = build(&sandbox, &text, "-O0");
    assert_eq!(run(&sandbox), 0);
    assert_eq!(twice["duplicatesRemoved"], 0);
    let once = build(&sandbox, &text, "-O1");
    assert_eq!(run(&sandbox), 0);
    assert_eq!(once["duplicatesRemoved"], 1);
    assert_eq!(settings(&sandbox)["shareModules"], "true");
    let size = |report: &serde_json::Value| report["artifacts"][0]["bytes"].as_u64().unwrap();
    assert!(size(&once) + 200_000 <= size(&twice), "{once} {twice}");
}

/// If a module needs fewer imports than before, it may run on more hosts. The build reports this.
#[test]
fn imports_that_nothing_uses_are_named() {
    let sandbox = Sandbox::new();
    let import = |name: &str| format!(r#"(import "env" "{name}" (func))"#);
    let module = |imports: &[String]| {
        let imports = imports.concat();
        format!(r#"(module {imports} (memory (export "memory") 1) (func (export "_start")))"#)
    };
    let one = module(&[import("a")]);
    let kept = build(&sandbox, &one, "-O0");
    assert_eq!(kept["importsRemoved"], serde_json::json!([]));
    let removed = build(&sandbox, &one, "-O2");
    assert_eq!(removed["importsRemoved"], serde_json::json!(["env::a"]));
    let told = |text: &str| {
        sandbox.write("app.wat", text);
        let output = sandbox.run(&["build", "-O2", "app.wat", "--key", "key.pem", "-o", "out"]);
        assert!(output.status.success(), "{output:?}");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr))
    };
    let (summary, notes) = told(&one);
    assert!(summary.contains(", 1 unused import"), "{summary}");
    let note = "note: app.wat: 1 unused import was removed: `env::a` (-O0 removes none)";
    assert!(notes.contains(note), "{notes}");
    let seven: Vec<String> = ["a", "b", "c", "d", "e", "f", "g"].map(import).to_vec();
    let (_, notes) = told(&module(&seven));
    let note = "7 unused imports were removed: `env::a`, `env::b`, `env::c`, `env::d`, `env::e` and 2 more";
    assert!(notes.contains(note), "{notes}");
    // Used imports stay, and so do those of a component.
    let used = r#"(module (import "env" "a" (func $a)) (func (export "_start") (call $a)))"#;
    let used = build(&sandbox, used, "-O2");
    assert_eq!(used["importsRemoved"], serde_json::json!([]));
    let component = r#"(component (import "a" (func $a)) (core func $f (canon lower (func $a)))
        (core module $m (import "env" "f" (func)))
        (core instance (instantiate $m (with "env" (instance (export "f" (func $f)))))))"#;
    let component = build(&sandbox, component, "-O2");
    assert_eq!(component["importsRemoved"], serde_json::json!([]));
}

/// A module may carry component types that only another engine compiles. edgec and the encoder are
/// not at fault, and the error names the feature.
#[test]
fn component_types_that_are_not_supported_are_no_defect() {
    let sandbox = Sandbox::new();
    let types = wat::parse_str(
        r#"(component
            (type (component
                (type (component
                    (type $list (list u8 4)) (type $f (func (result $list)))
                    (export "answer" (func (type $f)))))
                (export "test:app/app" (component (type 0)))))
            (export "app" (type 0))
            (@custom "wit-component-encoding" "\04\00"))"#,
    );
    let types: String = types
        .unwrap()
        .iter()
        .map(|it| format!("\\{it:02x}"))
        .collect();
    let module = format!(
        r#"(module (memory (export "memory") 1)
            (func (export "answer") (result i32) i32.const 42)
            (@custom "component-type:app" "{types}"))"#
    );
    sandbox.write("in.wat", &module);
    sandbox.write("in.wasm", wat::parse_str(&module).unwrap());
    for input in ["in.wat", "in.wasm"] {
        let stderr = sandbox.fails(1, &["build", input, "--key", "key.pem"]);
        let begins = format!(
            "error[kind]: {input}: the component that was made of the core module cannot be \
             compiled: Fixed-length lists"
        );
        assert!(stderr.starts_with(&begins), "{stderr}");
        let hint = "hint: the component types that the module carries use `cm_fixed_length_lists`";
        assert!(stderr.contains(hint), "{stderr}");
        assert!(stderr.contains("--kind module"), "{stderr}");
        assert!(
            !stderr.contains("defect") && !stderr.contains("offset"),
            "{stderr}"
        );
    }
    sandbox.ok(&[
        "build", "-q", "in.wat", "--key", "key.pem", "--kind", "module",
    ]);
}
