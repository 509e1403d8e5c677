//! ML-DSA-65 and signers with two keys on the command line, and judged by the second verifier,
//! whose arithmetic is another project's (`cryptography`).

use std::path::Path;
use std::process::Command;

use edgec_artifact::{Artifact, Envelope, Signature, encode};
use edgec_tests::Sandbox;
use edgec_tests::corpus::write_policy;
use edgec_tests::interop::{Case, Trust, check_agreement, python};

/// A sandbox with a hybrid signer `both.pem`, and an artifact that it has signed.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.hello();
    sandbox.ok(&["keygen", "--algorithm", "hybrid", "-o", "both.pem"]);
    sandbox.ok(&["sign", "hello.cwasm", "--key", "both.pem"]);
    sandbox
}

fn text(sandbox: &Sandbox, name: &str) -> String {
    String::from_utf8(sandbox.read(name)).unwrap()
}

/// The artifact with changed signatures.
fn with(file: &[u8], change: impl FnOnce(&mut Vec<Signature>)) -> Vec<u8> {
    let artifact = Artifact::decode(file).unwrap();
    let mut signatures = artifact.envelope().signatures().to_vec();
    change(&mut signatures);
    let payload = artifact.envelope().payload().to_vec();
    encode(artifact.image(), &Envelope::new(payload, signatures)).unwrap()
}

fn policy(sandbox: &Sandbox, rules: &str) {
    let pem = text(sandbox, "both.pub.pem");
    let key = format!("[[key]]\nname = 'both'\npem = '''\n{pem}'''\n{rules}\n");
    write_policy(sandbox, &format!("threshold = 1\n{key}"));
}

/// cosign reads Ed25519, and a signature does not state its algorithm: its length decides.
#[test]
fn a_bundle_needs_a_signature_of_64_bytes_or_a_choice() {
    let sandbox = Sandbox::new();
    sandbox.hello();
    sandbox.ok(&["keygen", "--algorithm", "ml-dsa-65", "-o", "late.pem"]);
    sandbox.ok(&["sign", "hello.cwasm", "--key", "late.pem"]);
    let bundle = ["envelope", "hello.cwasm", "--sigstore", "-o", "bundle.json"];
    let error = sandbox.fails(1, &bundle);
    let says = "error[no-signature]: hello.cwasm: no signature has the 64 bytes of Ed25519";
    assert!(error.starts_with(says), "{error}");
    assert!(
        error.contains("hint: choose one with --signed-by"),
        "{error}"
    );
    let by = |key| [&bundle[..3], &["--signed-by", key]].concat();
    sandbox.ok(&by("late.pub.pem"));
    sandbox.ok(&["keygen", "-o", "other.pem"]);
    let error = sandbox.fails(1, &by("other.pub.pem"));
    assert!(error.contains("has no signature by that key"), "{error}");
}

#[test]
fn a_hybrid_signer_signs_twice_and_counts_once() {
    let sandbox = sandbox();
    assert_eq!(
        text(&sandbox, "both.pem")
            .matches("BEGIN PRIVATE KEY")
            .count(),
        2
    );
    assert_eq!(
        text(&sandbox, "both.pub.pem")
            .matches("BEGIN PUBLIC KEY")
            .count(),
        2
    );
    let report = sandbox.ok(&["verify", "hello.cwasm", "--key", "both.pub.pem"]);
    assert!(
        report.contains("1 of 1 required: both.pub.pem ("),
        "{report}"
    );
    let file = sandbox.read("hello.cwasm");
    let artifact = Artifact::decode(&file).unwrap();
    let lengths = artifact
        .envelope()
        .signatures()
        .iter()
        .map(|it| it.bytes().len());
    assert_eq!(lengths.collect::<Vec<_>>(), [64, 3309]);
    // Deterministic: the same signatures once more.
    sandbox.ok(&["sign", "hello.cwasm", "--key", "both.pem"]);
    assert_eq!(sandbox.read("hello.cwasm"), file);
    // Each half of the pair, without the other.
    for at in [0, 1] {
        sandbox.write("half.cwasm", with(&file, |all| drop(all.remove(at))));
        let half = ["verify", "half.cwasm", "--key", "both.pub.pem"];
        assert!(sandbox.fails(1, &half).contains("error[key-algorithm]"));
    }
    let shown = sandbox.ok(&["keys", "show", "both.pub.pem"]);
    assert_eq!(shown.matches("key id").count(), 2, "{shown}");
    assert!(shown.contains("algorithm  ml-dsa-65"), "{shown}");
    let raw = ["keys", "export", "both.pub.pem", "--as", "raw"];
    assert!(sandbox.fails(2, &raw).contains("error[encoding]"));
    // Removing a signer removes both of its signatures, and an artifact keeps one signature.
    sandbox.ok(&["sign", "hello.cwasm", "--key", "key.pem", "--append"]);
    sandbox.ok(&["sign", "hello.cwasm", "--remove", "both.pub.pem"]);
    let file = sandbox.read("hello.cwasm");
    let artifact = Artifact::decode(&file).unwrap();
    assert_eq!(artifact.envelope().signatures().len(), 1);
}

