//! `edgec serve` of files, with a policy that demands releases and timestamps.

use edgec_tests::{Sandbox, words};

use crate::serve::{HOST, Running, build, request, status};

/// Version 1 of a program for the edge, its release and timestamp, and a policy that demands both.
fn published() -> Sandbox {
    let sandbox = Sandbox::new();
    build(&sandbox, 201, "1", "edge", "shop.cwasm");
    let mut policy = "threshold = 1\nrelease = 1\ntimestamp = 1\n".to_owned();
    for (key, role) in [("offline", "release"), ("online", "timestamp")] {
        sandbox.ok(&words(&format!("keygen -o {key}.pem")));
        policy += &entry(&sandbox, key, role);
    }
    policy += &entry(&sandbox, "key", "artifact");
    sandbox.write_secret("trust.toml", policy);
    let make = "release make shop.cwasm --serial 1 --key offline.pem -o shop.release.json";
    sandbox.ok(&words(make));
    stamp(&sandbox, "--expires +1d");
    sandbox
}

fn entry(sandbox: &Sandbox, key: &str, role: &str) -> String {
    let pem = String::from_utf8(sandbox.read(&format!("{key}.pub.pem"))).unwrap();
    format!("[[key]]\nname = '{key}'\nroles = ['{role}']\npem = '''\n{pem}'''\n")
}

fn stamp(sandbox: &Sandbox, times: &str) {
    let stamp =
        format!("release stamp shop.release.json {times} --key online.pem -o shop.timestamp.json");
    sandbox.ok(&words(&stamp));
}

#[test]
fn a_file_is_served_with_its_statements() {
    let sandbox = published();
    let serve = words("--trust trust.toml --addr 127.0.0.1:0 shop.cwasm");
    let error = sandbox.fails(1, &[&["serve"], &serve[..]].concat());
    assert!(error.contains("error[no-release]"), "{error}");
    let statements = words("--release shop.release.json --timestamp shop.timestamp.json");
    let host = Running::start(&sandbox, &[&statements[..], &serve].concat());
    let address = host.address("");
    assert_eq!(status(&request(&address, "GET", HOST)), 201);
    host.end();
}

/// A timestamp that has expired does not replace a better one. With a new one, all is well again.
#[test]
fn statements_are_read_again_when_they_change() {
    let sandbox = published();
    let config = r#"
schema = 1
[listen]
http = ["127.0.0.1:0"]
[policy]
file = "trust.toml"
[[application]]
name = "acme/shop"
artifact = "shop.cwasm"
statements = { release = ["shop.release.json"], timestamp = ["shop.timestamp.json"] }
"#;
    sandbox.write("serve.toml", config);
    let twice = "serve --config serve.toml --release shop.release.json";
    let error = sandbox.fails(2, &words(twice));
    assert!(error.contains("error[serve-config]"), "{error}");
    let host = Running::start(&sandbox, &["--config", "serve.toml"]);
    let address = host.address("");
    assert_eq!(status(&request(&address, "GET", HOST)), 201);
    stamp(&sandbox, "--issued 2020-01-01 --expires 2020-01-02");
    host.line("2020-01-02T00:00:00Z");
    assert_eq!(status(&request(&address, "GET", HOST)), 201);
    stamp(&sandbox, "--expires +2d");
    host.line("version 1 in place of 1");
    assert_eq!(status(&request(&address, "GET", HOST)), 201);
    host.end();
}
