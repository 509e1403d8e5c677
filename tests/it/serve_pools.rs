//! `edgec serve` of programs that need more memories and tables than any program at the start.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use edgec_tests::{Sandbox, programs, until};

use crate::hosting::{admit, admit_proxy, put_policy, sandbox};
use crate::serve::{HOST, Running, request, status};

const SERVE: &str = r#"
schema = 1
[listen]
http = ["127.0.0.1:0"]
[store]
path = "store"
refresh = "50ms"
[policy]
file = "policy.toml"
[[application]]
name = "proxy"
"#;

/// Version `version` of the proxy: it has one memory more, of 20 MiB, and seven tables.
fn admit_larger(sandbox: &Sandbox, answer: u16, version: u32) {
    let larger = "(core module $more (memory (export \"memory\") 320)\
                  (table 1 funcref) (table 1 funcref) (table 1 funcref) (table 1 funcref)\
                  (table 1 funcref) (table 1 funcref) (table 1 funcref))\
                  (core instance (instantiate $more))\n  (core module $main";
    let proxy = programs::proxy(answer).replacen("(core module $main", larger, 1);
    sandbox.write("larger.wat", proxy);
    admit(sandbox, "larger.wat", "proxy", version);
}

fn answer(address: &str) -> u16 {
    status(&request(address, "GET", HOST))
}

#[test]
fn a_host_that_began_without_the_program_serves_it() {
    let sandbox = sandbox();
    sandbox.write("other.wat", programs::proxy(299));
    admit(&sandbox, "other.wat", "other", 1);
    sandbox.write("serve.toml", SERVE);
    let host = Running::start(&sandbox, &["--config", "serve.toml"]);
    let address = host.address("");
    assert_eq!(answer(&address), 503);
    admit_larger(&sandbox, 201, 1);
    until(|| answer(&address) == 201);
    host.end();
}

/// The pool changes under requests, to a larger size and back. None of them fails.
#[test]
fn a_version_that_needs_more_than_the_pool_has_replaces_the_old_one() {
    let sandbox = sandbox();
    admit_proxy(&sandbox, 201, 1);
    sandbox.write("serve.toml", SERVE);
    let host = Running::start(&sandbox, &["--config", "serve.toml"]);
    let address = host.address("");
    let (done, requests) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        let client = || {
            while !done.load(Ordering::Relaxed) {
                let answer = answer(&address);
                assert!((201..=204).contains(&answer), "{answer}");
                requests.fetch_add(1, Ordering::Relaxed);
            }
        };
        let clients = [scope.spawn(client), scope.spawn(client)];
        admit_larger(&sandbox, 202, 2);
        host.line("version 2 in place of 1, in a larger pool");
        until(|| answer(&address) == 202);
        admit_proxy(&sandbox, 203, 3);
        host.line("version 3 in place of 2");
        admit_larger(&sandbox, 204, 4);
        host.line("version 4 in place of 3");
        until(|| answer(&address) == 204);
        done.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().unwrap();
        }
    });
    assert!(requests.into_inner() > 2);
    host.end();
}

/// The version in use is not trusted any more, and the next one needs a larger pool.
#[test]
fn a_version_in_place_of_a_revoked_one_gets_a_larger_pool() {
    let sandbox = sandbox();
    admit_proxy(&sandbox, 201, 1);
    sandbox.write("serve.toml", SERVE);
    let host = Running::start(&sandbox, &["--config", "serve.toml"]);
    let address = host.address("");
    assert_eq!(answer(&address), 201);
    put_policy(&sandbox, "", "[minimum-version]\nproxy = 2\n");
    until(|| answer(&address) == 503);
    admit_larger(&sandbox, 202, 2);
    until(|| answer(&address) == 202);
    host.end();
}

/// Twelve thousand instances with a memory take 47 TiB of address space, with two memories 94. The
/// version in use stays.
#[test]
fn a_pool_that_cannot_be_made_is_named() {
    let sandbox = sandbox();
    admit_proxy(&sandbox, 201, 1);
    sandbox.write(
        "serve.toml",
        format!("{SERVE}[limits]\ninstances = 12000\n"),
    );
    let host = Running::start(&sandbox, &["--config", "serve.toml"]);
    let address = host.address("");
    admit_larger(&sandbox, 202, 2);
    let line = host.line("there is no pool for `proxy`");
    assert!(line.contains("of address space, more than"), "{line}");
    assert_eq!(answer(&address), 201);
    admit_proxy(&sandbox, 203, 3);
    host.line("version 3 in place of 1");
    assert_eq!(answer(&address), 203);
    host.end();
}
