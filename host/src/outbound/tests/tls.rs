//! Requests over TLS. `openssl` makes the certificates.

use std::path::Path;
use std::process::Command;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::*;

/// A certificate for `tls.example`, and its key, both in PEM.
fn certificate(folder: &Path) -> (Vec<u8>, Vec<u8>) {
    let (config, cert, key) = (folder.join("c"), folder.join("cert"), folder.join("key"));
    let text = "[req]\ndistinguished_name = name\nprompt = no\nx509_extensions = ext\n\
                [name]\nCN = test\n\
                [ext]\nbasicConstraints = critical,CA:FALSE\nsubjectAltName = DNS:tls.example\n";
    std::fs::write(&config, text).unwrap();
    let made = Command::new("openssl")
        .args(["req", "-x509", "-nodes", "-days", "2", "-newkey", "ec"])
        .args(["-pkeyopt", "ec_paramgen_curve:P-256", "-config"])
        .arg(&config)
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&cert)
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    (std::fs::read(cert).unwrap(), std::fs::read(key).unwrap())
}

async fn start_tls(cert: &[u8], key: &[u8]) -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(cert).unwrap()],
            PrivateKeyDer::from_pem_slice(key).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve(Server::Answers(HELLO), stream).await;
                }
            });
        }
    });
    port
}

fn client(roots: &Roots) -> Client {
    let local = || vec!["127.0.0.1".parse().unwrap()];
    let settings = Settings {
        hosts: BTreeMap::from([
            ("tls.example".to_owned(), local()),
            ("other.example".to_owned(), local()),
        ]),
        ..Settings::default()
    };
    Client::with_roots(&["*:*"], &["127.0.0.0/8"], settings, roots)
}

#[tokio::test]
async fn a_certificate_must_be_of_a_known_authority_and_for_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = certificate(folder.path());
    let port = start_tls(&cert, &key).await;
    let uri = |host: &str| format!("https://{host}:{port}/");

    let knows = client(&Roots::with_pem(&cert).unwrap());
    assert_eq!(knows.get(&uri("tls.example")).await.unwrap(), "hello");
    // The server's address is another name of it, and the certificate does not have it.
    for host in ["other.example", "127.0.0.1"] {
        let error = knows.get(&uri(host)).await.unwrap_err();
        assert!(
            matches!(error, HttpError::TlsCertificateError),
            "{host}: {error}"
        );
        assert_eq!(knows.rules(), ["outbound-tls"]);
    }

    let does_not = client(&Roots::public());
    let error = does_not.get(&uri("tls.example")).await.unwrap_err();
    assert!(matches!(error, HttpError::TlsCertificateError), "{error}");
}

#[tokio::test]
async fn a_server_without_tls_is_an_error() {
    let (port, _) = start(Server::Greets("220 mail.example\r\n")).await;
    let client = client(&Roots::public());
    let error = client
        .get(&format!("https://tls.example:{port}/"))
        .await
        .unwrap_err();
    assert!(matches!(error, HttpError::TlsProtocolError), "{error}");
    assert_eq!(client.rules(), ["outbound-tls"]);
}
