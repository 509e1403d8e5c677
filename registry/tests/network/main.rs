//! The transport against a registry that misbehaves as it is told.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first error"
)]

mod downloads;
mod fake;
mod logins;
mod manifests;
mod referrers;
mod uploads;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use edgec_artifact::Sha256Digest;
use edgec_registry::{
    BlobSource, ConnectOptions, Connector, Credentials, Descriptor, Reference, RegistryError,
    Repository, Retries, Timeouts,
};

use self::fake::{Fake, Fault};

/// Options for a registry in this process: it answers at once or never.
fn options() -> ConnectOptions {
    let moment = Duration::from_millis(1);
    ConnectOptions::default()
        .credentials(Credentials::Anonymous)
        .retries(Retries::new(3, moment, Duration::from_millis(500)))
        .timeouts(Timeouts::new(
            Duration::from_secs(10),
            Duration::from_secs(20),
        ))
}

/// The same, for a registry that says nothing.
fn impatient() -> ConnectOptions {
    let idle = Duration::from_millis(100);
    options().timeouts(Timeouts::new(Duration::from_secs(10), idle))
}

fn connect(reference: &Reference, options: ConnectOptions) -> Box<dyn Repository> {
    Connector::new(options).connect(reference).unwrap()
}

fn open(fake: &Fake, options: &ConnectOptions) -> Box<dyn Repository> {
    let reference = format!("{}/shop:v1", fake.address).parse().unwrap();
    connect(&reference, options.clone())
}

fn descriptor(bytes: &[u8]) -> Descriptor {
    Descriptor {
        media_type: "application/octet-stream".into(),
        digest: format!("sha256:{}", Sha256Digest::of(bytes)),
        size: bytes.len() as u64,
        urls: Vec::new(),
        annotations: BTreeMap::new(),
        artifact_type: None,
        platform: None,
    }
}

/// Bytes that repeat nowhere.
fn content(length: usize) -> Vec<u8> {
    let word = |it: usize| {
        (it as u64)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .to_le_bytes()
    };
    (0..length.div_ceil(8))
        .flat_map(word)
        .take(length)
        .collect()
}

fn fetch(fake: &Fake, bytes: &[u8]) -> Result<Vec<u8>, RegistryError> {
    let mut into = Vec::new();
    open(fake, &options()).blob(&descriptor(bytes), &mut into)?;
    Ok(into)
}

#[test]
fn a_host_that_nobody_listens_at_is_named() {
    // The port is free again when the listener is dropped.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let reference = format!("{address}/shop:v1").parse().unwrap();
    let repository = connect(&reference, options());
    let error = repository.manifest(&reference.which(), None).unwrap_err();
    assert!(
        matches!(&error, RegistryError::Unreachable { attempts: 3, .. }),
        "{error}"
    );
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    assert!(error.is_temporary());
}

/// A certificate authority makes the connection to a name of this host one with TLS.
#[test]
fn a_registry_with_an_authority_of_its_own_is_trusted_if_it_is_given() {
    let fake = Fake::start_tls();
    let bytes = content(100_000);
    fake.put_blob(&bytes);
    let trusting = options().ca(include_bytes!("tls/ca.pem").to_vec());
    let mut into = Vec::new();
    open(&fake, &trusting)
        .blob(&descriptor(&bytes), &mut into)
        .unwrap();
    assert_eq!(into, bytes);
    let other = options().ca(include_bytes!("tls/other-ca.pem").to_vec());
    let error = open(&fake, &other)
        .has_blob(&descriptor(&bytes))
        .unwrap_err();
    assert_eq!(error.code(), "registry-tls");
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    assert!(!error.is_temporary());
}

#[test]
fn a_host_without_tls_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 1000]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let ca = include_bytes!("tls/ca.pem").to_vec();
    let reference = format!("{address}/shop").parse().unwrap();
    let repository = connect(&reference, options().ca(ca));
    let error = repository.has_blob(&descriptor(b"a")).unwrap_err();
    assert_eq!(error.code(), "registry-tls");
    assert!(error.to_string().contains("does not speak TLS"), "{error}");
}

/// Such an answer would be the same again.
#[test]
fn an_answer_that_is_not_http_is_not_asked_for_again() {
    let fake = Fake::start();
    for (name, value, part) in [
        (
            "X-Odd",
            "a\u{1}b".to_owned(),
            "one of its headers is malformed",
        ),
        ("X Odd", "a".to_owned(), "one of its headers is malformed"),
        ("X-Long", "a".repeat(1 << 20), "are too long"),
    ] {
        let asked = fake.requests().len();
        let headers = vec![(name, value)];
        fake.times(
            3,
            "GET",
            "blobs",
            Fault::Status(200, headers, String::new()),
        );
        let error = fetch(&fake, b"a").unwrap_err();
        assert_eq!(error.code(), "registry-answer", "{error}");
        let text = error.to_string();
        let start = format!("the answer of {} makes no sense: it is not", fake.address);
        assert!(text.starts_with(&start) && text.contains(part), "{text}");
        assert!(!error.is_temporary());
        assert_eq!(fake.requests().len(), asked + 1, "{name}");
        fake.forgive();
    }
    // Without a status.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let reference = format!("{}/shop", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 1000]);
            let _ = stream.write_all(b"HTTP/1.1 OK\r\n\r\n");
        }
    });
    let repository = connect(&reference.parse().unwrap(), options());
    let error = repository.has_blob(&descriptor(b"a")).unwrap_err();
    assert!(error.to_string().contains("status is malformed"), "{error}");
}

/// A connection with TLS is not left for one without.
#[test]
fn content_does_not_come_without_tls_if_the_registry_has_it() {
    let (fake, plain) = (Fake::start_tls(), Fake::start());
    let place = format!("http://{}/v2/shop/blobs/x", plain.address);
    let headers = vec![("Location", place.clone())];
    fake.once("GET", "blobs", Fault::Status(307, headers, String::new()));
    let trusting = options().ca(include_bytes!("tls/ca.pem").to_vec());
    let repository = open(&fake, &trusting);
    let error = repository
        .blob(&descriptor(b"a"), &mut Vec::new())
        .unwrap_err();
    assert_eq!(error.code(), "registry-insecure");
    assert!(error.to_string().contains(&place), "{error}");
    assert!(plain.requests().is_empty());
}

/// A registry on this host needs no TLS, because the connection does not leave the host.
#[test]
fn a_registry_on_this_host_does_not_send_to_others_without_tls() {
    let fake = Fake::start();
    // An address that no host has (RFC 5737).
    let elsewhere = || vec![("Location", "http://192.0.2.1/v2/x".to_owned())];
    let repository = open(&fake, &options());
    fake.once(
        "GET",
        "blobs",
        Fault::Status(307, elsewhere(), String::new()),
    );
    let error = repository.blob(&descriptor(b"a"), &mut Vec::new());
    assert_eq!(error.unwrap_err().code(), "registry-insecure");
    fake.once(
        "POST",
        "uploads",
        Fault::Status(202, elsewhere(), String::new()),
    );
    let source = BlobSource::Bytes(b"a");
    let error = repository.put_blob(&descriptor(b"a"), &source);
    assert_eq!(error.unwrap_err().code(), "registry-insecure");
}
