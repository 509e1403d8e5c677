//! The process that reads inputs: its limits and its messages.

use edgec_tests::Sandbox;

/// A module in the text format with this many functions.
fn text(functions: usize) -> String {
    format!("(module{})", "(func)".repeat(functions))
}

#[test]
fn reading_an_input_has_limits() {
    let sandbox = Sandbox::new();
    sandbox.write("large.wat", text(900_000));
    let build = ["build", "-t", "x86_64", "--key", "key.pem", "-o", "a.cwasm"];
    for verb in [&build[..], &["validate"]] {
        for (limit, code) in [
            (["--worker-memory", "64"], "validate-memory"),
            (["--compile-timeout", "1"], "validate-timeout"),
        ] {
            let refused = sandbox.run(&[verb, &limit, &["large.wat"]].concat());
            assert_eq!(refused.status.code(), Some(1), "{refused:?}");
            let said = String::from_utf8(refused.stderr).unwrap();
            assert!(
                said.starts_with(&format!("error[{code}]: large.wat: ")),
                "{said}"
            );
            assert!(said.contains(limit[0]), "{said}");
            assert!(!sandbox.path().join("a.cwasm").exists());
        }
    }
    // `validate` has the same limits as `build`.
    sandbox.write("small.wat", text(1));
    let limits = ["--worker-memory", "256", "--compile-timeout", "60"];
    let confined: &[&str] = match cfg!(target_os = "linux") {
        true => &["--require-confinement"],
        false => &[],
    };
    let validate = ["validate"];
    let small = ["small.wat"];
    let said = sandbox.ok(&[&validate[..], &limits, confined, &small].concat());
    assert_eq!(said, "small.wat: valid core module\n");
}

/// `validate` and `build` have the same results for an input, although different processes read it.
#[test]
fn a_refusal_is_the_same_for_both_verbs() {
    let sandbox = Sandbox::new();
    for (name, input) in [
        ("empty.wasm", &b""[..]),
        ("cut.wasm", b"\0asm\x01"),
        ("text.wat", b"(module (func (result i32)))"),
        ("other.txt", b"hello"),
    ] {
        sandbox.write(name, input);
        let said = |arguments: &[&str]| {
            let output = sandbox.run(arguments);
            assert_eq!(output.status.code(), Some(1), "{name}");
            String::from_utf8(output.stderr).unwrap()
        };
        let build = ["build", "--key", "key.pem", "-o", "out/", name];
        assert_eq!(said(&["validate", name]), said(&build));
    }
}
