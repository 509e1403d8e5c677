//! Other tools accept what edgec signs, and edgec accepts what other tools make. Needs `openssl`,
//! and the Python packages of `tests/interop/setup.sh`.

use std::path::Path;
use std::process::{Command, Output};

use edgec_artifact::{Artifact, Envelope, Signature, pae};
use edgec_packager::SecretKey;
use edgec_tests::interop::python;
use edgec_tests::{Sandbox, repository};

fn openssl(folder: &Path, arguments: &[&str]) -> Output {
    let output = Command::new("openssl")
        .current_dir(folder)
        .args(arguments)
        .output();
    output.expect("openssl is installed")
}

#[test]
fn openssl_accepts_the_signature_over_the_pae() {
    let sandbox = Sandbox::new();
    sandbox.hello();
    let pae = sandbox.run(&["inspect", "--pae", "hello.cwasm"]);
    assert!(
        pae.stdout
            .starts_with(b"DSSEv1 28 application/vnd.in-toto+json ")
    );
    sandbox.write("pae", pae.stdout);
    let signature = sandbox.run(&["inspect", "--signature", "0", "hello.cwasm"]);
    sandbox.write("signature", signature.stdout);
    let verify = [
        "pkeyutl",
        "-verify",
        "-rawin",
        "-pubin",
        "-inkey",
        "key.pub.pem",
    ];
    let arguments = [&verify[..], &["-in", "pae", "-sigfile", "signature"]].concat();
    let output = openssl(sandbox.path(), &arguments);
    assert!(output.status.success(), "{output:?}");

    let mut changed = sandbox.read("pae");
    *changed.last_mut().unwrap() ^= 1;
    sandbox.write("pae", changed);
    assert!(!openssl(sandbox.path(), &arguments).status.success());
}

#[test]
fn a_key_that_openssl_made_signs() {
    let sandbox = Sandbox::new();
    sandbox.hello();
    let make = ["genpkey", "-algorithm", "ed25519", "-out", "theirs.pem"];
    assert!(openssl(sandbox.path(), &make).status.success());
    let public = [
        "pkey",
        "-in",
        "theirs.pem",
        "-pubout",
        "-out",
        "theirs.pub.pem",
    ];
    assert!(openssl(sandbox.path(), &public).status.success());
    // If the umask allows it, openssl lets others read the key, so edgec refuses it.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(sandbox.path().join("theirs.pem"), mode).unwrap();
    }
    sandbox.ok(&["sign", "hello.cwasm", "--key", "theirs.pem"]);
    sandbox.ok(&["verify", "hello.cwasm", "--key", "theirs.pub.pem"]);
}

#[test]
fn openssl_reads_the_keys_that_edgec_makes() {
    let sandbox = Sandbox::new();
    let public = ["pkey", "-in", "key.pem", "-pubout"];
    let output = openssl(sandbox.path(), &public);
    assert_eq!(output.stdout, sandbox.read("key.pub.pem"));
}

/// Lets `tests/interop/others.py` judge an envelope with these keys.
fn others(python: &Path, sandbox: &Sandbox, threshold: &str, keys: &[&str]) -> Output {
    let output = Command::new(python)
        .current_dir(sandbox.path())
        .arg(repository().join("tests/interop/others.py"))
        .args(["envelope.json", threshold])
        .args(keys)
        .output();
    output.expect("python can be started")
}

