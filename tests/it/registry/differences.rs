//! Differences through the program: a host fetches less, and says if it cannot.

use edgec_tests::{Sandbox, words};
use serde_json::Value;

/// Two versions of a program, whose images are almost the same.
fn versions() -> Sandbox {
    let sandbox = Sandbox::new();
    for version in 1..=2 {
        let text = format!(
            "(module (memory 1) (func (export \"f\") (result i32) \
             (i32.load (i32.const {version}000))))"
        );
        sandbox.write("shop.wat", text);
        let line = format!(
            "build -q shop.wat --name acme/shop --app-version {version} -t x86_64 -t aarch64 \
             --key key.pem -o v{version}/"
        );
        sandbox.ok(&words(&line));
    }
    sandbox.write(
        "arm.toml",
        "schema = 1\narch = \"aarch64\"\nengine = \"48.0.8\"\nprofiles = [\"default\"]\n\
         features = []\n",
    );
    sandbox
}

const PULL: &str =
    "pull oci-layout:layout:now --store store --host arm.toml --key key.pub.pem --format json";

fn push(sandbox: &Sandbox, version: u32, options: &str) -> Value {
    let line = format!(
        "push oci-layout:layout:now v{version}/shop.aarch64.cwasm v{version}/shop.x86_64.cwasm \
         --format json {options}"
    );
    serde_json::from_str(&sandbox.ok(&words(&line))).unwrap()
}

/// The report of a pull, and what it said on standard error.
fn pull(sandbox: &Sandbox, options: &str) -> (Value, String) {
    let line = format!("{PULL} {options}");
    let output = sandbox.command(&words(&line)).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    (report["artifacts"][0].clone(), said)
}

#[test]
fn a_host_fetches_how_the_new_version_differs() {
    let sandbox = versions();
    push(&sandbox, 1, "");
    assert_eq!(pull(&sandbox, "").0["way"], "whole");
    let pushed = push(&sandbox, 2, "");
    let differences = &pushed["natives"][0]["differences"];
    let (came, said) = pull(&sandbox, "");
    assert_eq!(came["way"], "difference", "{said}");
    assert_eq!(came["base"], differences[0]["base"]);
    assert_eq!(came["bytesFetched"], differences[0]["bytes"]);
    assert!(!said.contains("warning"), "{said}");
    sandbox.ok(&words("store --store store verify --key key.pub.pem"));
    // The same push again has the same digests.
    assert_eq!(push(&sandbox, 2, "")["digest"], pushed["digest"]);
    let people = sandbox.ok(&words(
        "push oci-layout:other:now v2/shop.aarch64.cwasm \
         --base v1/shop.aarch64.cwasm",
    ));
    assert!(people.contains("difference from"), "{people}");
}

#[test]
fn a_difference_that_cannot_be_used_is_a_warning() {
    let sandbox = versions();
    push(&sandbox, 1, "");
    pull(&sandbox, "");
    push(&sandbox, 2, "");
    let (came, said) = pull(&sandbox, "--difference-memory 1");
    assert_eq!(came["way"], "whole");
    assert!(
        said.contains("warning[difference]: aarch64 (default): "),
        "{said}"
    );
    assert!(said.contains("are allowed"), "{said}");
}

#[test]
fn differences_can_be_turned_off() {
    let sandbox = versions();
    push(&sandbox, 1, "");
    pull(&sandbox, "");
    push(&sandbox, 2, "");
    let (came, said) = pull(&sandbox, "--no-differences");
    assert_eq!(came["way"], "whole", "{said}");
    let pushed = push(&sandbox, 1, "--no-differences");
    assert_eq!(pushed["natives"][0]["differences"], Value::Null);
    for (exit, line) in [
        (2, "pull oci-layout:layout:now -o out --no-differences"),
        (
            2,
            "pull oci-layout:layout:now --store store --difference-memory 0",
        ),
        (
            3,
            "push oci-layout:layout:now v2/shop.aarch64.cwasm --base gone.cwasm",
        ),
        (
            3,
            "push oci-layout:layout:now v2/shop.aarch64.cwasm --base oci-layout:layout:gone",
        ),
        (
            2,
            "push oci-layout:layout:now v2/shop.aarch64.cwasm --base https://a/b",
        ),
        (
            1,
            "push oci-layout:layout:now v2/shop.aarch64.cwasm --base arm.toml",
        ),
    ] {
        sandbox.fails(exit, &words(line));
    }
}
