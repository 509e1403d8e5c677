//! `edgec sync --retry`, and gates that cannot judge: an operator takes a false verdict back, and
//! the silence of a host that was never up does not make a release bad.

use edgec_tests::{Sandbox, until, words};

use crate::serve::{HOST, Running, request, status};
use crate::sync::{FLEET, Following, once, prepared, publish, stored};

/// A gate that refuses version 2 while the file `ill` exists.
const GATE: &str = "[gate]\ncommand = [\"sh\", \"-c\", \"test $1 != 2 || test ! -e ill || \
                    { echo no answer >&2; exit 1; }\", \"sh\", \"{version}\"]\nfor = \"0s\"\n\
                    failures = 1\n";
const ONCE: &str = "sync fleet.toml --store store --key key.pub.pem --once";
const RETRY: &str = "sync fleet.toml --store store --retry acme/shop";
const FORGIVEN: &str = "acme/shop@stable: release 2 (version 2) was bad: `sh` ended with exit \
                        status: 1: no answer; it will be tried again\n";

/// A host that went back from version 2, which it would not refuse now.
fn went_back(more: &str) -> Sandbox {
    let sandbox = prepared(&format!("{GATE}{more}"));
    publish(&sandbox, 1, 201);
    once(&sandbox);
    sandbox.write("ill", "");
    publish(&sandbox, 2, 202);
    assert_eq!(sandbox.run(&words(ONCE)).status.code(), Some(1));
    assert_eq!(stored(&sandbox), (vec![1, 2], vec![1]));
    std::fs::remove_file(sandbox.path().join("ill")).unwrap();
    sandbox
}

#[test]
fn a_release_is_tried_again_in_one_round() {
    let sandbox = went_back("");
    let retry = format!("{ONCE} --retry acme/shop@stable:2");
    let said = sandbox.ok(&words(&retry));
    let healthy = "acme/shop@stable: healthy, version 2\n";
    assert_eq!(said, format!("{FORGIVEN}{healthy}"));
    assert_eq!(stored(&sandbox), (vec![1, 2], vec![2]));
    assert_eq!(once(&sandbox), healthy);
    // Newer releases are followed: no operator has chosen a version.
    publish(&sandbox, 3, 203);
    assert_eq!(once(&sandbox), "acme/shop@stable: healthy, version 3\n");
}

#[test]
fn an_order_waits_for_the_next_process() {
    let sandbox = went_back("");
    assert_eq!(sandbox.ok(&words(RETRY)), FORGIVEN);
    assert_eq!(stored(&sandbox), (vec![1, 2], vec![1]));
    // It is the same order.
    assert_eq!(sandbox.ok(&words(RETRY)), FORGIVEN);
    assert_eq!(once(&sandbox), "acme/shop@stable: healthy, version 2\n");
    let error = sandbox.fails(1, &words(RETRY));
    assert!(error.contains("error[sync-not-bad]"), "{error}");
}

#[test]
fn a_running_sync_obeys_and_tells_it() {
    let sandbox = went_back("");
    let text = FLEET.replace("schema = 1\n", "schema = 1\nstatus = \"127.0.0.1:0\"\n");
    sandbox.write_secret("fleet.toml", format!("{text}{GATE}"));
    let sync = Following::start(&sandbox, "fleet.toml --store store --key key.pub.pem");
    let line = sync.line("status: http://");
    let address = line.rsplit_once("http://").unwrap().1;
    let address = address.trim_end_matches("/status").to_owned();
    let page = || request(&address, "GET", HOST);
    until(|| page().contains("\"phase\": \"went-back\""));
    assert_eq!(sandbox.ok(&words(RETRY)), FORGIVEN);
    sync.line("release 2 (version 2) was bad: ");
    sync.line("release 2 (version 2) is healthy");
    until(|| page().contains("\"phase\": \"healthy\""));
    let page = page();
    assert!(!page.contains("\"bad\""), "{page}");
    let forgiven = page.split_once("\"forgiven\": {").unwrap().1;
    let forgiven = forgiven.split_once('}').unwrap().0;
    for part in [
        "\"version\": 2",
        "no answer",
        "\"forgivenAt\": ",
        "\"wentBackTo\": 1",
    ] {
        assert!(forgiven.contains(part), "{part}: {forgiven}");
    }
    sync.end();
    assert_eq!(stored(&sandbox), (vec![1, 2], vec![2]));
}

