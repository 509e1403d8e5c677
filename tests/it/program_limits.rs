//! Limits on all work on one program, however many processes share it.
#![cfg(unix)]

use std::collections::BTreeSet;

use edgec_tests::corpus::GREETING;
use edgec_tests::{Sandbox, hello, words};
use serde_json::Value;

const BUILD: &str = "build -O2 -q -t x86_64 --key key.pem -o a.cwasm --wasm-opt ./wasm-opt";

/// The arguments of a build, and more.
fn build<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&words(BUILD)[..], more].concat()
}

/// A component of this many core modules, which are all different.
fn modules(count: usize) -> String {
    let module = |number| format!("(core module (func (param i64) (drop (i32.const {number}))))");
    let modules: String = (0..count).map(module).collect();
    format!("(component {modules})")
}

/// Writes an optimizer that always returns this module. The module follows the script in the same
/// file, which is the one file that the optimizer can certainly read.
fn gives(sandbox: &Sandbox, module: &[u8]) {
    sandbox.fake_optimizer(&format!("tail -c {} \"$0\"; exit 0", module.len()));
    let script = [sandbox.read("wasm-opt").as_slice(), module].concat();
    std::fs::write(sandbox.path().join("wasm-opt"), script).unwrap();
}

/// An optimizer takes half a second for each of 30 core modules, with at most four at a time.
#[test]
fn many_stages_have_one_deadline() {
    let sandbox = Sandbox::new();
    sandbox.write("many.wat", modules(30));
    sandbox.fake_optimizer("sleep 0.5; cat");
    let (short, long) = ("2", "600");
    for (whole, optimizer, named, other) in [
        (short, long, "--compile-timeout", "--optimizer-timeout"),
        (long, short, "--optimizer-timeout", "--compile-timeout"),
    ] {
        let limits = ["--compile-timeout", whole, "--optimizer-timeout", optimizer];
        let stderr = sandbox.fails(1, &build(&[&limits[..], &["many.wat"]].concat()));
        let begins =
            stderr.starts_with("error[optimize-timeout]: many.wat: optimizing core module ");
        assert!(begins, "{stderr}");
        assert!(stderr.contains(" was stopped after 2 s"), "{stderr}");
        assert!(
            stderr.contains(named) && !stderr.contains(other),
            "{stderr}"
        );
        assert!(!sandbox.path().join("a.cwasm").exists());
    }
    // Each module alone is well within the limit.
    sandbox.write("one.wat", modules(1));
    sandbox.ok(&build(&["--compile-timeout", "60", "one.wat"]));
}

/// Each input has its own deadline: the second is built although the first was late.
#[test]
fn the_next_input_has_time_of_its_own() {
    let sandbox = Sandbox::new();
    sandbox.write("many.wat", modules(30));
    sandbox.write("one.wat", modules(1));
    sandbox.fake_optimizer("sleep 0.5; cat");
    let limited = words("--compile-timeout 3 -o out/ many.wat one.wat");
    let others = words("build -O2 -q -t x86_64 --key key.pem --wasm-opt ./wasm-opt");
    let build = [others, limited].concat();
    let stderr = sandbox.fails(1, &build);
    assert!(
        stderr.contains("error[optimize-timeout]: many.wat: "),
        "{stderr}"
    );
    assert!(!stderr.contains("one.wat"), "{stderr}");
    let files: BTreeSet<String> = sandbox.files().into_iter().collect();
    assert!(files.contains("out/one.x86_64.cwasm"), "{files:?}");
    assert!(!files.contains("out/many.x86_64.cwasm"), "{files:?}");
}

/// A module of this many empty functions.
#[cfg(target_os = "linux")]
fn functions(count: usize) -> Vec<u8> {
    use wasm_encoder::{CodeSection, Function, FunctionSection, Instruction, Module, TypeSection};
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut body = Function::new([]);
    body.instruction(&Instruction::End);
    let (mut functions, mut code) = (FunctionSection::new(), CodeSection::new());
    for _ in 0..count {
        functions.function(0);
        code.function(&body);
    }
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&code);
    module.finish()
}

/// For a million functions, the validator takes more than 64 MiB. So this shows that a process
/// without limits does not validate them.
#[cfg(target_os = "linux")]
#[test]
fn what_an_optimizer_gives_is_judged_within_limits() {
    const FUNCTIONS: usize = 999_000;
    let sandbox = Sandbox::new();
    let data = "x".repeat(FUNCTIONS + FUNCTIONS / 4);
    let input = format!(r#"(module (memory 100) (data "{data}"))"#);
    sandbox.write("in.wasm", wat::parse_str(input).unwrap());
    gives(&sandbox, &functions(FUNCTIONS));
    let build = build(&["--worker-memory", "64", "in.wasm"]);
    let stderr = sandbox.fails(1, &build);
    let says = "error[optimize-memory]: in.wasm: putting the optimized program together needs more \
                than 64 MiB of memory";
    assert!(stderr.starts_with(says), "{stderr}");
    assert!(stderr.contains("--worker-memory MIB"), "{stderr}");
    assert!(!sandbox.path().join("a.cwasm").exists());
}

/// Whatever an optimizer returns, the program stays the same.
#[test]
fn what_an_optimizer_gives_and_does_not_fit_is_left_out() {
    let sandbox = Sandbox::new();
    let hello = hello();
    let deep = format!(
        "(module (func {} {}))",
        "block ".repeat(15_000),
        "end ".repeat(15_000)
    );
    let types = format!("(module {})", "(type (sub (struct)))".repeat(10_000));
    let exports = (0..5000).map(|number| format!(r#"(export "{number}" (func 0))"#));
    let exports = format!("(module (func) {})", exports.collect::<String>());
    for text in [deep, types, exports] {
        gives(&sandbox, &wat::parse_str(&text).unwrap());
        let output = sandbox.run(&build(&[&hello]));
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{stderr}");
        let json = build(&["--format", "json", &hello]);
        let json: Vec<&str> = json.into_iter().filter(|word| *word != "-q").collect();
        let report: Value = serde_json::from_str(&sandbox.ok(&json)).unwrap();
        let kept = &report["inputs"][0]["built"]["modulesKept"];
        assert_eq!(kept.as_array().unwrap().len(), 3, "{report:#}");
        if cfg!(target_arch = "x86_64") {
            let run = ["run", "--key", "key.pub.pem", "a.cwasm"];
            assert_eq!(sandbox.ok(&run), GREETING);
        }
    }
}
