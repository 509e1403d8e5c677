//! What `edgec serve` refuses, and how it says so.

use edgec_tests::Sandbox;

use super::serve::build;

#[test]
fn what_cannot_be_served_is_refused() {
    let sandbox = Sandbox::new();
    build(&sandbox, 200, "1", "default", "default.cwasm");
    build(&sandbox, 200, "1", "edge", "edge.cwasm");
    let addr = ["--addr", "127.0.0.1:0"];
    let fails = |code, arguments: &[&str]| {
        let all = [&["serve"], &addr[..], arguments].concat();
        sandbox.fails(code, &all)
    };
    let error = fails(1, &["--key", "key.pub.pem", "default.cwasm"]);
    assert!(
        error.contains("error[profile]") && error.contains("acme/shop"),
        "{error}"
    );
    let error = fails(2, &["edge.cwasm"]);
    assert!(error.contains("error[no-trust]"), "{error}");
    sandbox.ok(&["keygen", "-o", "other.pem"]);
    let error = fails(1, &["--key", "other.pub.pem", "edge.cwasm"]);
    assert!(error.contains("edge.cwasm"), "{error}");
    sandbox.write("serve.toml", "schema = 1\n[limits]\nmemory = \"much\"\n");
    let error = fails(1, &["--config", "serve.toml"]);
    assert!(
        error.contains("error[serve-config]") && error.contains("3:10"),
        "{error}"
    );
    // Others could give programs access to private networks.
    let path = sandbox.write("serve.toml", "schema = 1\n");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    std::fs::set_permissions(path, mode).unwrap();
    let error = fails(1, &["--config", "serve.toml"]);
    assert!(
        error.contains("error[trust-file]") && error.contains("chmod go-w"),
        "{error}"
    );
    let other = match std::env::consts::ARCH {
        "x86_64" => "aarch64",
        _ => "x86_64",
    };
    let name = [
        "--name",
        "acme/shop",
        "--app-version",
        "1",
        "--key",
        "key.pem",
    ];
    let target = ["build", "-q", "shop.wat", "-t", other, "--profile", "edge"];
    sandbox.ok(&[&target[..], &name, &["-o", "other.cwasm"]].concat());
    let error = fails(1, &["--key", "key.pub.pem", "other.cwasm"]);
    let hint = format!("--target {}", std::env::consts::ARCH);
    assert!(
        error.contains("error[no-fit]") && error.contains(other) && error.contains(&hint),
        "{error}"
    );
    // Another process has the address.
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap().to_string();
    let arguments = [
        "serve",
        "--key",
        "key.pub.pem",
        "--addr",
        &taken,
        "edge.cwasm",
    ];
    let error = sandbox.fails(3, &arguments);
    assert!(error.contains("error[listen]"), "{error}");
}

/// Files that a host needs, and that are not there or are something else: exit code 3 or 1, with
/// the name of the file.
#[test]
fn an_error_names_the_file_and_says_what_to_do() {
    let sandbox = Sandbox::new();
    build(&sandbox, 200, "1", "edge", "edge.cwasm");
    let config = |more: &str| {
        sandbox.write(
            "serve.toml",
            format!(
                "schema = 1\n[listen]\nhttp = [\"127.0.0.1:0\"]\n{more}\n\
                 [[application]]\nname = \"acme/shop\"\nartifact = \"edge.cwasm\"\n"
            ),
        );
    };
    sandbox.write("broken.toml", "threshold = \"many\"\n");
    for (policy, exit, code) in [
        ("none.toml", 3, "error[io]: none.toml"),
        ("broken.toml", 1, "error[trust-policy]: broken.toml"),
    ] {
        config(&format!("[policy]\nfile = \"{policy}\""));
        let error = sandbox.fails(exit, &["serve", "--config", "serve.toml"]);
        assert!(error.contains(code), "{error}");
    }
    let tls = |cert: &str, key: &str, exit| {
        let line = format!("tls = {{ cert = \"{cert}\", key = \"{key}\" }}");
        config(&line);
        let own = ["serve", "--config", "serve.toml", "--key", "key.pub.pem"];
        sandbox.fails(exit, &own)
    };
    sandbox.write("garbage.pem", "garbage\n");
    let error = tls("garbage.pem", "key.pem", 1);
    assert!(
        error.contains("certificate garbage.pem cannot be used: it has no certificate in PEM"),
        "{error}"
    );
    let error = tls("none.pem", "key.pem", 3);
    assert!(
        error.contains("error[io]: none.pem: cannot read"),
        "{error}"
    );
    assert!(error.contains("this is the certificate that"), "{error}");
    let error = tls("garbage.pem", "none.pem", 3);
    assert!(error.contains("this is the private key that"), "{error}");
    // An artifact that is not there. The certificate is checked before it.
    std::fs::remove_file(sandbox.path().join("edge.cwasm")).unwrap();
    let error = tls("garbage.pem", "key.pem", 1);
    assert!(error.contains("certificate garbage.pem"), "{error}");
    config("");
    let own = ["serve", "--config", "serve.toml", "--key", "key.pub.pem"];
    let error = sandbox.fails(3, &own);
    assert!(
        error.contains("error[io]: ") && error.contains("edge.cwasm: "),
        "{error}"
    );
    // The command line.
    let error = sandbox.fails(2, &["serve"]);
    assert!(error.contains("--config"), "{error}");
    let error = sandbox.fails(2, &["serve", "--addr", "8080", "edge.cwasm"]);
    assert!(error.contains("127.0.0.1:8080"), "{error}");
}
