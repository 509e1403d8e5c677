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

/// Another application, for the end of [`SERVE`].
const OTHER: &str = "[[application]]\nname = \"other\"\nhost = \"other.example\"\n";

/// Starts a host with this after [`SERVE`], and returns its address too.
fn start(sandbox: &Sandbox, more: &str) -> (Running, String) {
    sandbox.write("serve.toml", format!("{SERVE}{more}"));
    let host = Running::start(sandbox, &["--config", "serve.toml"]);
    let address = host.address("");
    (host, address)
}

/// Admits a version of a proxy with another module, which has these memories and tables.
fn admit_beside(sandbox: &Sandbox, (name, version): (&str, u32), answer: u16, fields: &str) {
    let more = format!(
        "(core module $more {fields})(core instance (instantiate $more))\n  (core module $main"
    );
    let proxy = programs::proxy(answer).replacen("(core module $main", &more, 1);
    sandbox.write("more.wat", proxy);
    admit(sandbox, "more.wat", name, version);
}

/// The same with a memory of so many MiB, and so many tables.
fn admit_with(sandbox: &Sandbox, named: (&str, u32), answer: u16, (memory, tables): (u32, usize)) {
    let tables = "(table 1 funcref)".repeat(tables);
    let fields = format!("(memory (export \"memory\") {}){tables}", memory * 16);
    admit_beside(sandbox, named, answer, &fields);
}

fn admit_larger(sandbox: &Sandbox, answer: u16, version: u32) {
    admit_with(sandbox, ("proxy", version), answer, (20, 7));
}

fn answer(address: &str) -> u16 {
    status(&request(address, "GET", HOST))
}

/// What the other application answers.
fn other(address: &str) -> u16 {
    status(&request(address, "GET", "Host: other.example\r\n"))
}

#[test]
fn a_host_that_began_without_the_program_serves_it() {
    let sandbox = sandbox();
    sandbox.write("other.wat", programs::proxy(299));
    admit(&sandbox, "other.wat", "other", 1);
    let (host, address) = start(&sandbox, "");
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
    let (host, address) = start(&sandbox, "");
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
    let (host, address) = start(&sandbox, "");
    assert_eq!(answer(&address), 201);
    put_policy(&sandbox, "", "[minimum-version]\nproxy = 2\n");
    until(|| answer(&address) == 503);
    admit_larger(&sandbox, 202, 2);
    until(|| answer(&address) == 202);
    host.end();
}

/// A new size divides the budget again: what runs already moves too.
#[test]
fn applications_move_to_the_pools_that_replace_theirs() {
    let sandbox = sandbox();
    admit_proxy(&sandbox, 201, 1);
    sandbox.write("other.wat", programs::proxy(299));
    admit(&sandbox, "other.wat", "other", 1);
    let (host, address) = start(&sandbox, OTHER);
    assert_eq!((answer(&address), other(&address)), (201, 299));
    admit_larger(&sandbox, 202, 2);
    let line = host.line("it is in a new pool now");
    assert!(line.contains("other"), "{line}");
    assert_eq!((answer(&address), other(&address)), (202, 299));
    host.end();
}

/// Twelve thousand instances with a memory take 47 TiB of address space, with two memories 94. The
/// version in use stays.
#[test]
fn a_program_that_no_pool_fits_is_named() {
    let sandbox = sandbox();
    admit_proxy(&sandbox, 201, 1);
    let (host, address) = start(&sandbox, "[limits]\ninstances = 12000\n");
    admit_larger(&sandbox, 202, 2);
    let line = host.line("there is no pool for `proxy`");
    assert!(line.contains("of address space, more than"), "{line}");
    assert_eq!(answer(&address), 201);
    admit_proxy(&sandbox, 203, 3);
    host.line("version 3 in place of 1");
    assert_eq!(answer(&address), 203);
    host.end();
}

