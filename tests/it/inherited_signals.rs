//! A process inherits which signals are ignored and blocked from the process that starts edgec.
#![cfg(target_os = "linux")]

use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};

use edgec_tests::{Sandbox, binary, isolate, repository};
use rustix::process::{Pid, Signal, kill_process};

/// More than a pipe can hold, in bytes. When all of it is written, its reader has begun to read.
const MORE_THAN_A_PIPE: usize = 1 << 18;

/// The binary, started by GNU's `env` with these options.
fn started_with(sandbox: &Sandbox, options: &[&str], arguments: &[&str]) -> Command {
    let mut command = Command::new("env");
    isolate(&mut command, sandbox.path());
    command.args(options).arg(binary()).args(arguments);
    command
}

/// edgec waits for every process that it starts, whatever it inherits.
#[test]
fn a_build_works_whatever_is_ignored_or_blocked() {
    let sandbox = Sandbox::new();
    sandbox.fake_optimizer("cat");
    let hello = repository().join("examples/hello.wat");
    let build = ["build", "-q", "-O2", "-t", "x86_64", "--key", "key.pem"];
    let build = [&build[..], &["-o", "a.cwasm", hello.to_str().unwrap()]].concat();
    sandbox.ok(&build);
    let expected = sandbox.read("a.cwasm");
    for options in [
        &["--ignore-signal=CHLD"][..],
        &["--ignore-signal"],
        &["--block-signal=CHLD"],
        &["--block-signal"],
        &["--ignore-signal", "--block-signal"],
    ] {
        std::fs::remove_file(sandbox.path().join("a.cwasm")).unwrap();
        let output = started_with(&sandbox, options, &build).output().unwrap();
        assert!(output.status.success(), "{options:?}: {output:?}");
        assert!(output.stderr.is_empty(), "{options:?}: {output:?}");
        assert_eq!(sandbox.read("a.cwasm"), expected, "{options:?}");
        // A program that the user named, and one that edgec stops.
        let fake = [&build[..], &["--wasm-opt", "./wasm-opt"]].concat();
        let output = started_with(&sandbox, options, &fake).output().unwrap();
        assert!(output.status.success(), "{options:?}: {output:?}");
    }
    sandbox.fake_optimizer("exec sleep 100");
    let late = ["--wasm-opt", "./wasm-opt", "--optimizer-timeout", "1"];
    let options = ["--ignore-signal", "--block-signal"];
    let mut late = started_with(&sandbox, &options, &[&build[..], &late].concat());
    let output = late.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.starts_with("error[optimize-timeout]: "), "{stderr}");
}

/// Sends a signal to edgec while it reads its input, and ends that input.
fn signalled(sandbox: &Sandbox, options: &[&str], signal: Signal) -> Child {
    let build = ["build", "-q", "-", "--name", "app", "-t", "x86_64"];
    let output = ["--key", "key.pem", "-o", "a.cwasm"];
    let mut command = started_with(sandbox, options, &[&build[..], &output].concat());
    command.stdin(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(&vec![b' '; MORE_THAN_A_PIPE]).unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
    // The signal may have ended the process.
    let _ = input.write_all(b"(component)");
    child
}

/// `nohup` ignores signals on purpose, and so does a shell that starts a process in the background.
#[test]
fn a_signal_that_was_ignored_does_not_end_a_build() {
    let sandbox = Sandbox::new();
    for (name, signal) in [
        ("HUP", Signal::HUP),
        ("INT", Signal::INT),
        ("QUIT", Signal::QUIT),
        ("TERM", Signal::TERM),
    ] {
        let ignores = format!("--ignore-signal={name}");
        let status = signalled(&sandbox, &[&ignores], signal).wait().unwrap();
        assert!(status.success(), "{name}: {status}");
        std::fs::remove_file(sandbox.path().join("a.cwasm")).unwrap();
        // Otherwise it ends the build.
        let default = format!("--default-signal={name}");
        let mut child = signalled(&sandbox, &[&default], signal);
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(signal.as_raw()), "{name}: {status}");
        assert!(!sandbox.path().join("a.cwasm").exists(), "{name}");
    }
}
