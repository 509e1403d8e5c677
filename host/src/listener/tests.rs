//! Tests of the sockets.

use super::*;
use crate::config::TlsConfig;

#[tokio::test]
async fn an_abandoned_socket_is_replaced_and_no_other_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("http.sock");
    // The file of a socket at which nobody listens any more.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let config = ListenConfig {
        unix: vec![path.clone()],
        ..ListenConfig::default()
    };
    let listeners = Listeners::open(&config).unwrap();
    let address = listeners.public[0].socket.address("http");
    assert_eq!(address, format!("unix:{}", path.display()));
    // Now somebody listens.
    assert_eq!(Listeners::open(&config).unwrap_err().code(), "listen");
    drop(listeners);
    assert!(!path.exists());
    std::fs::write(&path, "a file").unwrap();
    assert_eq!(Listeners::open(&config).unwrap_err().code(), "listen");
    assert!(path.exists());
}

#[tokio::test]
async fn a_socket_for_admin_is_of_this_machine() {
    let socket = |address: &str| tcp(address.parse().unwrap()).unwrap();
    of_this_machine(socket("127.0.0.1:0")).unwrap();
    let error = of_this_machine(socket("0.0.0.0:0")).unwrap_err();
    assert_eq!(error.code(), "listen");
}

#[tokio::test]
async fn a_unix_socket_has_the_mode_that_is_asked_for() {
    use std::os::unix::fs::MetadataExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("http.sock");
    for (mode, bits) in [("0600", 0o600), ("0666", 0o666)] {
        let config =
            toml::from_str::<ListenConfig>(&format!("unix = [{path:?}]\nunix-mode = \"{mode}\"\n"));
        let listeners = Listeners::open(&config.unwrap()).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, bits);
        // It listens.
        let client = UnixStream::connect(&path).await.unwrap();
        let accepted = listeners.public[0].socket.accept().await.unwrap();
        assert!(matches!(accepted, Stream::Unix(_)), "{client:?}");
    }
}

#[tokio::test]
async fn a_host_needs_a_place_and_tls_a_certificate() {
    let config = ListenConfig::default();
    assert!(matches!(
        Listeners::open(&config),
        Err(HostError::NoListener)
    ));
    let address = "127.0.0.1:0".parse().unwrap();
    let config = ListenConfig {
        https: vec![address],
        ..ListenConfig::default()
    };
    assert!(matches!(
        Listeners::open(&config),
        Err(HostError::Listen { .. })
    ));
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n";
    for (cert, key, code, says) in [
        (None, None, "io", "the certificate "),
        (Some(""), None, "io", "the private key "),
        (
            Some(""),
            Some("no key"),
            "tls",
            "it has no certificate in PEM",
        ),
        (
            Some(damaged),
            Some("no key"),
            "tls",
            "it has no private key in PEM",
        ),
        (Some(damaged), Some(encrypted), "tls", "it is encrypted"),
    ] {
        for (name, content) in [("cert.pem", cert), ("key.pem", key)] {
            if let Some(content) = content {
                std::fs::write(at(name), content).unwrap();
            }
        }
        let config = ListenConfig {
            tls: Some(TlsConfig::new(at("cert.pem"), at("key.pem"))),
            ..config.clone()
        };
        let error = Listeners::open(&config).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
}

/// Nobody writes to this pipe, so an `open` that waits would never end.
#[test]
fn a_pipe_is_no_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.pem");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let file = folder.path().join("file.pem");
    std::fs::write(&file, "").unwrap();
    for (cert, key, role) in [(&pipe, &file, "certificate"), (&file, &pipe, "private key")] {
        let error = Certificates::read(&TlsConfig::new(cert, key)).unwrap_err();
        let (code, says) = (error.code(), edgec_loader::error_chain(&error));
        let path = pipe.display();
        let expected = format!("the {role} {path} cannot be read: not a regular file");
        assert_eq!((code, says), ("io", expected));
    }
}

/// The key of a test, made by nobody else: it is never used.
#[test]
fn a_key_that_others_can_read_or_replace_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (key, link) = (
        folder.path().join("key.pem"),
        folder.path().join("link.pem"),
    );
    std::fs::write(&key, "").unwrap();
    std::os::unix::fs::symlink(&key, &link).unwrap();
    for (mode, says) in [
        (0o600, None),
        (0o640, None),
        (0o644, Some("can open it (mode 0644)")),
        (0o666, Some("can write it (mode 0666)")),
    ] {
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
        for path in [&key, &link] {
            let told = tls::exposure(path);
            assert_eq!(told.is_some(), says.is_some(), "{told:?}");
            assert!(told.unwrap_or_default().contains(says.unwrap_or_default()));
        }
    }
}