/// A pool for 10,500 instances takes 41 TiB. So there is no space for a third one. A pool of
/// another size serves the program, but not if it has too few tables.
#[test]
fn another_pool_serves_a_program_whose_own_cannot_be_made() {
    let sandbox = sandbox();
    let sized = |(name, version): (&str, u32), answer: u16, memory: u32| {
        let (from, to) = ("\"memory\") 1)", format!("\"memory\") {})", memory * 16));
        sandbox.write("sized.wat", programs::proxy(answer).replacen(from, &to, 1));
        admit(&sandbox, "sized.wat", name, version);
    };
    sized(("proxy", 1), 201, 20);
    let limits = "[limits]\ninstances = 10500\n";
    let (host, address) = start(&sandbox, &format!("{OTHER}{limits}"));
    assert_eq!((answer(&address), other(&address)), (201, 503));
    sized(("other", 1), 202, 8);
    until(|| other(&address) == 202);
    let tables = "(table 1 funcref)".repeat(9);
    admit_beside(&sandbox, ("other", 2), 203, &tables);
    host.line("the pool for small programs would take ");
    assert_eq!((answer(&address), other(&address)), (201, 202));
    host.end();
}

/// A pool for 45 memories would take the address space of other sizes. Only this program is not
/// served, also after a restart.
#[test]
fn a_program_takes_no_address_space_from_others() {
    let sandbox = sandbox();
    admit_proxy(&sandbox, 201, 1);
    let (host, _) = start(&sandbox, OTHER);
    admit_beside(&sandbox, ("other", 1), 202, &"(memory 1)".repeat(45));
    host.line("the pool for small programs would take ");
    host.end();
    let (host, address) = start(&sandbox, OTHER);
    assert_eq!((answer(&address), other(&address)), (201, 503));
    host.end();
}

/// Such a version would fail at every request.
#[test]
fn a_version_that_can_have_no_instance_does_not_replace_a_good_one() {
    let sandbox = sandbox();
    admit_proxy(&sandbox, 201, 1);
    let (host, address) = start(&sandbox, "");
    admit_with(&sandbox, ("proxy", 2), 202, (128, 1));
    let line = host.line("the host does not take the program");
    assert!(line.contains("the limit `memory` is 128 MiB"), "{line}");
    admit_beside(
        &sandbox,
        ("proxy", 3),
        203,
        "(table (export \"t\") 100001 funcref)",
    );
    host.line("its tables start with 100001 elements, and the limit `table-elements` is 100000");
    assert_eq!(answer(&address), 201);
    host.end();
    // Without a better version, there is none.
    let (host, address) = start(&sandbox, "");
    assert_eq!(answer(&address), 503);
    host.end();
}

/// Whatever one application needs, another is served with each of its versions, and the host starts
/// again. A request to the first gets an answer of one of its programs, or none is served.
#[test]
fn no_needs_of_one_application_concern_another() {
    let sandbox = sandbox();
    admit_proxy(&sandbox, 200, 1);
    let (host, address) = start(&sandbox, OTHER);
    // A generator of pseudorandom numbers (Knuth, The Art of Computer Programming 2, 3.3.4).
    let mut state = 18u64;
    let mut pick = |from: &[u32]| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        from[usize::try_from(state >> 33).unwrap() % from.len()]
    };
    for step in 1..=16u16 {
        let memories = pick(&[0, 1, 2, 9, 20, 45, 90]);
        let pages = pick(&[0, 1, 64, 320, 1000, 3000]) / memories.max(1);
        // A module has at most 100.
        let tables = pick(&[0, 1, 5, 50, 100]);
        let elements = pick(&[0, 1, 20, 1000, 10_000_000]);
        let fields = format!("(memory {pages})").repeat(usize::try_from(memories).unwrap())
            + &format!("(table {elements} funcref)").repeat(usize::try_from(tables).unwrap());
        println!("step {step}: {memories} memories of {pages} pages, {tables} of {elements}");
        admit_beside(&sandbox, ("other", step.into()), 230 + step, &fields);
        // A refresh that takes this version has looked at the other application too.
        admit_proxy(&sandbox, 200 + step, u32::from(step) + 1);
        until(|| answer(&address) == 200 + step);
        let other = other(&address);
        assert!(
            other == 503 || (231..=230 + step).contains(&other),
            "{other}"
        );
    }
    host.end();
    let (host, address) = start(&sandbox, OTHER);
    assert_eq!(answer(&address), 216);
    host.end();
}
