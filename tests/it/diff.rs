//! `edgec diff`: the differences between two artifacts.

use edgec_tests::Sandbox;
use edgec_tests::corpus::{Forge, material};
use serde_json::Value;

const A: &str = r#"(module
    (import "env" "log" (func $log))
    (func $same (export "same") (result i32) i32.const 7)
    (func $grows (export "grows") (param i32) (result i32) local.get 0)
    (func $goes (export "goes") (result i64) i64.const 1 i64.const 2 i64.mul))"#;

/// Compared with the first program, `grows` is longer, `goes` is missing, `comes` is new, and there
/// is a new import.
const B: &str = r#"(module
    (import "env" "log" (func $log)) (import "env" "net" (func $net))
    (func $same (export "same") (result i32) i32.const 7)
    (func $grows (export "grows") (param i32) (result i32) local.get 0 i32.const 3 i32.div_s call $net)
    (func $comes (export "comes") (result f64) f64.const 1))"#;

/// `a.cwasm` and `b.cwasm`, with debug files on request.
fn two(debug: bool) -> Sandbox {
    let sandbox = Sandbox::new();
    for (name, text) in [("a", A), ("b", B)] {
        let (input, output) = (format!("{name}.wat"), format!("{name}.cwasm"));
        sandbox.write(&input, text);
        let fixed = ["build", "-q", "--key", "key.pem", "-t", "x86_64", "-O0"];
        let files = ["--name", "app", "-o", &output, &input];
        let debug: &[&str] = if debug { &["--debug-file"] } else { &[] };
        sandbox.ok(&[&fixed[..], &files, debug].concat());
    }
    sandbox
}

fn report(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let arguments = [&["diff", "--format", "json"], arguments].concat();
    let output = sandbox.run(&arguments);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let same = report["same"].as_bool().unwrap();
    assert_eq!(output.status.code(), Some(if same { 0 } else { 1 }));
    assert_eq!(report["verified"], false);
    report
}

#[test]
fn an_artifact_is_the_same_as_itself() {
    let sandbox = two(false);
    let report = report(&sandbox, &["a.cwasm", "a.cwasm"]);
    assert_eq!(report["same"], true);
    assert_eq!(report["manifest"], Value::Array(Vec::new()));
    let text = sandbox.ok(&["diff", "a.cwasm", "a.cwasm"]);
    assert!(text.ends_with("the same image and manifest\n"), "{text}");
}

#[test]
fn functions_sections_and_capabilities_are_compared() {
    let sandbox = two(true);
    let report = report(&sandbox, &["a.cwasm", "b.cwasm"]);
    let functions = &report["functions"];
    assert_eq!(functions["known"], serde_json::json!([3, 3]));
    let different: Vec<(&str, bool, bool)> = functions["different"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            let has = |side: &str| it[side].is_u64();
            (it["function"].as_str().unwrap(), has("a"), has("b"))
        })
        .collect();
    let mut sorted = different.clone();
    sorted.sort_unstable();
    assert_eq!(
        sorted,
        [
            ("comes", false, true),
            ("goes", true, false),
            ("grows", true, true)
        ]
    );
    let unchanged = functions["same"].as_u64().unwrap() + functions["sameLength"].as_u64().unwrap();
    assert_eq!(unchanged, 1);
    let text = &report["sections"][2];
    assert_eq!(
        (&text["name"], &text["same"]),
        (&".text".into(), &false.into())
    );
    let imports = report["manifest"].as_array().unwrap().iter();
    let imports: Vec<&Value> = imports
        .filter(|it| it["at"] == "capabilities.imports")
        .collect();
    assert_eq!(
        imports,
        [&serde_json::json!({"at": "capabilities.imports", "b": "env::net"})]
    );
}

#[test]
fn without_debug_files_functions_have_numbers() {
    let sandbox = two(false);
    let report = report(&sandbox, &["a.cwasm", "b.cwasm"]);
    let different = report["functions"]["different"].as_array().unwrap();
    let names: Vec<&str> = different
        .iter()
        .map(|it| it["function"].as_str().unwrap())
        .collect();
    // Imports count, and `b` has one more.
    assert!(names.contains(&"function 2"), "{names:?}");
}

/// Names on one side cannot be compared with numbers on the other.
#[test]
fn names_are_compared_with_names() {
    let sandbox = two(true);
    sandbox.write("c.cwasm", sandbox.read("a.cwasm"));
    let report = report(&sandbox, &["a.cwasm", "c.cwasm"]);
    assert_eq!(
        report["functions"]["debugFiles"],
        serde_json::json!([true, false])
    );
    assert_eq!(report["functions"]["different"], serde_json::json!([]));
}

#[test]
fn a_debug_file_is_that_of_its_image() {
    let sandbox = two(true);
    let stderr = sandbox.fails(1, &["diff", "a.cwasm", "b.cwasm", "--debug-a", "b.debug"]);
    assert!(stderr.contains("error[build-id]: b.debug"), "{stderr}");
    let stderr = sandbox.fails(1, &["diff", "a.cwasm", "b.cwasm", "--debug-b", "a.cwasm"]);
    assert!(stderr.contains("error[debug-file]: a.cwasm"), "{stderr}");
    // A debug file beside the artifact is ignored if it belongs to another artifact and was not
    // named.
    std::fs::copy(
        sandbox.path().join("a.debug"),
        sandbox.path().join("b.debug"),
    )
    .unwrap();
    let report = report(&sandbox, &["a.cwasm", "b.cwasm"]);
    assert_eq!(report["functions"]["known"], serde_json::json!([3, 3]));
}

#[test]
fn what_is_no_artifact_is_refused() {
    let sandbox = two(false);
    sandbox.write("none.cwasm", "nothing");
    let stderr = sandbox.fails(1, &["diff", "a.cwasm", "none.cwasm"]);
    assert!(stderr.contains("error[layout]: none.cwasm"), "{stderr}");
    sandbox.fails(3, &["diff", "absent.cwasm", "a.cwasm"]);
    sandbox.fails(2, &["diff", "-", "-"]);
}

/// Only an edgec with the same engine knows where the functions are.
#[test]
fn code_for_another_engine_is_refused() {
    let sandbox = Sandbox::empty();
    sandbox.write("a.cwasm", &material().hello);
    let other = Forge::of(material()).with_manifest(|manifest| {
        manifest.engine.version = "47.0.1".to_owned();
    });
    sandbox.write("b.cwasm", other);
    let stderr = sandbox.fails(1, &["diff", "a.cwasm", "b.cwasm"]);
    let says = "error[image]: b.cwasm: the code is for wasmtime 47, and this edgec reads code for 48\n  \
                hint: use an edgec with wasmtime 47\n  more: edgec explain image\n";
    assert_eq!(stderr, says);
}
