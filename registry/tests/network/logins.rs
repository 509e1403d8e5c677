//! Credentials: where they go, and where they must not go.

use edgec_artifact::Sha256Digest;
use edgec_registry::{ConnectOptions, Credentials, RegistryError};

use crate::fake::{Fake, Fault};
use crate::{content, descriptor, fetch, open, options};

/// `ci:hunter2`.
const BASIC: &str = "Basic Y2k6aHVudGVyMg==";

fn named() -> ConnectOptions {
    options().credentials(Credentials::Basic {
        name: "ci".to_owned(),
        password: "hunter2".to_owned(),
    })
}

fn bearer(fake: &Fake) -> String {
    format!(
        "Bearer realm=\"http://{}/token\",service=\"fake\"",
        fake.address
    )
}

fn has_secret(fake: &Fake) -> bool {
    fake.seen()
        .iter()
        .any(|it| it.headers.contains_key("authorization"))
}

#[test]
fn a_password_is_sent_only_if_it_is_asked_for() {
    let fake = Fake::start();
    let bytes = content(10);
    fake.put_blob(&bytes);
    assert!(open(&fake, &named()).has_blob(&descriptor(&bytes)).unwrap());
    assert!(!has_secret(&fake));
    fake.log_in_with(BASIC, "Basic realm=\"fake\"");
    let repository = open(&fake, &named());
    for _ in 0..2 {
        repository
            .blob(&descriptor(&bytes), &mut Vec::new())
            .unwrap();
    }
    // The second time, the registry need not ask.
    assert_eq!(fake.requests().len(), 4);
}

#[test]
fn a_token_is_fetched_and_used_again() {
    let fake = Fake::start();
    fake.log_in_with("Bearer granted", &bearer(&fake));
    let bytes = content(10);
    fake.put_blob(&bytes);
    let repository = open(&fake, &named());
    for _ in 0..2 {
        repository
            .blob(&descriptor(&bytes), &mut Vec::new())
            .unwrap();
    }
    let requests = fake.requests();
    assert_eq!(requests.len(), 4);
    assert_eq!(
        requests[1],
        "GET /token?service=fake&scope=repository%3Ashop%3Apull"
    );
    assert_eq!(fake.seen()[1].headers.get("authorization").unwrap(), BASIC);
    repository
        .put_manifest(Some("v1"), "application/json", b"{}")
        .unwrap();
    assert!(fake.requests()[5].ends_with("scope=repository%3Ashop%3Apull%2Cpush"));
    // Without credentials, a token for anybody.
    fetch(&fake, &bytes).unwrap();
    let asked = fake
        .seen()
        .into_iter()
        .rfind(|it| it.path.starts_with("/token"));
    assert_eq!(asked.unwrap().headers.get("authorization"), None);
}