/// securesystemslib accepts the envelope as DSSE, and in-toto-attestation accepts the payload as a
/// statement.
#[test]
fn dsse_and_in_toto_tools_accept_the_envelope() {
    let Some(python) = python() else { return };
    let sandbox = Sandbox::new();
    let file = sandbox.hello();
    sandbox.ok(&["keygen", "-o", "other.pem"]);
    sandbox.ok(&["sign", "hello.cwasm", "--key", "other.pem", "--append"]);
    sandbox.ok(&["envelope", "hello.cwasm", "-o", "envelope.json"]);
    let envelope = sandbox.read("envelope.json");
    assert_eq!(
        sandbox.run(&["envelope", "hello.cwasm"]).stdout,
        envelope,
        "standard output has the same bytes"
    );
    let both = ["key.pub.pem", "other.pub.pem"];
    for (threshold, keys) in [("1", &both[..1]), ("1", &both[1..]), ("2", &both)] {
        let output = others(&python, &sandbox, threshold, keys);
        assert!(output.status.success(), "{output:?}");
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let artifact = Artifact::decode(&file).unwrap();
        let image = artifact.image();
        assert_eq!(said["keys"].as_array().unwrap().len(), keys.len());
        assert_eq!(said["payloadType"], edgec_artifact::PAYLOAD_TYPE);
        assert_eq!(said["predicateType"], edgec_artifact::PREDICATE_TYPE);
        assert_eq!(said["subject"], "hello");
        let sha256 = edgec_artifact::Sha256Digest::of(image).to_string();
        assert_eq!(said["digest"]["sha256"], sha256);
        let fsverity = edgec_artifact::verity::digest(image).to_string();
        assert_eq!(said["digest"]["fsverity-sha256-12"], fsverity);
    }

    let refused = |threshold: &str, keys: &[&str], by: &str| {
        let output = others(&python, &sandbox, threshold, keys);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.starts_with(by), "{stderr}");
    };
    // Two signatures by one key, or by an unknown key.
    sandbox.ok(&["keygen", "-o", "third.pem"]);
    refused("2", &["key.pub.pem", "third.pub.pem"], "securesystemslib: ");
    refused("1", &["third.pub.pem"], "securesystemslib: ");
    // A changed payload, and a changed signature.
    for marker in ["{\"payload\":\"", "\"sig\":\""] {
        let mut changed = envelope.clone();
        let places = changed.windows(marker.len());
        let mut places = places.enumerate().filter(|(_, w)| *w == marker.as_bytes());
        let at = places.next().unwrap().0 + marker.len() + 20;
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        sandbox.write("envelope.json", changed);
        refused("2", &both, "securesystemslib: ");
    }
}