#[test]
fn a_host_with_sync_inside_obeys() {
    let sandbox = went_back("");
    let serve = "schema = 1\n[listen]\nhttp = [\"127.0.0.1:0\"]\n\
                 [store]\npath = \"store\"\nrefresh = \"50ms\"\n[sync]\nfleet = \"fleet.toml\"\n\
                 [[application]]\nname = \"acme/shop\"\nchannel = \"stable\"\n";
    sandbox.write_secret("serve.toml", serve);
    let arguments = ["--config", "serve.toml", "--key", "key.pub.pem"];
    let host = Running::start(&sandbox, &arguments);
    let address = host.address("");
    assert_eq!(status(&request(&address, "GET", HOST)), 201);
    assert_eq!(sandbox.ok(&words(RETRY)), FORGIVEN);
    host.line("sync: release 2 (version 2) was bad: ");
    host.line("sync: release 2 (version 2) is healthy");
    until(|| status(&request(&address, "GET", HOST)) == 202);
    host.end();
}

#[test]
fn only_a_bad_release_is_tried_again() {
    let sandbox = went_back("");
    let fails = |code, name: &str, says: &str| {
        let error = sandbox.fails(code, &words(&format!("{RETRY}{name}")));
        assert!(error.contains(says), "{error}");
    };
    fails(2, "ping", "it has these: acme/shop@stable");
    fails(1, ":1", "its bad release is 2 (version 2), not version 1");
    fails(1, ":1", "error[sync-not-bad]");
    // Nothing was ordered.
    assert_eq!(sandbox.run(&words(ONCE)).status.code(), Some(1));
    // A process that holds the state is not disturbed.
    let sync = Following::start(&sandbox, "fleet.toml --store store --key key.pub.pem");
    publish(&sandbox, 3, 203);
    sync.line("release 3 (version 3) is healthy");
    fails(1, "", "no release of it is bad");
    let busy = format!("{ONCE} --retry acme/shop");
    let error = sandbox.fails(3, &words(&busy));
    assert!(error.contains("error[sync-busy]"), "{error}");
    sync.end();
}

/// `sync --once` fills a store before the host is up, as an init container does.
#[test]
fn a_gate_does_not_judge_by_a_host_that_was_never_up() {
    let sandbox = prepared("");
    let admin = sandbox.path().join("admin");
    let gate = format!(
        "[gate]\nmetrics = {{ url = \"unix:{}\", take = \"50ms\", min-requests = 1 }}\n\
         for = \"0s\"\nevery = \"10ms\"\nfailures = 1\n",
        admin.display()
    );
    sandbox.write_secret("fleet.toml", format!("{FLEET}{gate}"));
    publish(&sandbox, 1, 201);
    // As often as one likes.
    for _ in 0..7 {
        let said = once(&sandbox);
        let begins = "acme/shop@stable: watching, version 1: the gate cannot judge it yet: the \
                      host does not answer (cannot read ";
        assert!(said.starts_with(begins), "{said}");
    }
    let serve = "schema = 1\n[listen]\nhttp = [\"127.0.0.1:0\"]\nadmin = \"unix:admin\"\n\
                 [store]\npath = \"store\"\nrefresh = \"50ms\"\n\
                 [[application]]\nname = \"acme/shop\"\nchannel = \"stable\"\n";
    sandbox.write_secret("serve.toml", serve);
    let arguments = ["--config", "serve.toml", "--key", "key.pub.pem"];
    let host = Running::start(&sandbox, &arguments);
    host.address("");
    let healthy = |version| format!("acme/shop@stable: healthy, version {version}\n");
    assert_eq!(once(&sandbox), healthy(1));
    // It is down for an update of the machine, and comes back with the new version.
    host.end();
    publish(&sandbox, 2, 202);
    assert!(once(&sandbox).starts_with("acme/shop@stable: watching, version 2: "));
    let host = Running::start(&sandbox, &arguments);
    host.address("");
    assert_eq!(once(&sandbox), healthy(2));
    host.end();
}
