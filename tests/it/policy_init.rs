//! `edgec policy init`, and what `policy check` and `verify` say about a policy.

use edgec_tests::corpus::write_policy;
use edgec_tests::{Sandbox, words};
use serde_json::Value;

/// A sandbox with an artifact that expires, and `strict.toml` for it.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let hello = edgec_tests::repository().join("examples/hello.wat");
    let build = [
        "build",
        hello.to_str().unwrap(),
        "-q",
        "-t",
        "x86_64",
        "--key",
        "key.pem",
    ];
    sandbox.ok(&[&build[..], &["--expires", "+30d", "-o", "hello.cwasm"]].concat());
    let init = [
        "policy",
        "init",
        "hello.cwasm",
        "--key",
        "key.pub.pem",
        "-o",
        "strict.toml",
    ];
    let said = sandbox.ok(&init);
    assert!(
        said.contains("strict.toml: 1 signer, hello, 8 imports"),
        "{said}"
    );
    sandbox
}

fn checked(sandbox: &Sandbox, policy: &str) -> Value {
    let output = sandbox.run(&["policy", "check", policy, "--format", "json"]);
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_strict_way_is_the_short_way() {
    let sandbox = sandbox();
    sandbox.ok(&["verify", "hello.cwasm", "--trust", "strict.toml"]);
    let report = checked(&sandbox, "strict.toml");
    let off = report["leftOff"].as_array().unwrap();
    let off: Vec<&str> = off.iter().map(|it| it["rule"].as_str().unwrap()).collect();
    assert_eq!(off, ["release", "freshness"], "these need keys");
    assert_eq!(report["warnings"], Value::Array(Vec::new()), "{report}");
    // Without an expiry, or with another import, it is refused.
    sandbox.hello();
    let verify = ["verify", "hello.cwasm", "--trust", "strict.toml"];
    assert!(sandbox.fails(1, &verify).contains("error[expiry-required]"));
    let sockets = edgec_tests::repository().join("examples/sockets.wat");
    let build = [
        "build",
        sockets.to_str().unwrap(),
        "-q",
        "-t",
        "x86_64",
        "--key",
        "key.pem",
    ];
    let named = [
        "--name",
        "hello",
        "--expires",
        "+30d",
        "-o",
        "sockets.cwasm",
    ];
    sandbox.ok(&[&build[..], &named].concat());
    let verify = ["verify", "sockets.cwasm", "--trust", "strict.toml"];
    assert!(sandbox.fails(1, &verify).contains("error[import]"));
    // No policy is replaced.
    let again = [
        "policy",
        "init",
        "--key",
        "key.pub.pem",
        "-o",
        "strict.toml",
    ];
    assert!(sandbox.fails(2, &again).contains("error[exists]"));
    // Without an artifact, nothing is allowed yet.
    sandbox.ok(&["policy", "init", "--key", "key.pub.pem", "-o", "empty.toml"]);
    let verify = ["verify", "sockets.cwasm", "--trust", "empty.toml"];
    assert!(sandbox.fails(1, &verify).contains("error[application]"));
}

/// With the keys of releases and timestamps, a policy leaves nothing off.
#[test]
fn a_policy_can_demand_releases_and_timestamps() {
    let sandbox = sandbox();
    sandbox.ok(&["keygen", "-o", "online.pem"]);
    let init = "policy init hello.cwasm --key key.pub.pem --release-key key.pub.pem \
        --timestamp-key online.pub.pem -o whole.toml";
    sandbox.ok(&words(init));
    let report = checked(&sandbox, "whole.toml");
    assert_eq!(report["leftOff"], Value::Array(Vec::new()), "{report}");
    assert_eq!(report["warnings"], Value::Array(Vec::new()), "{report}");
    let verify = ["verify", "hello.cwasm", "--trust", "whole.toml"];
    assert!(sandbox.fails(1, &verify).contains("error[no-release]"));
    // A timestamp key signs nothing else.
    let one = "policy init --key key.pub.pem --release-key online.pub.pem \
        --timestamp-key key.pub.pem -o one.toml";
    assert!(
        sandbox
            .fails(1, &words(one))
            .contains("error[trust-policy]")
    );
}

#[test]
fn a_report_says_what_a_policy_leaves_off() {
    let sandbox = sandbox();
    let pem = String::from_utf8(sandbox.read("key.pub.pem")).unwrap();
    let key = format!("[[key]]\nname = 'k'\npem = '''\n{pem}'''\n");
    let rules = "[allow]\nimports = ['wasi:clocsk/*', 'wasi:*']\n";
    write_policy(&sandbox, &format!("threshold = 1\n{rules}{key}"));
    let report = checked(&sandbox, "edgec-trust.toml");
    assert_eq!(report["leftOff"].as_array().unwrap().len(), 9, "{report}");
    let warning = report["warnings"][0].as_str().unwrap();
    assert!(
        warning.contains("did you mean `wasi:clocks/*`?"),
        "{warning}"
    );
    let output = sandbox.run(&["policy", "check", "edgec-trust.toml"]);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        stderr.starts_with("warning[policy-effect]: edgec-trust.toml"),
        "{stderr}"
    );

    let verify = ["verify", "hello.cwasm", "--trust", "edgec-trust.toml"];
    let text = sandbox.ok(&verify);
    assert!(text.contains("(left off)"), "{text}");
    assert!(
        text.contains("policy expiry, policy version, applications"),
        "{text}"
    );
    let json = sandbox.run(&[&verify[..], &["--format", "json"]].concat());
    let report = &edgec_tests::results(&json.stdout)[0];
    let file = sandbox.read("hello.cwasm");
    let sha256 = edgec_artifact::Sha256Digest::of(&file).to_string();
    assert_eq!(report["file"]["sha256"], sha256);
    assert_eq!(report["file"]["bytes"], file.len());
    assert_eq!(report["edgec"], env!("CARGO_PKG_VERSION"));
    assert!(report["at"].as_str().unwrap().ends_with('Z'), "{report}");
    assert_eq!(report["policy"]["leftOff"].as_array().unwrap().len(), 9);
    // Without the time for it, the file's digest is not there, and the report says so.
    let fast = sandbox.ok(&[&verify[..], &["--fast"]].concat());
    assert!(!fast.contains("(file)"), "{fast}");
    assert!(fast.contains("sha256 not computed"), "{fast}");
}

/// Nobody has verified the artifacts at hand, and a star stands for any text in a policy.
#[test]
fn a_star_in_a_name_of_an_artifact_allows_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write("star.wat", "(module (import \"env\" \"*\" (func)))");
    let build = "build -q star.wat -t x86_64 --key key.pem -o star.cwasm";
    sandbox.ok(&words(build));
    let init = "policy init star.cwasm --key key.pub.pem -o star.toml";
    let error = sandbox.fails(1, &words(init));
    assert!(
        error.contains("error[trust-policy]: star.cwasm: `env::*` has"),
        "{error}"
    );
    assert!(!sandbox.path().join("star.toml").exists());
}