/// cosign accepts the bundle over the image, and refuses it over other bytes and with another key.
#[test]
fn cosign_accepts_the_bundle_over_the_image_alone() {
    if !cosign() {
        return;
    }
    let sandbox = Sandbox::new();
    let file = sandbox.hello();
    sandbox.ok(&["keygen", "-o", "other.pem"]);
    sandbox.ok(&["envelope", "hello.cwasm", "--sigstore", "-o", "bundle.json"]);
    let artifact = Artifact::decode(&file).unwrap();
    sandbox.write("image", artifact.image());
    let mut changed = artifact.image().to_vec();
    *changed.last_mut().unwrap() ^= 1;
    sandbox.write("changed", changed);
    for (image, key, accepted) in [
        ("image", "key.pub.pem", true),
        ("changed", "key.pub.pem", false),
        ("hello.cwasm", "key.pub.pem", false),
        ("image", "other.pub.pem", false),
    ] {
        let output = Command::new("cosign")
            .current_dir(sandbox.path())
            .args([
                "verify-blob-attestation",
                "--key",
                key,
                "--bundle",
                "bundle.json",
            ])
            .args([
                "--type",
                edgec_artifact::PREDICATE_TYPE,
                "--insecure-ignore-tlog",
                image,
            ])
            .output();
        let output = output.expect("cosign can be started");
        println!(
            "{image}, {key}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(output.status.success(), accepted, "{image} {key}");
    }
    // The key of the bundle can be chosen, and must be there.
    sandbox.ok(&["sign", "hello.cwasm", "--key", "other.pem", "--append"]);
    let by = [
        "envelope",
        "hello.cwasm",
        "--sigstore",
        "--signed-by",
        "other.pub.pem",
    ];
    let bundle: serde_json::Value = serde_json::from_slice(&sandbox.run(&by).stdout).unwrap();
    let signatures = bundle["dsseEnvelope"]["signatures"].as_array().unwrap();
    assert_eq!(signatures.len(), 1);
    assert!(signatures[0].get("keyid").is_none(), "{bundle}");
    let nobody = "0".repeat(64);
    let nobody = [
        "envelope",
        "hello.cwasm",
        "--sigstore",
        "--signed-by",
        &nobody,
    ];
    assert!(sandbox.fails(1, &nobody).contains("error[no-signature]"));
}

/// A signed payload that is no statement: securesystemslib accepts it, and in-toto refuses it.
#[test]
fn a_payload_that_is_no_statement_is_refused_by_in_toto() {
    let Some(python) = python() else { return };
    let sandbox = Sandbox::new();
    let pem = String::from_utf8(sandbox.read("key.pem")).unwrap();
    let key = SecretKey::from_pem(&pem).unwrap();
    for payload in [
        &b"{}"[..],
        b"hello",
        br#"{"_type":"https://in-toto.io/Statement/v1"}"#,
    ] {
        let signature = key.sign(&pae(edgec_artifact::PAYLOAD_TYPE, payload));
        let signature = Signature::new(&key.public().id().to_string(), signature);
        let envelope = Envelope::new(payload.to_vec(), vec![signature]);
        sandbox.write("envelope.json", envelope.encode());
        let output = others(&python, &sandbox, "1", &["key.pub.pem"]);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(stderr.starts_with("in-toto-attestation: "), "{stderr}");
    }
}

/// Lets `tests/interop/attestation.py` judge an attestation with a key.
fn attested(python: &Path, sandbox: &Sandbox, attestation: &str, key: &str) -> Output {
    let output = Command::new(python)
        .current_dir(sandbox.path())
        .arg(repository().join("tests/interop/attestation.py"))
        .args([attestation, key])
        .output();
    output.expect("python can be started")
}

/// Whether `cosign` is installed. If not, says so.
fn cosign() -> bool {
    let found = Command::new("cosign").arg("version").output();
    let is_there = found.is_ok_and(|output| output.status.success());
    if !is_there {
        edgec_tests::skipped("EDGEC_REQUIRE_COSIGN", "cosign is not installed");
    }
    is_there
}

/// Other tools accept signed files and provenances. If `cosign` is installed, it does so too.
#[test]
fn dsse_and_in_toto_tools_accept_attestations() {
    let Some(python) = python() else { return };
    let sandbox = Sandbox::new();
    sandbox.write("app.tar.gz", b"the bytes of a release");
    sandbox.write("in.wat", "(module (func (export \"f\")))");
    sandbox.ok(&["keygen", "-o", "other.pem"]);
    sandbox.ok(&["sign-blob", "app.tar.gz", "--key", "key.pem"]);
    let build = ["build", "-q", "in.wat", "-t", "x86_64", "--key", "key.pem"];
    sandbox.ok(&[&build[..], &["--provenance", "-o", "in.cwasm"]].concat());
    for (file, attestation, predicate) in [
        (
            "app.tar.gz",
            "app.tar.gz.dsse.json",
            "https://edgec.dev/blob/v1",
        ),
        (
            "in.cwasm",
            "in.provenance.json",
            "https://slsa.dev/provenance/v1",
        ),
    ] {
        let output = attested(&python, &sandbox, attestation, "key.pub.pem");
        assert!(output.status.success(), "{output:?}");
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(said["predicateType"], predicate);
        assert_eq!(said["subject"][0]["name"], file);
        let sha256 = edgec_artifact::Sha256Digest::of(&sandbox.read(file)).to_string();
        assert_eq!(said["subject"][0]["digest"]["sha256"], sha256);
        let refused = attested(&python, &sandbox, attestation, "other.pub.pem");
        assert!(
            refused.stderr.starts_with(b"securesystemslib: "),
            "{refused:?}"
        );

        if !cosign() {
            continue;
        }
        // As it is, and as a bundle, which newer versions of cosign ask for.
        let envelope: serde_json::Value =
            serde_json::from_slice(&sandbox.read(attestation)).unwrap();
        let bundle = serde_json::json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {"publicKey": {"hint": "release"}},
            "dsseEnvelope": envelope,
        });
        sandbox.write("bundle.json", bundle.to_string());
        sandbox.write("other.bin", b"other bytes");
        for given in [["--signature", attestation], ["--bundle", "bundle.json"]] {
            for (key, file, accepted) in [
                ("key.pub.pem", file, true),
                ("other.pub.pem", file, false),
                ("key.pub.pem", "other.bin", false),
            ] {
                let output = Command::new("cosign")
                    .current_dir(sandbox.path())
                    .args(["verify-blob-attestation", "--insecure-ignore-tlog"])
                    .args(["--key", key, "--type", predicate])
                    .args(given)
                    .arg(file)
                    .output()
                    .unwrap();
                assert_eq!(output.status.success(), accepted, "{given:?}: {output:?}");
            }
        }
    }
}