#[test]
fn a_key_with_a_passphrase_signs_with_both() {
    let sandbox = Sandbox::new();
    sandbox.hello();
    sandbox.write_secret("passphrase", "correct horse\n");
    let options = ["--encrypt", "--passphrase-file", "passphrase"];
    let keygen = ["keygen", "--algorithm", "hybrid", "-o", "both.pem"];
    sandbox.ok(&[&keygen[..], &options].concat());
    let pem = text(&sandbox, "both.pem");
    assert_eq!(pem.matches("BEGIN ENCRYPTED PRIVATE KEY").count(), 2);
    let sign = ["sign", "hello.cwasm", "--key", "both.pem"];
    sandbox.ok(&[&sign[..], &options[1..]].concat());
    sandbox.ok(&["verify", "hello.cwasm", "--key", "both.pub.pem"]);
}

/// Whatever edgec does with two algorithms, the second verifier does too.
#[test]
fn both_verifiers_judge_two_algorithms_alike() {
    if python().is_none() {
        return;
    }
    let sandbox = sandbox();
    let file = sandbox.read("hello.cwasm");
    let artifact = Artifact::decode(&file).unwrap();
    let ids = artifact
        .envelope()
        .signatures()
        .iter()
        .map(Signature::key_id);
    let ids: Vec<String> = ids.map(str::to_owned).collect();
    let mut files = vec![("both", file.clone())];
    let change = |at: usize, to: Vec<u8>| {
        with(&file, |all| {
            all[at] = Signature::new(&ids[at], to);
        })
    };
    for at in [0, 1] {
        files.push(("one is gone", with(&file, |all| drop(all.remove(at)))));
        files.push(("another length", change(at, vec![1; 100])));
        files.push(("the other's length", change(at, vec![1; [3309, 64][at]])));
        for byte in [0, 40, 63] {
            let mut bytes = artifact.envelope().signatures()[at].bytes().to_vec();
            bytes[byte] ^= 1;
            files.push(("a bit", change(at, bytes)));
        }
    }
    for byte in [48, 1000, 3247, 3248, 3300, 3308] {
        let mut bytes = artifact.envelope().signatures()[1].bytes().to_vec();
        bytes[byte] ^= 1;
        files.push(("a bit of ML-DSA", change(1, bytes)));
    }
    for len in [1, 64, 65, 3309, 7856, 32768] {
        let more = with(&file, |all| {
            all.push(Signature::new("somebody", vec![7; len]))
        });
        files.push(("an unknown one", more));
    }
    files.push(("the order", with(&file, |all| all.reverse())));
    let mut cases = Vec::new();
    let rules = [
        "",
        "algorithms = ['ed25519']",
        "algorithms = ['ml-dsa-65']",
        "algorithms = ['ml-dsa-65', 'ed25519']",
    ];
    for (number, rule) in rules.iter().enumerate() {
        policy(&sandbox, rule);
        let path = sandbox.write(&format!("{number}.toml"), sandbox.read("edgec-trust.toml"));
        for (name, file) in &files {
            cases.push(Case {
                name: format!("{name}, {rule}"),
                file: file.clone(),
                trust: Trust::Policy(path.clone()),
                arguments: Vec::new(),
                accepted: None,
            });
        }
    }
    for id in &ids {
        for rule in ["", "algorithms = ['ed25519']"] {
            let revoked = format!("{rule}\n[[revoked-key]]\nid = '{id}'\nreason = ''");
            policy(&sandbox, &revoked);
            let name = format!("revoked {} {}", &id[..8], rule.len());
            let path = sandbox.write(&format!("{name}.toml"), sandbox.read("edgec-trust.toml"));
            cases.push(Case {
                name,
                file: file.clone(),
                trust: Trust::Policy(path),
                arguments: Vec::new(),
                accepted: None,
            });
        }
    }
    check_agreement(cases);
}

/// A private key of another implementation signs, and what edgec makes is read there.
#[test]
fn keys_of_another_implementation_are_read() {
    let Some(python) = python() else { return };
    let sandbox = Sandbox::new();
    sandbox.hello();
    let script = "
import sys
from cryptography.hazmat.primitives.asymmetric import mldsa
from cryptography.hazmat.primitives.serialization import *
key = mldsa.MLDSA65PrivateKey.generate()
public = key.public_key()
open('theirs.pub.pem', 'wb').write(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
sys.stdout.buffer.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
ours = load_pem_private_key(open('ours.pem', 'rb').read(), None)
same = ours.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
assert same == open('ours.pub.pem', 'rb').read()
";
    sandbox.ok(&["keygen", "--algorithm", "ml-dsa-65", "-o", "ours.pem"]);
    let output = run(&python, &sandbox, script);
    sandbox.write_secret("theirs.pem", output);
    sandbox.ok(&["sign", "hello.cwasm", "--key", "theirs.pem"]);
    sandbox.ok(&["verify", "hello.cwasm", "--key", "theirs.pub.pem"]);
    let public = sandbox.ok(&["keys", "export", "theirs.pem", "--as", "pem"]);
    assert_eq!(public, text(&sandbox, "theirs.pub.pem"));
}

fn run(python: &Path, sandbox: &Sandbox, script: &str) -> Vec<u8> {
    let output = Command::new(python)
        .current_dir(sandbox.path())
        .args(["-W", "ignore", "-c", script])
        .output()
        .expect("python can be started");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    output.stdout
}
