//! A changed artifact is refused, whatever was changed.

use edgec_tests::Sandbox;
use edgec_verifier::{Expected, PublicKey, TrustPolicy, TrustedKey, verify};

/// The code in front of an error's text.
fn code(stderr: &str) -> &str {
    let code = stderr
        .strip_prefix("error[")
        .and_then(|rest| rest.split(']').next());
    code.unwrap_or_else(|| panic!("not a named error: {stderr}"))
}

fn policy(sandbox: &Sandbox) -> TrustPolicy {
    let pem = String::from_utf8(sandbox.read("key.pub.pem")).unwrap();
    let key = PublicKey::from_pem(&pem).unwrap();
    let name = "test".to_owned();
    TrustPolicy::new(vec![TrustedKey { name, key }], 1).unwrap()
}

/// Every byte of a real artifact, one after the other, every bit in turn.
#[test]
fn every_changed_byte_is_found() {
    let sandbox = Sandbox::new();
    let mut file = sandbox.hello();
    let policy = policy(&sandbox);
    verify(&file, &policy, &Expected::anything(), 0).unwrap();
    for at in 0..file.len() {
        let bit = 1 << (at % 8);
        file[at] ^= bit;
        assert!(
            verify(&file, &policy, &Expected::anything(), 0).is_err(),
            "byte {at}, bit {bit:#x}"
        );
        file[at] ^= bit;
    }
    verify(&file, &policy, &Expected::anything(), 0).unwrap();
}

#[test]
fn every_truncation_is_found() {
    let sandbox = Sandbox::new();
    let file = sandbox.hello();
    let policy = policy(&sandbox);
    for len in 0..file.len() {
        assert!(
            verify(&file[..len], &policy, &Expected::anything(), 0).is_err(),
            "{len} bytes"
        );
    }
}

/// The same through the command line: `verify` and `run` give the error a name, exit with
/// 1, and the program does not run.
#[test]
fn verify_and_run_refuse_a_changed_artifact() {
    let sandbox = Sandbox::new();
    let file = sandbox.hello();
    let footer = file.len() - 40;
    let image_len = u64::from_le_bytes(file[footer..footer + 8].try_into().unwrap());
    let image_len = usize::try_from(image_len).unwrap();
    let flipped = |at: usize| {
        let mut file = file.clone();
        file[at] ^= 1;
        file
    };
    // The first character of the signature's base64, with another valid one in its place.
    let mut in_signature = file.clone();
    let sig = file
        .windows(7)
        .rposition(|window| window == b"\"sig\":\"")
        .unwrap()
        + 7;
    in_signature[sig] = if file[sig] == b'A' { b'B' } else { b'A' };
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("ELF header", flipped(0), "image-digest"),
        ("code", flipped(0x1100), "image-digest"),
        (
            "last byte of the image",
            flipped(image_len - 1),
            "image-digest",
        ),
        ("payload", flipped(image_len + 200), "bad-signature"),
        ("signature", in_signature, "bad-signature"),
        ("footer", flipped(footer), "layout"),
        ("magic", flipped(file.len() - 1), "layout"),
        ("truncated", file[..file.len() - 1].to_vec(), "layout"),
        ("half", file[..file.len() / 2].to_vec(), "layout"),
        ("appended", [&file[..], b"\0"].concat(), "layout"),
        ("empty", Vec::new(), "layout"),
        ("twice", [&file[..], &file[..]].concat(), "layout"),
    ];
    for (what, bytes, expected) in cases {
        sandbox.write("changed.cwasm", bytes);
        for verb in ["verify", "run"] {
            let arguments = [verb, "--key", "key.pub.pem", "changed.cwasm"];
            let output = sandbox.run(&arguments);
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{what}: {stderr}");
            assert_eq!(code(&stderr), expected, "{what}: {stderr}");
            let stdout = String::from_utf8_lossy(&output.stdout);
            // The program would say hello; a verdict is not to be mistaken.
            assert!(!stdout.contains("verified"), "{what}: {stdout}");
            assert!(verb == "verify" || stdout.is_empty(), "{what}: {stdout}");
        }
    }
}

#[test]
fn a_signature_by_somebody_else_is_none() {
    let sandbox = Sandbox::new();
    sandbox.hello();
    sandbox.ok(&["keygen", "-o", "other.pem"]);
    let stderr = sandbox.fails(1, &["verify", "--key", "other.pub.pem", "hello.cwasm"]);
    assert_eq!(code(&stderr), "threshold");
    // Signed by both, it needs either, or both.
    sandbox.ok(&["sign", "hello.cwasm", "--key", "other.pem", "--append"]);
    for keys in [&["key"][..], &["other"], &["key", "other"]] {
        let keys: Vec<String> = keys.iter().map(|key| format!("{key}.pub.pem")).collect();
        let mut arguments = vec!["verify", "hello.cwasm"];
        for key in &keys {
            arguments.extend(["--key", key]);
        }
        sandbox.ok(&arguments);
    }
    // Signed again without --append, the first signature is gone.
    sandbox.ok(&["sign", "hello.cwasm", "--key", "other.pem"]);
    sandbox.fails(1, &["verify", "--key", "key.pub.pem", "hello.cwasm"]);
}

/// One key's signature twice does not reach a threshold of two.
#[test]
fn two_signatures_by_one_key_count_once() {
    let sandbox = Sandbox::new();
    sandbox.hello();
    sandbox.ok(&["sign", "hello.cwasm", "--key", "key.pem", "--append"]);
    sandbox.ok(&["keygen", "-o", "other.pem"]);
    let keys = ["key", "other"].map(|name| {
        let pem = sandbox.read(&format!("{name}.pub.pem"));
        let pem = String::from_utf8(pem).unwrap();
        format!("[[key]]\nname = \"{name}\"\npem = \"\"\"\n{pem}\"\"\"\n")
    });
    sandbox.write("trust.toml", format!("threshold = 2\n{}", keys.concat()));
    let stderr = sandbox.fails(1, &["verify", "--trust", "trust.toml", "hello.cwasm"]);
    assert!(stderr.contains("1 of 2 required"), "{stderr}");
    sandbox.ok(&["sign", "hello.cwasm", "--key", "other.pem", "--append"]);
    sandbox.ok(&["verify", "--trust", "trust.toml", "hello.cwasm"]);
}
