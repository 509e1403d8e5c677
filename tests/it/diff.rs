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
    assert_eq!(output.status.code(), Some(if same { 0 } else { 4 }));
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
    assert!(
        text.ends_with("the same image, manifest and signatures\n"),
        "{text}"
    );
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

/// A gate for a release that should not be able to do more than the last one.
#[test]
fn new_imports_come_first_and_can_fail() {
    let sandbox = two(false);
    let report = report(&sandbox, &["a.cwasm", "b.cwasm"]);
    let capabilities = &report["capabilities"];
    assert_eq!(capabilities["newImports"], serde_json::json!(["env::net"]));
    assert_eq!(capabilities["goneImports"], serde_json::json!([]));
    assert_eq!(capabilities["newExports"], serde_json::json!(["comes"]));
    assert_eq!(capabilities["goneExports"], serde_json::json!(["goes"]));
    let text = sandbox.run(&["diff", "a.cwasm", "b.cwasm"]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    let (first, rest) = (text.find("+ import  env::net"), text.find("image"));
    assert!(first.is_some() && first < rest, "{text}");
    let gate = ["diff", "a.cwasm", "b.cwasm", "--fail-on-new-imports"];
    let stderr = sandbox.fails(1, &gate);
    assert!(
        stderr.contains("error[new-imports]: b.cwasm: new imports: env::net"),
        "{stderr}"
    );
    // One document has both the differences and the error.
    let refused = sandbox.run(&[&gate[..], &["--format", "json"]].concat());
    let refused: serde_json::Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!(refused["error"]["code"], "new-imports");
    assert_eq!(refused["capabilities"], report["capabilities"]);
    // The other way round, it can do less.
    sandbox.ok(&["diff", "b.cwasm", "a.cwasm", "--fail-on-new-imports"]);
}

#[test]
fn other_signatures_are_a_difference() {
    let sandbox = two(false);
    sandbox.write("c.cwasm", sandbox.read("a.cwasm"));
    sandbox.ok(&["keygen", "-o", "other.pem"]);
    sandbox.ok(&["sign", "c.cwasm", "--key", "other.pem", "--append"]);
    let report = report(&sandbox, &["a.cwasm", "c.cwasm"]);
    assert_eq!(report["same"], false);
    let signatures = report["signatures"].as_array().unwrap();
    assert_eq!(signatures.len(), 1, "{report}");
    assert!(signatures[0].get("a").is_none() && signatures[0].get("b").is_some());
}
