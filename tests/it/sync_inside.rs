//! `[sync]` of `edgec serve`: a new host that has no store yet, and a FLEET.toml that cannot be
//! used for a while.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};

use edgec_tests::{Sandbox, until, words};

use crate::serve::{HOST, Running, request, status};
use crate::sync::{FLEET, prepared, publish};

/// The beginning of a `serve.toml`, up to its `[sync]`.
const SERVE: &str = "schema = 1\n[listen]\nhttp = [\"127.0.0.1:0\"]\nadmin = \"127.0.0.1:0\"\n\
                     [store]\npath = \"store\"\nrefresh = \"50ms\"\n";
const SYNC: &str = "[sync]\nfleet = \"fleet.toml\"\n";
const SHOP: &str = "[[application]]\nname = \"acme/shop\"\nchannel = \"stable\"\n";
const BLOG: &str = "[[application]]\nname = \"acme/blog\"\nhost = \"blog.example\"\n";
const KEY: [&str; 4] = ["--config", "serve.toml", "--key", "key.pub.pem"];

/// Writes a file in one step, so that a host never reads a part.
fn put(sandbox: &Sandbox, name: &str, text: &str) {
    let new = sandbox.write_secret("new", text);
    fs::rename(&new, new.with_file_name(name)).unwrap();
}

/// What the admin interface answers at a path.
fn page(admin: &str, path: &str) -> String {
    let mut client = TcpStream::connect(admin).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    client.write_all(head.as_bytes()).unwrap();
    let mut response = String::new();
    client.read_to_string(&mut response).unwrap();
    response
}

/// A host whose work has begun, with version 1. Before that, a file that cannot be used is another
/// line.
fn working(sandbox: &Sandbox) -> Running {
    let host = Running::start(sandbox, &KEY);
    host.address("(admin)");
    host.address("");
    publish(sandbox, 1, 201);
    host.line("sync: release 1 (version 1) is healthy");
    host
}

/// The next line that contains this. No line before it may say that a file is not used.
fn line_without_trouble(host: &Running, part: &str) {
    loop {
        let line = host.line("");
        assert!(!line.contains(" is not used"), "{line}");
        if line.contains(part) {
            return;
        }
    }
}

#[test]
fn a_new_host_makes_its_store_and_waits_for_the_first_version() {
    let sandbox = prepared("");
    put(&sandbox, "serve.toml", &[SERVE, SYNC, SHOP, BLOG].concat());
    let host = Running::start(&sandbox, &KEY);
    let (admin, address) = (host.address("(admin)"), host.address(""));
    let ready = page(&admin, "/readyz");
    assert_eq!(status(&ready), 503, "{ready}");
    assert!(ready.contains("nothing is served"), "{ready}");
    assert_eq!(status(&page(&admin, "/healthz")), 200);
    assert_eq!(status(&request(&address, "GET", HOST)), 503);
    publish(&sandbox, 1, 201);
    host.line("sync: release 1 (version 1) is admitted");
    until(|| status(&request(&address, "GET", HOST)) == 201);
    // The other application does not keep the host from being ready.
    let ready = page(&admin, "/readyz");
    assert_eq!(status(&ready), 200, "{ready}");
    assert!(ready.contains("not served: acme/blog"), "{ready}");
    publish(&sandbox, 2, 202);
    until(|| status(&request(&address, "GET", HOST)) == 202);
    host.end();
    // The next start finds the store.
    let host = Running::start(&sandbox, &KEY);
    host.address("(admin)");
    let address = host.address("");
    assert_eq!(status(&request(&address, "GET", HOST)), 202);
    host.end();
}

#[test]
fn a_new_host_takes_an_empty_folder_as_its_store() {
    let sandbox = prepared("");
    put(&sandbox, "serve.toml", &[SERVE, SYNC, SHOP].concat());
    let store = sandbox.path().join("store");
    DirBuilder::new().mode(0o700).create(&store).unwrap();
    let host = Running::start(&sandbox, &KEY);
    let admin = host.address("(admin)");
    host.address("");
    assert_eq!(status(&page(&admin, "/readyz")), 503);
    host.end();
    sandbox.ok(&words("store --store store ls"));
}

#[test]
fn only_a_host_that_starts_makes_a_store() {
    let sandbox = prepared("");
    let store = sandbox.path().join("store");
    // Without `[sync]`, nothing would fill it.
    put(&sandbox, "serve.toml", &[SERVE, SHOP].concat());
    let error = sandbox.fails(3, &[&["serve"], &KEY[..]].concat());
    assert!(error.contains("there is no store"), "{error}");
    assert!(!store.exists());
    DirBuilder::new().mode(0o700).create(&store).unwrap();
    let error = sandbox.fails(1, &[&["serve"], &KEY[..]].concat());
    assert!(error.contains("error[not-a-store]"), "{error}");
    fs::remove_dir(&store).unwrap();
    // Nothing says whose signatures count.
    put(&sandbox, "serve.toml", &[SERVE, SYNC, SHOP].concat());
    let error = sandbox.fails(2, &words("serve --config serve.toml"));
    assert!(error.contains("error[no-trust]"), "{error}");
    assert!(!store.exists());
}

