//! Real programs, when they lie beside the repository: the same behaviour as under stock
//! Wasmtime, optimized or not. `EDGEC_REQUIRE_GUESTS=1` makes their absence a failure.

use std::io::Write as _;
use std::process::Stdio;

use edgec_tests::stock::{self, Behaviour};
use edgec_tests::{CLI_GUESTS, CliGuest, Sandbox, shared};

fn run(sandbox: &Sandbox, artifact: &str, guest: &CliGuest) -> Behaviour {
    let mut arguments = vec!["run", "--key", "key.pub.pem", artifact];
    arguments.extend(guest.arguments);
    let mut child = sandbox
        .command(&arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(guest.stdin.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    Behaviour {
        stdout: output.stdout,
        code: output.status.code().unwrap(),
    }
}

#[test]
fn guests_behave_as_under_stock_wasmtime() {
    let Some(folder) = shared("guests") else {
        assert!(std::env::var_os("EDGEC_REQUIRE_GUESTS").is_none());
        eprintln!("skipped: no guests beside the repository");
        return;
    };
    let sandbox = Sandbox::new();
    for guest in CLI_GUESTS {
        let path = folder.join(guest.file);
        let stem = guest.file.trim_end_matches(".wasm");
        let wasm = std::fs::read(&path).unwrap();
        // Stock Wasmtime gets the very component, without any of edgec's optimization.
        let input = edgec_compiler::read(&wasm).unwrap();
        let adapted = edgec_compiler::adapt(input, edgec_compiler::KindChoice::Auto).unwrap();
        let expected =
            stock::compile_and_run(adapted.component.bytes(), guest.arguments, guest.stdin);
        for level in ["0", "1", "2"] {
            let out = format!("O{level}");
            sandbox.ok(&[
                "build",
                path.to_str().unwrap(),
                "-t",
                std::env::consts::ARCH,
                &format!("-O{level}"),
                "--key",
                "key.pem",
                "-o",
                &format!("{out}/"),
            ]);
            let artifact = format!("{out}/{stem}.{}.cwasm", std::env::consts::ARCH);
            let found = run(&sandbox, &artifact, guest);
            assert_eq!(found, expected, "{} -O{level}", guest.file);
            let loaded = stock::load_and_run(
                &sandbox.path().join(&artifact),
                guest.arguments,
                guest.stdin,
            );
            assert_eq!(loaded, expected, "{} -O{level}, stock host", guest.file);
        }
    }
}
