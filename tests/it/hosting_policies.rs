//! The policies of the hosts in `edgec-loader`'s examples: they are remembered across restarts, and
//! errors have the library's names.

#![cfg(target_os = "linux")]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use edgec_tests::{example, repository};

use crate::hosting::{admit, admit_proxy, cli_host, put_policy, sandbox};

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
        let program = ["store", "acme/hello", "policy.toml"];
        cli_host(&sandbox, &[&["--state", "newest"][..], &program].concat())
    };
    edition(2);
    let output = run();
    assert!(output.status.success(), "{output:?}");
    edition(1);
    assert_refused(&run(), "policy-rollback");
    let serve = ["store", "proxy", "policy.toml", "127.0.0.1:0"];
    let mut host = Command::new(example("http_host"));
    let host = host.current_dir(sandbox.path()).args(["--state", "newest"]);
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

/// Hosts name a problem with a policy or a store as the library does.
#[test]
fn hosts_name_the_errors_of_the_library() {
    let sandbox = sandbox();
    let hello = repository().join("examples/hello.wat");
    admit(&sandbox, hello.to_str().unwrap(), "acme/hello", 1);
    let refused = |store: &str, code: &str| {
        let arguments = [store, "acme/hello", "policy.toml"];
        assert_refused(&cli_host(&sandbox, &arguments), code);
        let mut host = Command::new(example("http_host"));
        let host = host.current_dir(sandbox.path()).args(arguments);
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
    refused("store", "policy-file");
}