/// Such a file is told once, the work goes on without it, and its return is told too.
#[test]
fn a_file_that_others_can_write_or_that_is_gone_is_told_once() {
    let sandbox = prepared("");
    put(&sandbox, "serve.toml", &[SERVE, SYNC, SHOP].concat());
    let host = working(&sandbox);
    let fleet = sandbox.path().join("fleet.toml");
    let set = |mode| fs::set_permissions(&fleet, Permissions::from_mode(mode)).unwrap();
    set(0o666);
    let line = host.line("fleet.toml is not used, ");
    for part in [" error sync: ", "chmod go-w fleet.toml", "[trust-file]"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    publish(&sandbox, 2, 202);
    line_without_trouble(&host, "sync: release 2 (version 2) is healthy");
    set(0o600);
    line_without_trouble(&host, "fleet.toml can be used again");
    fs::remove_file(&fleet).unwrap();
    let line = host.line("fleet.toml is not used, ");
    for part in ["fleet.toml: cannot read: No such file", "[io]"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    publish(&sandbox, 3, 203);
    line_without_trouble(&host, "sync: release 3 (version 3) is healthy");
    // Another file may come in its place.
    put(&sandbox, "fleet.toml", &format!("{FLEET}[log]\n"));
    line_without_trouble(&host, "fleet.toml was read again");
    publish(&sandbox, 4, 204);
    line_without_trouble(&host, "sync: release 4 (version 4) is healthy");
    host.end();
}

/// The file itself does not change when what it names is mended.
#[test]
fn what_the_file_names_is_tried_again() {
    let sandbox = prepared("");
    let pem = String::from_utf8(sandbox.read("key.pub.pem")).unwrap();
    let policy = format!(
        "threshold = 1\nrelease = 1\n[[key]]\nname = 'key'\nroles = ['artifact', 'release']\n\
         pem = '''\n{pem}'''\n"
    );
    put(&sandbox, "trust.toml", &policy);
    let trust = "[policy]\nfile = \"trust.toml\"\n";
    put(&sandbox, "serve.toml", &[SERVE, trust, SYNC, SHOP].concat());
    let own = format!("{FLEET}[policy]\nfile = \"own.toml\"\n");
    // It is missing at the start.
    put(&sandbox, "fleet.toml", &own);
    let host = Running::start(&sandbox, &["--config", "serve.toml"]);
    let line = host.line("sync: the store is not kept current: ");
    assert!(line.contains("own.toml: cannot read: "), "{line}");
    put(&sandbox, "own.toml", &policy);
    publish(&sandbox, 1, 201);
    host.line("sync: release 1 (version 1) is healthy");
    // It is missing while the work runs.
    put(
        &sandbox,
        "fleet.toml",
        &own.replace("own.toml", "late.toml"),
    );
    let line = host.line("fleet.toml is not used, ");
    for part in ["late.toml: cannot read: No such file", "[io]"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    publish(&sandbox, 2, 202);
    line_without_trouble(&host, "sync: release 2 (version 2) is healthy");
    put(&sandbox, "late.toml", &policy);
    line_without_trouble(&host, "fleet.toml was read again");
    publish(&sandbox, 3, 203);
    line_without_trouble(&host, "sync: release 3 (version 3) is healthy");
    host.end();
}

#[test]
fn a_line_about_the_file_has_its_name_its_place_and_what_to_do() {
    let sandbox = prepared("");
    put(&sandbox, "pop.toml", FLEET);
    let sync = SYNC.replace("fleet.toml", "pop.toml");
    put(&sandbox, "serve.toml", &[SERVE, &sync, SHOP].concat());
    let host = working(&sandbox);
    for more in ["[rollout]\nwaves = [\n", "[gate]\nfor = \"10m\"\n"] {
        put(&sandbox, "pop.toml", &format!("{FLEET}{more}"));
        // The command line has the same place.
        let arguments = words("sync pop.toml --store other --key key.pub.pem --once");
        let error = sandbox.fails(1, &arguments);
        let place = error.split_once("--> ").map(|(_, rest)| rest);
        let place = place.and_then(|rest| rest.lines().next());
        let place = place.unwrap_or_else(|| panic!("no place: {error}"));
        let line = host.line("pop.toml is not used, ");
        let end = format!("({place}); docs/sync.md describes the file [sync-config]");
        assert!(line.ends_with(&end), "{line}");
        assert!(line.contains(": pop.toml: "), "{line}");
    }
    put(&sandbox, "pop.toml", FLEET);
    line_without_trouble(&host, "pop.toml can be used again");
    host.end();
}
