//! Messages about a trust policy that is not followed: what is wrong, and what to do.
#![cfg(unix)]

use std::os::unix::fs::symlink;

use edgec_tests::{Sandbox, fifo};

/// A policy with this head that trusts the sandbox's key.
fn policy(sandbox: &Sandbox, head: &str) -> String {
    let pem = String::from_utf8(sandbox.read("key.pub.pem")).unwrap();
    let key = format!("[[key]]\nname = 'release'\npem = \"\"\"\n{pem}\"\"\"\n");
    format!("{head}\nthreshold = 1\n\n{key}")
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("app.wat", "(module)");
    sandbox.build("app.wat", "x86_64", "app.cwasm");
    sandbox
}

fn refused(sandbox: &Sandbox, policy: &str, more: &[&str], begins: &str, hint: &str) {
    let verify = ["verify", "app.cwasm", "--trust", policy];
    let stderr = sandbox.fails(1, &[&verify[..], more].concat());
    assert!(stderr.starts_with(begins), "{stderr}");
    let code = begins.split(['[', ']']).nth(1).unwrap();
    assert_eq!(
        stderr.split_once("\n  hint: ").unwrap().1,
        format!("{hint}\n  more: edgec explain {code}\n")
    );
}

/// If a policy was seen before, the message names it.
#[test]
fn a_policy_without_a_version_cannot_be_remembered() {
    let sandbox = sandbox();
    sandbox.write("bare.toml", policy(&sandbox, ""));
    sandbox.write("first.toml", policy(&sandbox, "name = 'a'\nversion = 1"));
    let begins = "error[policy-rollback]: bare.toml: the trust policy states no version";
    let hint = "give the policy a `name` and a `version` (docs/policy.md), or name no file that \
                remembers the newest one";
    let state = ["--trust-state", "seen"];
    refused(&sandbox, "bare.toml", &state, begins, hint);
    let verify = ["verify", "app.cwasm", "--trust", "first.toml"];
    sandbox.ok(&[&verify[..], &state].concat());
    let hint = format!("{hint}\n  hint: the newest policy seen is in seen");
    refused(&sandbox, "bare.toml", &state, begins, &hint);
}

#[test]
fn a_policy_is_not_read_from_a_pipe() {
    let sandbox = sandbox();
    fifo(&sandbox.path().join("pipe"));
    symlink("pipe", sandbox.path().join("link")).unwrap();
    let hint = "write it to a file of your own first: edgec cannot know who writes to a pipe";
    for name in ["pipe", "link", "-"] {
        let begins = format!("error[trust-file]: {name}: not a regular file\n");
        refused(&sandbox, name, &[], &begins, hint);
    }
    sandbox.write("real.toml", policy(&sandbox, ""));
    symlink("real.toml", sandbox.path().join("link.toml")).unwrap();
    let begins = "error[trust-file]: link.toml: a symbolic link";
    let hint = "name the file that it leads to";
    refused(&sandbox, "link.toml", &[], begins, hint);
}

/// The message has the time, and the hint does not repeat it.
#[test]
fn an_expired_policy_is_fetched_anew() {
    let sandbox = sandbox();
    let past = "expires = 2020-01-01T00:00:00Z";
    sandbox.write("past.toml", policy(&sandbox, past));
    let begins =
        "error[policy-expired]: past.toml: the trust policy expired at 2020-01-01T00:00:00Z";
    let hint = "fetch the newest version of the policy";
    refused(&sandbox, "past.toml", &[], begins, hint);
}
