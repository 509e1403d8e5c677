//! Signers outside edgec: in two steps, or by a program; and removing signatures. Needs `openssl`,
//! which acts as the signer.

use std::path::Path;

use edgec_tests::{Sandbox, words};

const SIGN: [&str; 2] = ["sign", "hello.cwasm"];

/// A sandbox with an artifact that `key.pem` has signed, another key `other.pem`, and a program
/// that signs with the key that its first argument names.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.hello();
    sandbox.ok(&["keygen", "-o", "other.pem"]);
    program(
        &sandbox,
        "signer",
        "cat > message && openssl pkeyutl -sign -rawin -inkey \"$1\" -in message",
    );
    sandbox
}

fn program(sandbox: &Sandbox, name: &str, script: &str) {
    let path = sandbox.write(name, format!("#!/bin/sh\n{script}\n"));
    executable(&path);
}

fn executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(path, mode).unwrap();
}

fn sign(sandbox: &Sandbox, arguments: &[&str]) -> String {
    sandbox.ok(&[&SIGN[..], arguments].concat())
}

/// Signing fails, and the artifact stays unchanged.
fn refused(sandbox: &Sandbox, code: i32, arguments: &[&str], says: &[&str]) {
    let before = sandbox.read("hello.cwasm");
    let error = sandbox.fails(code, &[&SIGN[..], arguments].concat());
    let (first, rest) = says.split_first().unwrap();
    assert!(error.contains(&format!("error[{first}]: ")), "{error}");
    for part in rest {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert_eq!(sandbox.read("hello.cwasm"), before);
}

fn verified(sandbox: &Sandbox, keys: &[&str]) {
    let keys = keys.iter().flat_map(|key| ["--key", key]);
    let arguments: Vec<&str> = ["verify", "hello.cwasm"].into_iter().chain(keys).collect();
    sandbox.ok(&arguments);
}

#[test]
fn a_key_that_edgec_never_sees_signs_in_two_steps() {
    let sandbox = sandbox();
    sign(&sandbox, &["--export-pae", "pae"]);
    let printed = sandbox.run(&[&SIGN[..], &["--export-pae", "-"]].concat());
    assert_eq!(printed.stdout, sandbox.read("pae"));
    assert!(
        printed
            .stdout
            .starts_with(b"DSSEv1 28 application/vnd.in-toto+json ")
    );

    let openssl = [
        "pkeyutl",
        "-sign",
        "-rawin",
        "-inkey",
        "other.pem",
        "-in",
        "pae",
    ];
    let signature = sandbox.tool("openssl", &openssl);
    assert_eq!(signature.len(), 64);
    sandbox.write("raw", &signature);
    let base64 = sandbox.tool("openssl", &["base64", "-A", "-in", "raw"]);
    sandbox.write("base64", [&base64[..], b"\n"].concat());
    let whole = sandbox.read("hello.cwasm");
    for file in ["raw", "base64"] {
        sandbox.write("hello.cwasm", &whole);
        let attach = ["--attach", file, "--public-key", "other.pub.pem"];
        sign(&sandbox, &[&attach[..], &["--append"]].concat());
        verified(&sandbox, &["key.pub.pem", "other.pub.pem"]);
        sign(&sandbox, &attach);
        sandbox.fails(1, &["verify", "hello.cwasm", "--key", "key.pub.pem"]);
        verified(&sandbox, &["other.pub.pem"]);
    }
}

#[test]
fn a_signature_that_does_not_fit_is_not_attached() {
    let sandbox = sandbox();
    sign(&sandbox, &["--export-pae", "pae"]);
    let openssl = ["pkeyutl", "-sign", "-rawin", "-inkey", "other.pem", "-in"];
    let signature = sandbox.tool("openssl", &[&openssl[..], &["pae"]].concat());
    sandbox.write("signature", &signature);
    // Row 10 of the threats: a signature by another key.
    let by_another = [
        "--attach",
        "signature",
        "--public-key",
        "key.pub.pem",
        "--append",
    ];
    let says = ["bad-signature", "hello.cwasm: ", "not by key"];
    refused(&sandbox, 1, &by_another, &says);
    // A signature over other bytes.
    let elsewhere = sandbox.tool("openssl", &[&openssl[..], &["key.pub.pem"]].concat());
    sandbox.write("elsewhere", elsewhere);
    let attach = ["--attach", "elsewhere", "--public-key", "other.pub.pem"];
    refused(&sandbox, 1, &attach, &["bad-signature", "not by key"]);
    // A signature with a single changed bit, one more byte, one byte less, or no bytes.
    let mut flipped = signature.clone();
    flipped[40] ^= 1;
    let longer = [&signature[..], &[0]].concat();
    for (bytes, says) in [
        (&flipped[..], "not by key"),
        (&longer, "65 bytes are not an Ed25519 signature"),
        (&signature[..63], "63 bytes"),
        (&[], "0 bytes"),
    ] {
        sandbox.write("bad", bytes);
        let attach = ["--attach", "bad", "--public-key", "other.pub.pem"];
        refused(&sandbox, 1, &attach, &["bad-signature", says]);
    }
    // The command line does not name the signer's key, names a key as well, or writes over an
    // input.
    let error = sandbox.fails(2, &[&SIGN[..], &["--attach", "signature"]].concat());
    assert!(error.contains("--public-key"), "{error}");
    let attach = ["--attach", "signature", "--public-key", "other.pub.pem"];
    sandbox.fails(2, &[&SIGN[..], &attach, &["--key", "key.pem"]].concat());
    let over = [&attach[..], &["-o", "signature"]].concat();
    refused(&sandbox, 2, &over, &["output", "signature: "]);
    refused(&sandbox, 2, &["--export-pae", "hello.cwasm"], &["output"]);
    assert_eq!(sandbox.read("signature"), signature);
}

#[test]
fn bytes_to_sign_have_no_options_of_a_signed_file() {
    let sandbox = Sandbox::empty();
    for verb in [
        "sign a.cwasm",
        "release make a.cwasm --serial 1",
        "release stamp a.json --expires +1d",
        "notarize a.cwasm --rebuild a.wat",
    ] {
        for option in ["--append", "--format json", "-o b"] {
            let line = format!("{verb} --export-pae pae {option}");
            let error = sandbox.fails(2, &words(&line));
            assert!(error.contains("cannot be used with"), "{line}: {error}");
        }
    }
}

#[test]
fn a_program_signs_artifacts_and_builds() {
    let sandbox = sandbox();
    let signer = [
        "--signer",
        "./signer other.pem",
        "--public-key",
        "other.pub.pem",
    ];
    sign(&sandbox, &[&signer[..], &["--append"]].concat());
    verified(&sandbox, &["key.pub.pem", "other.pub.pem"]);

    let example = edgec_tests::repository().join("examples/hello.wat");
    let build = ["build", "-q", example.to_str().unwrap(), "-o", "out"];
    sandbox.ok(&[&build[..], &signer].concat());
    for target in ["x86_64", "aarch64"] {
        let artifact = format!("out/hello.{target}.cwasm");
        sandbox.ok(&["verify", &artifact, "--key", "other.pub.pem"]);
    }

    // Base64 too. Quotes group words, and other signs of a shell are ordinary words.
    program(
        &sandbox,
        "with space",
        "[ \"$2\" = '$HOME;>x' ] || exit 9\n./signer \"$1\" | openssl base64 -A",
    );
    let line = "'./with space' \"other.pem\" '$HOME;>x'";
    sign(
        &sandbox,
        &["--signer", line, "--public-key", "other.pub.pem"],
    );
    verified(&sandbox, &["other.pub.pem"]);
    assert!(!sandbox.files().contains(&"x".to_owned()));

    // The variable names a key that does not sign here. Secrets are not passed on.
    program(
        &sandbox,
        "discreet",
        "[ -z \"$EDGEC_PASSPHRASE$EDGEC_PKCS11_PIN\" ] && ./signer \"$1\"",
    );
    let discreet = [
        "--signer",
        "./discreet other.pem",
        "--public-key",
        "other.pub.pem",
    ];
    let output = sandbox
        .command(&[&SIGN[..], &discreet].concat())
        .env("EDGEC_KEY", "key.pem")
        .env("EDGEC_PASSPHRASE", "secret")
        .env("EDGEC_PKCS11_PIN", "secret")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    verified(&sandbox, &["other.pub.pem"]);
}

#[test]
fn a_program_that_does_not_sign_as_it_should_is_refused() {
    let sandbox = sandbox();
    program(&sandbox, "fails", "echo 'no token' >&2; exit 7");
    program(&sandbox, "silent", "cat > message");
    program(&sandbox, "noise", "cat > message; yes");
    program(&sandbox, "sleeps", "exec sleep 1000");
    program(&sandbox, "closes", "exec >&-; exec sleep 1000");
    program(&sandbox, "ignores", "printf 'hello'");
    // Row 10 of the threats: the program answers with a signature by another key.
    for (line, code, says) in [
        ("./signer key.pem", 1, &["bad-signature", "not by key"][..]),
        ("./fails", 3, &["signer", "no token\n", "exit status: 7"]),
        ("./silent", 1, &["bad-signature", "./silent: 0 bytes"]),
        ("./noise", 1, &["bad-signature", "more than 8192 bytes"]),
        (
            "./sleeps",
            3,
            &["signer-timeout", "no signature within 1 s"],
        ),
        (
            "./closes",
            3,
            &["signer-timeout", "no signature within 1 s"],
        ),
        ("./ignores", 1, &["bad-signature", "5 bytes"]),
        ("./missing", 3, &["signer", "./missing: No such file"]),
        ("./signer 'key.pem", 2, &["signer", "quotation mark"]),
        ("", 2, &["signer", "no program"]),
        ("''", 2, &["signer", "no program"]),
    ] {
        let signer = [
            "--signer",
            line,
            "--public-key",
            "other.pub.pem",
            "--append",
        ];
        let timeout = ["--signer-timeout", "1"];
        let slow = says[0] == "signer-timeout";
        let timeout = if slow { &timeout[..] } else { &[] };
        refused(&sandbox, code, &[&signer, timeout].concat(), says);
    }
    let example = edgec_tests::repository().join("examples/hello.wat");
    let build = [
        "build",
        example.to_str().unwrap(),
        "-o",
        "out",
        "--public-key",
    ];
    let signer = ["other.pub.pem", "--signer", "./signer key.pem"];
    let error = sandbox.fails(1, &[&build[..], &signer].concat());
    assert!(error.contains("error[bad-signature]: "), "{error}");
    assert!(!sandbox.files().iter().any(|name| name.starts_with("out/")));
    // The command line must name the signer's key, and only one signer.
    let error = sandbox.fails(2, &[&SIGN[..], &["--signer", "./signer"]].concat());
    assert!(error.contains("--public-key"));
    let both = [
        "--signer",
        "x",
        "--public-key",
        "other.pub.pem",
        "--key",
        "key.pem",
    ];
    sandbox.fails(2, &[&SIGN[..], &both].concat());
}

#[test]
fn a_key_can_be_held_to_its_public_half() {
    let sandbox = sandbox();
    sign(
        &sandbox,
        &["--key", "key.pem", "--public-key", "key.pub.pem"],
    );
    let other = ["--key", "other.pem", "--public-key", "key.pub.pem"];
    refused(&sandbox, 1, &other, &["other-key", "and --public-key is"]);
    refused(&sandbox, 2, &[], &["no-key", "--key or EDGEC_KEY"]);
}

#[test]
fn a_signature_goes_by_key_id_or_by_key() {
    let sandbox = sandbox();
    let alone = sandbox.read("hello.cwasm");
    let removed = |key: &str| sign(&sandbox, &["--remove", key]);
    let shown = sandbox.ok(&["keys", "show", "other.pub.pem", "--format", "json"]);
    let shown = edgec_tests::results(shown);
    let id = shown[0]["key"]["keyId"].as_str().unwrap();
    sandbox.ok(&[
        "keys",
        "export",
        "other.pem",
        "--as",
        "openssh",
        "-o",
        "other.pub",
    ]);
    for name in [id, "other.pub.pem", "other.pub"] {
        sign(&sandbox, &["--key", "other.pem", "--append"]);
        verified(&sandbox, &["key.pub.pem", "other.pub.pem"]);
        let said = removed(name);
        assert_eq!(said, format!("hello.cwasm: no longer signed by {id}\n"));
        // The file is the same as before, byte for byte.
        assert_eq!(sandbox.read("hello.cwasm"), alone);
    }
    refused(&sandbox, 1, &["--remove", id], &["no-signature", id]);
    refused(
        &sandbox,
        1,
        &["--remove", "key.pub.pem"],
        &["last-signature"],
    );
    refused(
        &sandbox,
        1,
        &["--remove", "key.pem"],
        &["public-key", "private key"],
    );
    refused(&sandbox, 3, &["--remove", &id.to_uppercase()], &["io"]);
    sandbox.fails(
        2,
        &[&SIGN[..], &["--remove", id, "--key", "key.pem"]].concat(),
    );
    sandbox.fails(2, &[&SIGN[..], &["--remove", id, "--append"]].concat());
    // To another file, and from a file that is not an artifact.
    sign(&sandbox, &["--key", "other.pem", "--append"]);
    let both = sandbox.read("hello.cwasm");
    sign(&sandbox, &["--remove", id, "-o", "less.cwasm"]);
    assert_eq!(sandbox.read("less.cwasm"), alone);
    assert_eq!(sandbox.read("hello.cwasm"), both);
    let error = sandbox.fails(1, &["sign", "key.pub.pem", "--remove", id, "-o", "x"]);
    assert!(
        error.starts_with("error[package]: key.pub.pem: "),
        "{error}"
    );
}
