//! The policies of the hosts in `edgec-loader`'s examples: they are remembered across restarts, and
//! errors have the library's names.

#![cfg(target_os = "linux")]

use std::fs::Permissions;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};

use edgec_tests::{example, repository};

use crate::hosting::{
    UNGUARDED, admit, admit_proxy, cli_host, plain_cli_host, put_policy, sandbox,
};
use crate::preview1::{ARCH, HELLO, MEMORY, WRITE, command};

/// With a state file, no older policy is followed after a restart.
#[test]
fn hosts_remember_the_newest_policy() {
    let sandbox = sandbox();
    admit_proxy(&sandbox, 201, 1);
    let hello = repository().join("examples/hello.wat");
    admit(&sandbox, hello.to_str().unwrap(), "acme/hello", 1);
    let edition = |version: u32| {
        put_policy(
            &sandbox,
            &format!("name = 'fleet'\nversion = {version}\n"),
            "",
        );
    };
    let run = || {
        let trust = ["--no-root", "--state", "newest"];
        let program = ["store", "acme/hello", "policy.toml"];
        cli_host(&sandbox, &[&trust[..], &program].concat())
    };
    edition(2);
    let output = run();
    assert!(output.status.success(), "{output:?}");
    edition(1);
    assert_refused(&run(), "policy-rollback");
    let serve = ["store", "proxy", "policy.toml", "127.0.0.1:0"];
    let mut host = Command::new(example("http_host"));
    let host = host.current_dir(sandbox.path());
    let host = host.args(["--no-root", "--state", "newest"]);
    assert_refused(&host.args(serve).output().unwrap(), "policy-rollback");
    edition(3);
    let output = run();
    assert!(output.status.success(), "{output:?}");
}

/// Asserts that a host ended with this error before it ran anything.
fn assert_refused(output: &Output, code: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(output.stdout.is_empty(), "{output:?}");
    assert!(stderr.starts_with(&format!("error[{code}]: ")), "{stderr}");
}

/// A host without root keys or without a state file must say so. With root keys, it follows only
/// policies that each root key signed.
#[test]
fn hosts_ask_for_the_roots() {
    let sandbox = sandbox();
    let hello = repository().join("examples/hello.wat");
    admit(&sandbox, hello.to_str().unwrap(), "acme/hello", 1);
    put_policy(&sandbox, "name = 'fleet'\nversion = 1\n", "");
    for key in ["root", "other"] {
        sandbox.ok(&["keygen", "-o", &format!("{key}.pem")]);
    }
    let sign = ["policy", "sign", "policy.toml", "-o", "signed.dsse"];
    sandbox.ok(&[&sign[..], &["--key", "root.pem"]].concat());
    let run = |trust: &[&str], policy: &str| {
        let program = ["store", "acme/hello", policy];
        cli_host(&sandbox, &[trust, &program].concat())
    };
    let root = ["--root", "root.pub.pem", "--state", "newest"];
    let output = run(&root, "signed.dsse");
    assert!(output.status.success(), "{output:?}");
    assert_refused(&run(&root, "policy.toml"), "policy-signature");
    let other = ["--root", "other.pub.pem", "--no-state"];
    assert_refused(&run(&other, "signed.dsse"), "policy-signature");
    let both = [&other[..2], &root].concat();
    assert_refused(&run(&both, "signed.dsse"), "policy-signature");
    for unsaid in [&root[..0], &root[..2], &["--no-root"], &["--no-state"]] {
        let output = run(unsaid, "signed.dsse");
        assert_refused(&output, "host");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains("say whom to trust"), "{stderr}");
    }
}

/// The host reads its policy again while a program runs, and ends the program if it is not trusted
/// any more.
#[test]
fn a_command_that_is_revoked_ends() {
    let sandbox = sandbox();
    let spin = format!("{HELLO} (loop (br 0))");
    sandbox.write("spin.wat", command(&[WRITE], MEMORY, &spin));
    let build = [
        "build",
        "-q",
        "spin.wat",
        "-O0",
        "-t",
        ARCH,
        "--profile",
        "edge",
    ];
    let kind = [
        "--kind",
        "component",
        "--key",
        "key.pem",
        "-o",
        "spin.cwasm",
    ];
    sandbox.ok(&[&build[..], &kind].concat());
    sandbox.admit("spin.cwasm");
    let mut host = Command::new(example("cli_host"));
    let host = host.current_dir(sandbox.path()).args(UNGUARDED);
    let host = host.args(["store", "spin", "policy.toml"]);
    let host = host.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut host = host.spawn().unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(host.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "hello\n");
    put_policy(&sandbox, "", "[minimum-version]\nspin = 2\n");
    let output = host.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let end = "error[rollback]: the version in use is not trusted any more: ";
    assert!(stderr.contains(end), "{stderr}");
}

/// Hosts name a problem with a policy or a store as the library does.
#[test]
fn hosts_name_the_errors_of_the_library() {
    let sandbox = sandbox();
    let hello = repository().join("examples/hello.wat");
    admit(&sandbox, hello.to_str().unwrap(), "acme/hello", 1);
    let refused = |store: &str, code: &str| {
        let arguments = [store, "acme/hello", "policy.toml"];
        assert_refused(&plain_cli_host(&sandbox, &arguments), code);
        let mut host = Command::new(example("http_host"));
        let host = host.current_dir(sandbox.path()).args(UNGUARDED);
        let host = host.args(arguments);
        assert_refused(&host.arg("127.0.0.1:0").output().unwrap(), code);
    };
    refused(".", "not-a-store");
    let head = "name = 'fleet'\nversion = 1\nexpires = 2020-01-01T00:00:00Z\n";
    put_policy(&sandbox, head, "");
    refused("store", "policy-expired");
    put_policy(&sandbox, "treshold = 1\n", "");
    refused("store", "trust-policy");
    let path = sandbox.path().join("policy.toml");
    std::fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
    refused("store", "trust-file");
}
