//! Keys from standard input or from a variable.

#![cfg(unix)]

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Output, Stdio};

use edgec_tests::encrypted_key;
use edgec_tests::secret::{Secret, printed, shows};

/// `--key -` and `--key env:NAME` work, and no process that edgec starts sees the key.
#[test]
fn a_key_comes_from_standard_input_and_from_a_variable() {
    let sandbox = encrypted_key();
    let pem = String::from_utf8(sandbox.read("key.pem")).unwrap();
    let secret = Secret::of(&pem);
    sandbox.write(
        "app.wat",
        "(module (func (export \"f\") (result i32) i32.const 1))",
    );
    // The build fails if it sees the key.
    let script = "#!/bin/sh\nenv | grep -q -e RELEASE_KEY -e PRIVATE && kill -KILL $$\n\
                  [ \"$1\" = --version ] && echo fake 1 && exit 0\nexec cat\n";
    let tool = sandbox.write("wasm-opt", script);
    std::fs::set_permissions(tool, std::fs::Permissions::from_mode(0o755)).unwrap();
    let build = ["build", "-q", "app.wat", "-t", "x86_64", "-o", "app.cwasm"];
    let given = |more: &[&str], stdin: &str, variable: Option<&str>| {
        let mut command = sandbox.command(more);
        if let Some(value) = variable {
            command.env("RELEASE_KEY", value);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The process may have ended without reading.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let output = child.wait_with_output().unwrap();
        assert_eq!(shows(&printed(&output), &secret.parts), None, "{output:?}");
        output
    };
    let signed = |output: &Output| {
        assert!(output.status.success(), "{output:?}");
        sandbox.ok(&["verify", "-q", "app.cwasm", "--key", "key.pub.pem"]);
        std::fs::remove_file(sandbox.path().join("app.cwasm")).unwrap();
    };
    let with = |more: &[&'static str]| [&build[..], more].concat();
    signed(&given(&with(&["--key", "-"]), &pem, None));
    let tool = [
        "-O2",
        "--wasm-opt",
        "./wasm-opt",
        "--key",
        "env:RELEASE_KEY",
    ];
    signed(&given(&with(&tool), "", Some(&pem)));
    let mut command = sandbox.command(&build);
    command
        .env("EDGEC_KEY", "env:RELEASE_KEY")
        .env("RELEASE_KEY", &pem);
    signed(&command.output().unwrap());

    // An encrypted key, with the passphrase from a file or from standard input.
    let encrypted = String::from_utf8(sandbox.read("secret.pem")).unwrap();
    let passphrase = [
        "--key",
        "env:RELEASE_KEY",
        "--passphrase-file",
        "passphrase",
    ];
    let output = given(&with(&passphrase), "", Some(&encrypted));
    assert!(output.status.success(), "{output:?}");
    let passphrase = ["--key", "env:RELEASE_KEY", "--passphrase-file", "-"];
    let output = given(&with(&passphrase), "correct horse\n", Some(&encrypted));
    assert!(output.status.success(), "{output:?}");

    // Public keys too, and the public half of a secret key.
    let public = String::from_utf8(sandbox.read("key.pub.pem")).unwrap();
    let sign = ["sign", "app.cwasm", "--key", "key.pem"];
    sandbox.ok(&sign);
    let verify = ["verify", "-q", "app.cwasm", "--key"];
    assert!(
        given(
            &[&verify[..], &["env:RELEASE_KEY"]].concat(),
            "",
            Some(&public)
        )
        .status
        .success()
    );
    assert!(
        given(&[&verify[..], &["-"]].concat(), &public, None)
            .status
            .success()
    );
    for named in ["env:RELEASE_KEY", "-"] {
        let output = given(&["keys", "export", named, "--as", "pem"], &pem, Some(&pem));
        assert_eq!(String::from_utf8_lossy(&output.stdout), public);
    }

    for (more, stdin, variable, begins) in [
        (
            &["--key", "-"][..],
            "",
            None,
            "error[stdin]: -: standard input is empty",
        ),
        (
            &["--key", "-"],
            "nonsense",
            None,
            "error[secret-key]: -: not an Ed25519 or ML-DSA-65 private key",
        ),
        (
            &["--key", "env:RELEASE_KEY"],
            "",
            None,
            "error[key-variable]: env:RELEASE_KEY: the variable is not set",
        ),
        (
            &["--key", "env:RELEASE_KEY"],
            "",
            Some(" \n"),
            "error[key-variable]: env:RELEASE_KEY: the variable is empty",
        ),
        (
            &["--key", "env:RELEASE_KEY"],
            "",
            Some("x"),
            "error[secret-key]: env:RELEASE_KEY: not an Ed25519",
        ),
        (
            &["--key", "env:"],
            "",
            None,
            "error[key-variable]: `env:` is not followed",
        ),
        (
            &["--key", "env:a b"],
            "",
            None,
            "error[key-variable]: `env:` is not followed",
        ),
        (
            &["--key", "-", "--passphrase-file", "-"],
            "",
            None,
            "error[stdin]: standard input is named for more than one",
        ),
    ] {
        let output = given(&with(more), stdin, variable);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && stderr.starts_with(begins),
            "{more:?}: {stderr}"
        );
    }
    // A text that names neither a variable nor a file may be the secret itself.
    for (named, begins) in [
        (
            "env:hunter2secret",
            "error[key-variable]: the variable that `env:` names is not set",
        ),
        (
            "hunter2.secret",
            "error[io]: the key's file: cannot read: No such file",
        ),
    ] {
        let output = given(&with(&["--key", named]), "", None);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.starts_with(begins), "{named}: {stderr}");
        assert!(!printed(&output).contains("hunter2"), "{named}: {stderr}");
    }
    // The content of a public key in place of its file's name.
    let one_line = sandbox.ok(&["keys", "export", "key.pub.pem", "--as", "openssh"]);
    for content in [public.trim_end(), one_line.trim_end()] {
        let option = format!("--key={content}");
        for line in [
            &["verify", "app.cwasm", "--key", content][..],
            &["verify", "app.cwasm", &option],
            &["keys", "show", content],
        ] {
            let output = given(line, "", None);
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{line:?}: {stderr}");
            let says = "is the content of a public key\n  hint: name its file";
            assert!(
                stderr.starts_with("error[key-argument]: argument ") && stderr.contains(says),
                "{line:?}: {stderr}"
            );
        }
    }
    // Input and key cannot both come from standard input.
    let both = [
        "build", "-", "--name", "app", "-o", "x.cwasm", "-t", "x86_64", "--key", "-",
    ];
    let output = given(&both, &pem, None);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.starts_with("error[stdin]: standard input is named for more than one"),
        "{stderr}"
    );
    let verify = ["verify", "-", "--key", "-"];
    let output = given(&verify, &public, None);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}
