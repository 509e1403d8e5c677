//! Others accept what edgec signs, and edgec what others make. Needs `openssl`.

use std::path::Path;
use std::process::{Command, Output};

use edgec_tests::Sandbox;

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
    // openssl makes it readable for others where the umask says so; edgec does not take it.
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
