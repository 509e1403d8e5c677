//! Key files: what edgec shows of them, public keys in other encodings, and refused keys. Needs
//! `openssl`, and uses `ssh-keygen` if it exists.

use edgec_tests::{Sandbox, encrypted_key, present};

fn key_id(sandbox: &Sandbox, file: &str) -> String {
    let shown = sandbox.ok(&["keys", "show", file, "--format", "json"]);
    let shown = edgec_tests::results(shown);
    shown[0]["key"]["keyId"].as_str().unwrap().to_owned()
}

#[test]
fn nothing_that_is_shown_is_secret() {
    let sandbox = encrypted_key();
    let pem = String::from_utf8(sandbox.read("key.pem")).unwrap();
    let secret = pem.lines().nth(1).unwrap();
    let show = ["keys", "show", "key.pem", "key.pub.pem", "secret.pem"];
    let show = [&show[..], &["--passphrase-file", "passphrase", "--format"]].concat();
    for format in ["text", "json"] {
        let shown = sandbox.ok(&[&show[..], &[format]].concat());
        for part in [secret, &secret[20..], "correct horse", "PRIVATE"] {
            assert!(!shown.contains(part), "{shown}");
        }
    }
    let shown = sandbox.ok(&[&show[..], &["json"]].concat());
    let shown = edgec_tests::results(shown);
    let kinds: Vec<_> = shown
        .iter()
        .map(|file| {
            let key = &file["key"];
            (
                key["kind"].as_str().unwrap(),
                key["encrypted"].as_bool().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        kinds,
        [("private", false), ("public", false), ("private", true)]
    );
    assert_eq!(shown[0]["key"]["keyId"], shown[1]["key"]["keyId"]);
    assert_eq!(
        shown[0]["key"]["pem"].as_str().unwrap().as_bytes(),
        sandbox.read("key.pub.pem")
    );
}

#[test]
fn public_keys_go_from_every_encoding_into_every_other() {
    let sandbox = Sandbox::new();
    let pem = sandbox.read("key.pub.pem");
    for encoding in ["pem", "raw", "openssh"] {
        for source in ["key.pem", "key.pub.pem"] {
            sandbox.ok(&["keys", "export", source, "--as", encoding, "-o", "exported"]);
            let printed = sandbox.ok(&["keys", "export", source, "--as", encoding]);
            assert_eq!(printed.as_bytes(), sandbox.read("exported"));
            let import = ["keys", "import", "exported", "-o", "imported.pem"];
            sandbox.ok(&import);
            assert_eq!(sandbox.read("imported.pem"), pem);
            // Neither of the two overwrites a file.
            let error = sandbox.fails(2, &import);
            assert!(error.starts_with("error[exists]: imported.pem: "));
            let again = ["keys", "export", source, "--as", "raw", "-o", "exported"];
            assert!(sandbox.fails(2, &again).starts_with("error[exists]: "));
            for file in ["exported", "imported.pem"] {
                std::fs::remove_file(sandbox.path().join(file)).unwrap();
            }
        }
    }
    let error = sandbox.fails(1, &["keys", "import", "key.pem", "-o", "x.pem"]);
    assert!(error.starts_with("error[public-key]: key.pem: "), "{error}");
    assert!(error.contains("hint: this is a private key"));
    let import = ["keys", "import", "key.pub.pem", "-o", "-"];
    assert!(sandbox.fails(2, &import).starts_with("error[output]: "));
}

#[test]
fn openssh_and_edgec_read_each_others_public_keys() {
    if !present("ssh-keygen") {
        return;
    }
    let sandbox = Sandbox::new();
    let make = [
        "-q",
        "-t",
        "ed25519",
        "-N",
        "",
        "-C",
        "you@example.com",
        "-f",
        "ssh",
    ];
    sandbox.tool("ssh-keygen", &make);
    sandbox.ok(&["keys", "import", "ssh.pub", "-o", "ssh.pem"]);
    let line = sandbox.ok(&["keys", "export", "ssh.pem", "--as", "openssh"]);
    let theirs = String::from_utf8(sandbox.read("ssh.pub")).unwrap();
    assert_eq!(theirs, format!("{} you@example.com\n", line.trim_end()));
    assert_eq!(key_id(&sandbox, "ssh.pub"), key_id(&sandbox, "ssh.pem"));
    // openssl reads the result, and ssh-keygen recognizes it.
    sandbox.tool("openssl", &["pkey", "-pubin", "-in", "ssh.pem", "-noout"]);
    sandbox.write("back.pub", line);
    let fingerprint = |file| {
        let shown = sandbox.tool("ssh-keygen", &["-l", "-f", file]);
        let shown = String::from_utf8(shown).unwrap();
        shown.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(fingerprint("ssh.pub"), fingerprint("back.pub"));

    // A key for logins is not accepted for signing, and other types of keys are not read.
    let error = sandbox.fails(1, &["keys", "show", "ssh"]);
    assert!(
        error.contains("OpenSSH's own format is not read"),
        "{error}"
    );
    let make = ["-q", "-t", "ecdsa", "-N", "", "-f", "ecdsa"];
    sandbox.tool("ssh-keygen", &make);
    let error = sandbox.fails(1, &["keys", "show", "ecdsa.pub"]);
    assert!(
        error.contains("does not begin with `ssh-ed25519`"),
        "{error}"
    );
}

/// Keys that are weak, not on the curve, not canonical, or malformed, in every encoding.
#[test]
fn unfit_public_keys_are_refused_by_name() {
    let weak = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let off_curve = "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let non_canonical = "8P///////////////////////////////////////38=";
    let sandbox = Sandbox::new();
    sandbox.hello();
    let cases = [
        (weak, "has small order"),
        (off_curve, "not a point on the curve"),
        (non_canonical, "not in its canonical encoding"),
    ];
    // The prefixes of SPKI (12 bytes) and of OpenSSH (19 bytes, so not a multiple of 3).
    for (raw, says) in cases {
        let pem = format!(
            "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA{raw}\n-----END PUBLIC KEY-----\n"
        );
        for text in [raw.to_owned(), pem] {
            sandbox.write("bad", text);
            for arguments in [
                &["keys", "show", "bad"][..],
                &["keys", "import", "bad", "-o", "out"],
                &["keys", "export", "bad", "--as", "raw"],
                &["sign", "hello.cwasm", "--remove", "bad"],
                &[
                    "sign",
                    "hello.cwasm",
                    "--key",
                    "key.pem",
                    "--public-key",
                    "bad",
                ],
            ] {
                let error = sandbox.fails(1, arguments);
                assert!(
                    error.starts_with("error[public-key]: bad: ") && error.contains(says),
                    "{error}"
                );
                assert!(error.contains("\n  hint: the key is damaged"), "{error}");
            }
        }
    }
    let line = sandbox.ok(&["keys", "export", "key.pem", "--as", "openssh"]);
    let line = line.trim_end();
    for (text, says) in [
        (String::new(), "the file is empty"),
        ("hello".to_owned(), "not a public key"),
        ("aGVsbG8=".to_owned(), "has 5 bytes"),
        (format!("{line}\n{line}\n"), "more than one line"),
        (line[..60].to_owned(), "cut off"),
        (format!("{line}AAAA"), "bytes after the key"),
        (line.replace("AAAAC3Nz", "AAAAC3Nw"), "another type"),
        (format!("command=\"x\" {line}"), "not a public key"),
    ] {
        sandbox.write("bad", &text);
        let error = sandbox.fails(1, &["keys", "show", "bad"]);
        assert!(
            error.starts_with("error[public-key]: bad: ") && error.contains(says),
            "{text}: {error}"
        );
        assert!(error.contains("\n  hint: "), "{text}: {error}");
    }
    // DER, which OpenSSL writes on request.
    let head = [0x30_u8, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
    sandbox.write("bad", [&head[..], &[0xd7; 32]].concat());
    for arguments in [
        &["keys", "import", "bad", "-o", "out"][..],
        &["verify", "hello.cwasm", "--key", "bad"],
    ] {
        let error = sandbox.fails(1, arguments);
        assert!(error.starts_with("error[not-text]: bad: "), "{error}");
        assert!(
            error.contains("\n  hint: a public key is text; "),
            "{error}"
        );
    }
    assert!(!sandbox.files().contains(&"out".to_owned()));
}
