//! Artifacts for aarch64 run, in a stock Wasmtime that is not ours, under emulation.
//!
//! `tests/aarch64/setup.sh` makes the emulated system from public packages; without it
//! the test says that it skipped. `EDGEC_REQUIRE_AARCH64=1` makes that a failure.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use edgec_tests::stock::{self, Behaviour};
use edgec_tests::{CLI_GUESTS, Sandbox, isolate, repository, shared};

/// Where `setup.sh` puts the emulated system.
fn root() -> Option<PathBuf> {
    let named = std::env::var_os("EDGEC_AARCH64_ROOT").map(PathBuf::from);
    let cached = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache/edgec/aarch64"));
    named.or(cached).filter(|root| root.join("ready").exists())
}

/// A core with everything. Its pointer authentication is of the simple kind that the manual
/// leaves to implementations: emulating the architected cipher makes everything four times
/// slower (QEMU, "A-profile CPU features", `pauth-impdef`).
const NEWEST: &str = "max,pauth-impdef=on";

fn run(root: &Path, cpu: &str, artifact: &Path, arguments: &[&str], stdin: &str) -> Behaviour {
    let edge = artifact.to_str().unwrap().ends_with(".edge.cwasm");
    let mut child = Command::new("qemu-aarch64-static")
        .args(["-cpu", cpu, "-L"])
        .arg(root)
        .arg(root.join("usr/bin/python3.13"))
        .arg(repository().join("tests/aarch64/run_component.py"))
        .args(edge.then_some("--epochs"))
        .arg(artifact)
        .args(arguments)
        .env("PYTHONPATH", root.join("opt/wasmtime"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("qemu-aarch64-static is installed");
    let mut input = child.stdin.take().unwrap();
    input.write_all(stdin.as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    // The runner's first line says what machine it sees; the rest is the program's.
    let (machine, stderr) = stderr.split_once('\n').unwrap_or_default();
    assert!(machine.starts_with("aarch64: "), "{machine}\n{stderr}");
    Behaviour {
        stdout: output.stdout,
        stderr: stderr.as_bytes().to_vec(),
        code: output.status.code().unwrap(),
    }
}

#[test]
fn artifacts_run_on_aarch64() {
    let Some(root) = root() else {
        assert!(
            std::env::var_os("EDGEC_REQUIRE_AARCH64").is_none(),
            "tests/aarch64/setup.sh has not run"
        );
        eprintln!("skipped: tests/aarch64/setup.sh makes the emulated system");
        return;
    };
    let sandbox = Sandbox::new();
    let hello = repository().join("examples/hello.wat");
    let build = |input: &Path, target: &str, output: &str| {
        let mut command = sandbox.command(&["build", "--quiet", "--target", target]);
        isolate(&mut command, sandbox.path());
        command.arg(input).args(["--key", "key.pem", "-o", output]);
        if output.ends_with(".edge.cwasm") {
            command.args(["--profile", "edge"]);
        }
        assert!(command.status().unwrap().success());
        sandbox.path().join(output)
    };
    let artifact = build(&hello, "aarch64", "hello.cwasm");
    // A core without the atomic instructions of Armv8.1, and one with everything.
    for cpu in ["cortex-a72", NEWEST] {
        let found = run(&root, cpu, &artifact, &[], "");
        assert_eq!(found.stdout, b"Hello from the edge!\n", "{cpu}");
        assert_eq!(found.code, 0);
    }
    // Code that needs what the core lacks is refused there, and runs elsewhere.
    let newer = build(&hello, "neoverse-n1", "newer.cwasm");
    assert_eq!(run(&root, "cortex-a72", &newer, &[], "").code, 2);
    let found = run(&root, NEWEST, &newer, &[], "");
    assert_eq!(found.stdout, b"Hello from the edge!\n");

    // Tier 1: every target of code of its own.
    for target in edgec_targets::all() {
        if target.arch.name() == "aarch64" && target.same_code_as().is_none() {
            let artifact = build(&hello, target.id, "tier.cwasm");
            let found = run(&root, NEWEST, &artifact, &[], "");
            assert_eq!(found.stdout, b"Hello from the edge!\n", "{}", target.id);
        }
    }

    let edge = build(&hello, "aarch64", "hello.edge.cwasm");
    let found = run(&root, "cortex-a72", &edge, &[], "");
    assert_eq!(found.stdout, b"Hello from the edge!\n");

    let Some(guests) = shared("guests") else {
        return;
    };
    // Emulation is some thirty times slower: one program that computes, two that do not.
    for guest in CLI_GUESTS {
        if !["rust-worker-p2.wasm", "c-cmark.wasm", "c-quickjs.wasm"].contains(&guest.file) {
            continue;
        }
        let path = guests.join(guest.file);
        let artifact = build(&path, "aarch64", "guest.cwasm");
        let wasm = std::fs::read(&path).unwrap();
        let input = edgec_compiler::read(&wasm).unwrap();
        let adapted = edgec_compiler::adapt(input, edgec_compiler::KindChoice::Auto).unwrap();
        let here = stock::compile_and_run(adapted.component.bytes(), guest.arguments, guest.stdin);
        let there = run(&root, NEWEST, &artifact, guest.arguments, guest.stdin);
        assert_eq!(there.stdout, here.stdout, "{}", guest.file);
        assert_eq!(there.code, here.code, "{}", guest.file);
        if guest.file == "rust-worker-p2.wasm" {
            let artifact = build(&path, "aarch64", "guest.edge.cwasm");
            let there = run(&root, NEWEST, &artifact, guest.arguments, guest.stdin);
            assert_eq!((&there.stdout, there.code), (&here.stdout, here.code));
        }
    }
}
