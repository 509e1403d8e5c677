//! `build --unsigned`: artifacts for builds without a key. No host takes them, until they are
//! signed.

use edgec_loader::{EngineProfile, Expected, HostEngine, load};
use edgec_tests::{Sandbox, hello, words};
use serde_json::Value;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let example = hello();
    let build = [
        "build",
        &example,
        "-t",
        std::env::consts::ARCH,
        "--unsigned",
    ];
    // A CI system gives builds of forks an empty variable in place of the key.
    let built = sandbox
        .command(&build)
        .env("EDGEC_KEY", "")
        .env("CI", "1")
        .output();
    let built = built.unwrap();
    assert!(built.status.success(), "{built:?}");
    let text = String::from_utf8(built.stdout).unwrap();
    assert!(
        text.contains("not signed: no host takes these artifacts"),
        "{text}"
    );
    std::fs::rename(sandbox.path().join(name()), sandbox.path().join("a.cwasm")).unwrap();
    sandbox
}

fn name() -> String {
    format!("hello.{}.unsigned.cwasm", std::env::consts::ARCH)
}

#[test]
fn every_host_refuses_an_unsigned_artifact_by_name() {
    let sandbox = sandbox();
    for line in [
        "verify a.cwasm --key key.pub.pem",
        "run --key key.pub.pem a.cwasm",
        "store --store store add --key key.pub.pem a.cwasm",
    ] {
        if line.starts_with("store") && !cfg!(target_os = "linux") {
            continue;
        }
        let error = sandbox.fails(1, &words(line));
        let begins = "error[no-signature]: a.cwasm: the artifact carries no signature";
        assert!(error.contains(begins), "{line}: {error}");
        assert!(
            error.contains("hint: sign it with `edgec sign`"),
            "{line}: {error}"
        );
    }
    assert!(!sandbox.path().join("store").exists());

    let engine = HostEngine::builder(EngineProfile::Default).build().unwrap();
    let path = sandbox.path().join("a.cwasm");
    let refused = load(&engine, &path, &sandbox.policy(), &Expected::anything());
    assert_eq!(refused.map(|_| ()).unwrap_err().code(), "no-signature");
}

/// The format allows an artifact without signatures, so it can be signed later: the signer states
/// what a build says, as with any other artifact.
#[test]
fn an_unsigned_artifact_is_the_signed_one_without_its_signature() {
    let sandbox = sandbox();
    let signed = sandbox.hello();
    sandbox.ok(&words("sign a.cwasm --key key.pem -o b.cwasm"));
    assert_eq!(sandbox.read("b.cwasm"), signed);
    sandbox.ok(&words("verify b.cwasm --key key.pub.pem"));
    let shown = sandbox.ok(&words("inspect a.cwasm --format json"));
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(
        shown["signatures"].as_array().map(Vec::len),
        Some(0),
        "{shown}"
    );
}

#[test]
fn no_key_and_no_other_name_goes_with_unsigned() {
    let sandbox = Sandbox::new();
    sandbox.write("a.wat", "(module (func (export \"f\")))");
    for more in ["--key key.pem", "--provenance"] {
        let line = format!("build a.wat --unsigned {more}");
        let error = sandbox.fails(2, &words(&line));
        assert!(error.contains("cannot be used with"), "{error}");
    }
    let error = sandbox.fails(2, &words("build a.wat -t x86_64 --unsigned -o a.cwasm"));
    assert!(error.starts_with("error[output]: a.cwasm: "), "{error}");
    assert!(error.contains(".unsigned.cwasm"), "{error}");
    sandbox.ok(&words(
        "build a.wat -q -t x86_64 --unsigned -o b.unsigned.cwasm",
    ));
    let report = sandbox.ok(&words(
        "build a.wat -t x86_64 --unsigned -o out --format json",
    ));
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(
        (&report["unsigned"], &report["keyId"]),
        (&true.into(), &Value::Null)
    );
    assert!(
        !sandbox.path().join("home").exists(),
        "no development key was made"
    );
}
