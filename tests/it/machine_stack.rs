//! The limit on the stack (`ulimit -s`) affects neither edgec's results nor the bytes.
#![cfg(target_os = "linux")]

use edgec_tests::{Sandbox, hello};

use crate::machine::{BUILD, after, machines_fault};

/// The limit on the stack does not decide whether the optimizer can process a deep expression.
#[test]
fn the_stack_does_not_decide() {
    let sandbox = Sandbox::new();
    let deep = ["local.get 0\n".repeat(20_000), "i32.add\n".repeat(19_999)].concat();
    // `-O1` gains something in a large jump table.
    let targets = "0 ".repeat(4_000);
    let text = format!(
        "(module (func (export \"f\") (param i32) (result i32)\n{deep})
            (func (export \"g\") (param i32) (block (br_table {targets} (local.get 0)))))"
    );
    sandbox.write("deep.wat", &text);
    let build = [BUILD, &["deep.wat"]].concat();
    sandbox.ok(&build);
    let whole = sandbox.read("a.cwasm");
    for limit in [
        "ulimit -S -s 1024",
        "ulimit -S -s 65536",
        "ulimit -S -s unlimited",
        "export RUST_MIN_STACK=65536",
    ] {
        let output = after(&sandbox, limit, &build);
        assert!(output.status.success(), "{limit}: {output:?}");
        assert_eq!(sandbox.read("a.cwasm"), whole, "{limit}");
    }
    std::fs::remove_file(sandbox.path().join("a.cwasm")).unwrap();
    let output = after(&sandbox, "ulimit -s 1024", &build);
    let stderr = machines_fault(&sandbox, &output, "limit");
    assert!(stderr.contains("`ulimit -s`"), "{stderr}");
}

/// edgec's own work does not depend on the limit on the stack. Binaryen's does, and the message
/// names the limit.
#[test]
fn a_small_stack_is_no_crash() {
    let sandbox = Sandbox::new();
    let hello = hello();
    let build = [BUILD, &["-O2", hello.as_str()]].concat();
    sandbox.ok(&build);
    let whole = sandbox.read("a.cwasm");
    let output = after(&sandbox, "ulimit -S -s 64", &build);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(sandbox.read("a.cwasm"), whole);
    for limit in ["ulimit -s 64", "ulimit -s 1024"] {
        for arguments in [
            &["version"][..],
            &["build", "--help"],
            &["validate", &hello],
            &["verify", "--key", "key.pub.pem", "a.cwasm"],
            &["build", "-q", "-O0", "--key", "key.pem", "-o", "b", &hello],
        ] {
            let output = after(&sandbox, limit, arguments);
            assert!(
                output.status.success(),
                "{limit}: {arguments:?}: {output:?}"
            );
        }
    }
    std::fs::remove_file(sandbox.path().join("a.cwasm")).unwrap();
    let output = after(&sandbox, "ulimit -s 64", &build);
    let stderr = machines_fault(&sandbox, &output, "limit");
    assert!(stderr.contains("`ulimit -s`"), "{stderr}");
}