#[test]
fn an_identity_token_is_exchanged() {
    let fake = Fake::start();
    fake.log_in_with("Bearer granted", &bearer(&fake));
    let bytes = content(10);
    fake.put_blob(&bytes);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    let address = fake.address;
    let file = format!(r#"{{"auths":{{"{address}":{{"identitytoken":"iden tity"}}}}}}"#);
    std::fs::write(&path, file).unwrap();
    let options = options().credentials(Credentials::File(path));
    open(&fake, &options)
        .blob(&descriptor(&bytes), &mut Vec::new())
        .unwrap();
    let asked = fake
        .seen()
        .into_iter()
        .find(|it| it.path == "/token")
        .unwrap();
    assert_eq!(asked.method, "POST");
    let body = String::from_utf8(asked.body).unwrap();
    for part in [
        "grant_type=refresh%5Ftoken",
        "refresh_token=iden%20tity",
        "service=fake",
    ] {
        assert!(body.contains(part), "{body}");
    }
}

#[test]
fn wrong_credentials_are_named() {
    let fake = Fake::start();
    fake.log_in_with("Basic other", "Basic realm=\"fake\"");
    for (options, expected) in [(named(), true), (options(), false)] {
        let error = open(&fake, &options)
            .has_blob(&descriptor(b"a"))
            .unwrap_err();
        let RegistryError::Denied {
            status: 401,
            had_credentials,
            ..
        } = &error
        else {
            panic!("{error}");
        };
        assert_eq!(*had_credentials, expected);
        assert!(!format!("{error:?}").contains("hunter2"));
    }
    fake.log_in_with("Bearer other", &bearer(&fake));
    let error = fetch(&fake, b"a").unwrap_err();
    assert_eq!(error.code(), "registry-denied");
    assert!(
        error
            .to_string()
            .contains("without credentials): UNAUTHORIZED, log in"),
        "{error}"
    );
    fake.once("GET", "/token", Fault::Status(403, vec![], String::new()));
    let error = open(&fake, &named())
        .has_blob(&descriptor(b"a"))
        .unwrap_err();
    assert!(
        error.to_string().contains("with the credentials"),
        "{error}"
    );
}

#[test]
fn token_services_that_fail_are_asked_again_or_named() {
    let fake = Fake::start();
    fake.log_in_with("Bearer granted", &bearer(&fake));
    let bytes = content(10);
    fake.put_blob(&bytes);
    fake.once("GET", "/token", Fault::Status(503, vec![], String::new()));
    fetch(&fake, &bytes).unwrap();
    fake.once("GET", "/token", Fault::Status(200, vec![], "{}".to_owned()));
    let error = fetch(&fake, &bytes).unwrap_err();
    assert!(error.to_string().contains("no token"), "{error}");
    fake.once("GET", "/token", Fault::Endless);
    let error = fetch(&fake, &bytes).unwrap_err();
    assert_eq!(error.code(), "registry-too-long");
}

/// The request for a token may have a password, or be one that no redirect repeats.
#[test]
fn a_token_service_that_redirects_is_named() {
    let (fake, other) = (Fake::start(), Fake::start());
    fake.log_in_with("Bearer granted", &bearer(&fake));
    for status in [301, 302, 303, 307, 308] {
        let place = format!("http://{}/token", other.address);
        let moved = Fault::Status(status, vec![("Location", place)], String::new());
        fake.once("GET", "/token", moved);
        let error = open(&fake, &named())
            .has_blob(&descriptor(b"a"))
            .unwrap_err();
        assert_eq!(error.code(), "registry-answer");
        let start = format!(
            "the token service {} redirects (HTTP {status})",
            fake.address
        );
        assert!(error.to_string().starts_with(&start), "{error}");
        assert!(!error.is_temporary());
    }
    assert!(other.requests().is_empty());
}

#[test]
fn a_password_does_not_go_to_another_token_service_without_tls() {
    let fake = Fake::start();
    for (realm, code) in [
        ("http://192.0.2.1/token", "registry-insecure"),
        ("http://localhost.example/token", "registry-insecure"),
        ("ftp://127.0.0.1/token", "registry-insecure"),
        ("token", "registry-answer"),
    ] {
        fake.log_in_with("Bearer granted", &format!("Bearer realm=\"{realm}\""));
        let error = open(&fake, &named())
            .has_blob(&descriptor(b"a"))
            .unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    }
    assert!(!has_secret(&fake));
}

#[test]
fn credentials_do_not_follow_to_another_host() {
    let (fake, other) = (Fake::start(), Fake::start());
    fake.log_in_with(BASIC, "Basic realm=\"fake\"");
    let bytes = content(1000);
    other.put_blob(&bytes);
    let digest = Sha256Digest::of(&bytes);
    let place = format!("http://{}/v2/shop/blobs/sha256:{digest}", other.address);
    let moved = Fault::Status(307, vec![("Location", place)], String::new());
    // The first request is answered with the challenge.
    assert!(!open(&fake, &named()).has_blob(&descriptor(&bytes)).unwrap());
    let repository = open(&fake, &named());
    assert!(!repository.has_blob(&descriptor(&bytes)).unwrap());
    fake.once("GET", "blobs", moved.clone());
    let mut into = Vec::new();
    repository.blob(&descriptor(&bytes), &mut into).unwrap();
    assert_eq!(into, bytes);
    assert!(has_secret(&fake) && !has_secret(&other));
    // A challenge of the other host is not answered.
    other.log_in_with(BASIC, "Basic realm=\"other\"");
    fake.once("GET", "blobs", moved);
    let error = repository
        .blob(&descriptor(&bytes), &mut Vec::new())
        .unwrap_err();
    assert_eq!(error.code(), "registry-denied");
    assert!(!has_secret(&other));
    // It is the other host that refuses, and no login at the registry helps.
    let said = format!("{} denied access (HTTP 401, without", other.address);
    assert!(error.to_string().starts_with(&said), "{error}");
    // Nor do they go where an upload is sent.
    let place = format!("http://{}/v2/shop/blobs/uploads/1", other.address);
    let started = Fault::Status(202, vec![("Location", place)], String::new());
    fake.times(3, "POST", "uploads", started);
    let source = edgec_registry::BlobSource::Bytes(&bytes);
    let sent = repository.put_blob(&descriptor(&bytes), &source);
    assert!(sent.is_err() && !has_secret(&other));
}

#[test]
fn redirects_end() {
    let fake = Fake::start();
    let again = Fault::Status(
        302,
        vec![("Location", "/v2/shop/blobs/x".to_owned())],
        String::new(),
    );
    fake.times(20, "GET", "blobs", again);
    let error = fetch(&fake, b"a").unwrap_err();
    assert!(error.to_string().contains("more than 5 times"), "{error}");
}
