//! Signed files that are no artifacts: `sign-blob` and `verify-blob`.

use edgec_artifact::{Attestation, PAYLOAD_TYPE, Sha256Digest, pae};
use edgec_packager::SecretKey;
use edgec_tests::{Sandbox, words};
use serde_json::Value;

const BYTES: &[u8] = b"the bytes of a release";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("app.tar.gz", BYTES);
    sandbox.ok(&["keygen", "-o", "other.pem"]);
    sandbox
}

fn sign(sandbox: &Sandbox, more: &str) -> String {
    sandbox.ok(&[words("sign-blob app.tar.gz"), words(more)].concat())
}

/// `verify-blob` refuses with this code, and says this.
fn refused(sandbox: &Sandbox, line: &str, code: &str, says: &str) {
    let error = sandbox.fails(1, &[words("verify-blob"), words(line)].concat());
    assert!(error.starts_with(&format!("error[{code}]: ")), "{error}");
    assert!(error.contains(says), "{error}");
}

#[test]
fn a_signed_file_is_verified() {
    let sandbox = sandbox();
    let text = sign(&sandbox, "--key key.pem");
    let digest = Sha256Digest::of(BYTES).to_string();
    assert!(text.contains(&digest), "{text}");
    let text = sandbox.ok(&words("verify-blob app.tar.gz --key key.pub.pem"));
    assert!(text.starts_with("app.tar.gz: verified\n"), "{text}");

    let bundle = sandbox.read("app.tar.gz.dsse.json");
    let text = String::from_utf8(bundle.clone()).unwrap();
    assert!(
        !text.contains("keyid"),
        "cosign counts no signature with one: {text}"
    );
    let payload = Attestation::decode(&bundle).unwrap().payload().to_vec();
    let payload: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(payload["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(payload["predicateType"], "https://edgec.dev/blob/v1");
    assert_eq!(payload["subject"][0]["name"], "app.tar.gz");
    assert_eq!(payload["subject"][0]["digest"]["sha256"], digest);
    assert_eq!(payload["predicate"]["length"], BYTES.len());

    let report = sandbox.ok(&words(
        "verify-blob app.tar.gz --key key.pub.pem --format json",
    ));
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(
        (&report["name"], &report["threshold"]),
        (&"app.tar.gz".into(), &1.into())
    );
    assert_eq!(report["signedBy"].as_array().unwrap().len(), 1);
    // The same file, key and edgec give the same bytes.
    sign(&sandbox, "--key key.pem");
    assert_eq!(sandbox.read("app.tar.gz.dsse.json"), bundle);
}

#[test]
fn several_keys_sign_and_a_threshold_counts_them() {
    let sandbox = sandbox();
    sign(&sandbox, "--key key.pem");
    sign(&sandbox, "--key other.pem --append");
    // Signing again adds nothing.
    sign(&sandbox, "--key other.pem --append");
    let both = "app.tar.gz --key key.pub.pem --key other.pub.pem";
    sandbox.ok(&[words("verify-blob"), words(both)].concat());
    let bundle = Attestation::decode(&sandbox.read("app.tar.gz.dsse.json")).unwrap();
    assert_eq!(bundle.signatures(), 2);

    sandbox.ok(&words("keygen -o third.pem"));
    let three = format!("{both} --key third.pub.pem");
    refused(&sandbox, &three, "threshold", "2 of 3 required");
    let two = format!("{three} --threshold 2");
    sandbox.ok(&[words("verify-blob"), words(&two)].concat());
    // One key that is named twice counts once.
    let twice = "app.tar.gz --key key.pub.pem --key key.pub.pem";
    refused(&sandbox, twice, "threshold", "1 of 2 required");
    let error = sandbox.fails(
        2,
        &words("verify-blob app.tar.gz --key key.pub.pem --threshold 2"),
    );
    assert!(error.starts_with("error[threshold]: "), "{error}");
    // Without --append, earlier signatures go.
    sign(&sandbox, "--key third.pem");
    refused(
        &sandbox,
        "app.tar.gz --key key.pub.pem",
        "threshold",
        "0 of 1 required",
    );
}

#[test]
fn what_is_not_the_signed_file_is_refused() {
    let sandbox = sandbox();
    sign(&sandbox, "--key key.pem");
    let verify = "app.tar.gz --key key.pub.pem";
    sandbox.write("app.tar.gz", b"other bytes");
    refused(&sandbox, verify, "blob-digest", "is about `app.tar.gz`, ");
    sandbox.write("app.tar.gz", BYTES);

    sandbox.write("evil.tar.gz", BYTES);
    let bundle = "--bundle app.tar.gz.dsse.json --key key.pub.pem";
    let renamed = format!("evil.tar.gz {bundle}");
    refused(
        &sandbox,
        &renamed,
        "blob-name",
        "`app.tar.gz`, and `evil.tar.gz` is wanted",
    );
    let named = format!("{renamed} --name app.tar.gz");
    sandbox.ok(&[words("verify-blob"), words(&named)].concat());

    let slsa = format!("{verify} --type https://slsa.dev/provenance/v1");
    refused(
        &sandbox,
        &slsa,
        "statement",
        "of type `https://edgec.dev/blob/v1`",
    );
    refused(
        &sandbox,
        "app.tar.gz --key other.pub.pem",
        "threshold",
        "0 of 1",
    );

    let whole = String::from_utf8(sandbox.read("app.tar.gz.dsse.json")).unwrap();
    let (head, _) = whole.split_once("\"signatures\":[").unwrap();
    let stripped = format!("{head}\"signatures\":[]}}");
    sandbox.write("app.tar.gz.dsse.json", stripped);
    refused(&sandbox, verify, "no-signature", "carries no signature");
    sandbox.write("app.tar.gz.dsse.json", whole.replace("in-toto", "out-toto"));
    refused(&sandbox, verify, "attestation", "payload type");
    sandbox.write("app.tar.gz.dsse.json", BYTES);
    refused(&sandbox, verify, "attestation", "");
    std::fs::remove_file(sandbox.path().join("app.tar.gz.dsse.json")).unwrap();
    let error = sandbox.fails(3, &[words("verify-blob"), words(verify)].concat());
    assert!(
        error.starts_with("error[io]: app.tar.gz.dsse.json: "),
        "{error}"
    );
}

/// A payload that a trusted key has signed may still be no statement.
#[test]
fn a_signed_payload_that_is_no_statement_is_refused() {
    let sandbox = sandbox();
    let pem = String::from_utf8(sandbox.read("key.pem")).unwrap();
    let key = SecretKey::from_pem(&pem).unwrap();
    for payload in ["{}", "[]", "{\"_type\":\"x\",\"predicateType\":\"y\"}"] {
        let mut attestation = Attestation::new(payload.into());
        let signature = key.sign(&pae(PAYLOAD_TYPE, payload.as_bytes()));
        let hint = edgec_artifact::KeyIdHint::Stated;
        attestation.attach(&key.public(), signature, hint).unwrap();
        sandbox.write("app.tar.gz.dsse.json", attestation.encode());
        refused(&sandbox, "app.tar.gz --key key.pub.pem", "statement", "");
    }
}

#[test]
fn wrong_uses_of_sign_blob_write_nothing() {
    let sandbox = sandbox();
    sandbox.write("notes.txt", "Some words.\n");
    let before = sandbox.files();
    for (exit, line, code) in [
        (2, "app.tar.gz", "no-key"),
        (3, "missing --key key.pem", "io"),
        (1, "home/.. --name x -o x.json --key key.pem", "not-a-file"),
        (2, "- --key key.pem -o x.json", "name"),
        (2, "- --key key.pem --name x", "output"),
        (2, "app.tar.gz --key key.pem -o notes.txt", "output"),
        (2, "app.tar.gz --key key.pem -o app.tar.gz", "output"),
        (2, "app.tar.gz --key key.pem -o key.pem", "output"),
        (3, "app.tar.gz --key key.pem --append", "io"),
        (
            1,
            "app.tar.gz --key key.pem --append -o notes.json",
            "attestation",
        ),
    ] {
        if line.contains("notes.json") {
            sandbox.write("notes.json", "");
        }
        if line.starts_with("home") {
            sandbox.write("home/x", "");
        }
        let error = sandbox.fails(exit, &[words("sign-blob"), words(line)].concat());
        assert!(
            error.starts_with(&format!("error[{code}]: ")),
            "{line}: {error}"
        );
    }
    std::fs::remove_file(sandbox.path().join("notes.json")).unwrap();
    std::fs::remove_file(sandbox.path().join("home/x")).unwrap();
    assert_eq!(sandbox.files(), before);

    // Another signature belongs to the same statement only.
    sign(&sandbox, "--key key.pem");
    let bundle = sandbox.read("app.tar.gz.dsse.json");
    sandbox.write("app.tar.gz", b"other bytes");
    let append = words("sign-blob app.tar.gz --key other.pem --append");
    let error = sandbox.fails(1, &append);
    assert!(error.starts_with("error[other-blob]: "), "{error}");
    assert_eq!(sandbox.read("app.tar.gz.dsse.json"), bundle);
}

/// An envelope of an artifact is no attestation, and neither replaces the other.
#[test]
fn an_attestation_does_not_replace_an_envelope() {
    let sandbox = sandbox();
    sandbox.hello();
    sandbox.ok(&words("envelope hello.cwasm -o hello.json"));
    let error = sandbox.fails(
        2,
        &words("sign-blob app.tar.gz --key key.pem -o hello.json"),
    );
    assert!(
        error.starts_with("error[output]: hello.json: an envelope of another"),
        "{error}"
    );
    sign(&sandbox, "--key key.pem");
    let error = sandbox.fails(2, &words("envelope hello.cwasm -o app.tar.gz.dsse.json"));
    assert!(
        error.starts_with("error[output]: app.tar.gz.dsse.json: "),
        "{error}"
    );
}
