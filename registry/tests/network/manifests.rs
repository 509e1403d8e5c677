//! Manifests, indexes, and what refers to them.

use edgec_artifact::Sha256Digest;
use edgec_registry::{Descriptor, RegistryError, Which};

use crate::fake::{Fake, Fault};
use crate::{descriptor, impatient, open, options};

pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn tag(name: &str) -> Which {
    Which::Tag(name.to_owned())
}

/// A manifest with a subject.
pub(crate) fn referrer(subject: Sha256Digest, note: &str) -> Vec<u8> {
    format!(r#"{{"schemaVersion":2,"note":"{note}","subject":{{"digest":"sha256:{subject}"}}}}"#)
        .into_bytes()
}

pub(crate) fn entry(bytes: &[u8]) -> Descriptor {
    Descriptor {
        media_type: MANIFEST.to_owned(),
        ..descriptor(bytes)
    }
}

pub(crate) fn list(entries: &[&Descriptor]) -> Vec<u8> {
    let entries = serde_json::to_string(entries).unwrap();
    format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":{entries}}}"#).into_bytes()
}

#[test]
fn a_manifest_is_written_and_read() {
    let fake = Fake::start();
    let repository = open(&fake, &options());
    let bytes = br#"{"schemaVersion":2,"manifests":[]}"#;
    repository.put_manifest(Some("v1"), INDEX, bytes).unwrap();
    let digest = Sha256Digest::of(bytes);
    for which in [tag("v1"), Which::Digest(digest)] {
        let found = repository.manifest(&which, None).unwrap().unwrap();
        assert_eq!(found.bytes, bytes);
        assert_eq!((found.digest, found.media_type.as_str()), (digest, INDEX));
        assert_eq!(repository.manifest(&which, Some(digest)).unwrap(), None);
    }
    // By its digest, a manifest that is known needs no request.
    let last = &fake.seen()[2];
    let known = format!("\"sha256:{digest}\"");
    assert_eq!(last.headers.get("if-none-match"), Some(&known));
    assert_eq!(fake.requests().len(), 4);
    repository.put_manifest(None, MANIFEST, b"{}").unwrap();
    assert!(
        fake.manifest(&format!("sha256:{}", Sha256Digest::of(b"{}")))
            .is_some()
    );
}

#[test]
fn a_registry_that_ignores_conditions_is_understood() {
    let fake = Fake::start();
    fake.once(
        "GET",
        "manifests",
        Fault::Status(200, vec![], "{}".to_owned()),
    );
    let known = Some(Sha256Digest::of(b"{}"));
    let found = open(&fake, &options()).manifest(&tag("v1"), known).unwrap();
    assert_eq!(found, None);
}

#[test]
fn a_manifest_with_another_digest_is_refused() {
    let fake = Fake::start();
    fake.put_manifest("v1", MANIFEST, b"{\"a\":1}");
    let digest = Sha256Digest::of(b"other");
    fake.put_manifest(&format!("sha256:{digest}"), MANIFEST, b"{}");
    let repository = open(&fake, &options());
    let error = repository
        .manifest(&Which::Digest(digest), None)
        .unwrap_err();
    assert_eq!(error.code(), "registry-digest");
    // The registry says what it sends.
    fake.once("GET", "manifests", Fault::Flip(3));
    let error = repository.manifest(&tag("v1"), None).unwrap_err();
    assert_eq!(error.code(), "registry-digest");
    let headers = vec![("Docker-Content-Digest", format!("sha256:{digest}"))];
    fake.once(
        "PUT",
        "manifests",
        Fault::Status(201, headers, String::new()),
    );
    let error = repository
        .put_manifest(Some("v2"), MANIFEST, b"{}")
        .unwrap_err();
    assert_eq!(error.code(), "registry-digest");
}

#[test]
fn a_manifest_that_is_too_long_is_not_read() {
    let fake = Fake::start();
    let long = vec![b' '; (4 << 20) + 1];
    fake.put_manifest("v1", MANIFEST, &long);
    let repository = open(&fake, &options());
    let error = repository.manifest(&tag("v1"), None).unwrap_err();
    assert_eq!(error.code(), "registry-too-long");
    let error = repository
        .put_manifest(Some("v1"), MANIFEST, &long)
        .unwrap_err();
    assert_eq!(error.code(), "registry-too-long");
    fake.once("GET", "manifests", Fault::Endless);
    let error = repository.manifest(&tag("v1"), None).unwrap_err();
    assert_eq!(error.code(), "registry-too-long");
}

/// A registry could otherwise hold a host for minutes with a few bytes.
#[test]
fn a_length_above_the_limit_is_refused_before_the_content_comes() {
    let fake = Fake::start();
    fake.put_manifest("v1", MANIFEST, b"{}");
    for (length, code) in [
        ((4 << 20) + 1, "registry-too-long"),
        (1_000_000_000_000_000, "registry-too-long"),
        (usize::MAX, "registry-answer"),
    ] {
        fake.once("GET", "manifests", Fault::Length(length));
        let asked = fake.requests().len();
        let error = open(&fake, &options())
            .manifest(&tag("v1"), None)
            .unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert_eq!(fake.requests().len(), asked + 1);
    }
}

#[test]
fn a_registry_that_stops_answering_was_reached() {
    let fake = Fake::start();
    fake.put_manifest("v1", MANIFEST, b"{}");
    for fault in [Fault::Silence, Fault::Length(100)] {
        fake.times(3, "GET", "manifests", fault);
        let error = open(&fake, &impatient())
            .manifest(&tag("v1"), None)
            .unwrap_err();
        assert!(
            matches!(error, RegistryError::Silent { attempts: 3, .. }),
            "{error}"
        );
        assert_eq!(error.code(), "registry-unreachable");
        assert!(error.is_temporary());
        let host = fake.address;
        let said = "stopped answering: nothing moved for 0.1 seconds (3 attempts)";
        assert_eq!(error.to_string(), format!("{host} {said}"));
    }
}

#[test]
fn a_manifest_comes_after_failures_that_pass() {
    let fake = Fake::start();
    fake.put_manifest("v1", MANIFEST, b"{\"a\":1}");
    fake.once(
        "GET",
        "manifests",
        Fault::Status(500, vec![], String::new()),
    );
    fake.once("GET", "manifests", Fault::CutAfter(3));
    let found = open(&fake, &options()).manifest(&tag("v1"), None).unwrap();
    assert_eq!(found.unwrap().bytes, b"{\"a\":1}");
    fake.once("PUT", "manifests", Fault::NoAnswer);
    open(&fake, &options())
        .put_manifest(Some("v2"), MANIFEST, b"{}")
        .unwrap();
}

#[test]
fn a_refusal_says_why() {
    let fake = Fake::start();
    let body = r#"{"errors":[{"code":"MANIFEST_INVALID","message":"no layers"}]}"#;
    fake.once(
        "PUT",
        "manifests",
        Fault::Status(400, vec![], body.to_owned()),
    );
    let error = open(&fake, &options())
        .put_manifest(Some("v1"), MANIFEST, b"{}")
        .unwrap_err();
    assert_eq!(error.code(), "registry-refused");
    let text = error.to_string();
    assert!(
        text.contains("take the manifest of tag v1 (HTTP 400): MANIFEST_INVALID"),
        "{text}"
    );
    let error = open(&fake, &options())
        .manifest(&tag("none"), None)
        .unwrap_err();
    assert!(
        error.is_absence() && error.to_string().contains("has no tag none"),
        "{error}"
    );
    fake.once(
        "GET",
        "manifests",
        Fault::Status(304, vec![], String::new()),
    );
    let error = open(&fake, &options())
        .manifest(&tag("v1"), None)
        .unwrap_err();
    assert_eq!(error.code(), "registry-answer");
}

/// Some registries make no repository by themselves.
#[test]
fn a_repository_that_does_not_exist_takes_nothing() {
    let body = r#"{"errors":[{"code":"NAME_UNKNOWN","message":"no such repository"}]}"#;
    let fake = Fake::start();
    for (method, part) in [("PUT", "manifests"), ("POST", "uploads")] {
        fake.once(method, part, Fault::Status(404, vec![], body.to_owned()));
    }
    let repository = open(&fake, &options());
    let error = repository.put_manifest(Some("v1"), MANIFEST, b"{}");
    let said =
        "refused to take the manifest of tag v1 (HTTP 404): NAME_UNKNOWN, no such repository";
    let text = error.unwrap_err().to_string();
    assert!(text.contains(said), "{text}");
    let source = edgec_registry::BlobSource::Bytes(b"content");
    let error = repository.put_blob(&descriptor(b"content"), &source);
    let text = error.unwrap_err().to_string();
    assert!(text.contains("refused to take blob sha256:"), "{text}");
}

#[test]
fn referrers_are_listed_under_a_tag_where_there_is_no_api() {
    let fake = Fake::start();
    let repository = open(&fake, &options());
    let subject = Sha256Digest::of(b"subject");
    assert_eq!(repository.referrers(subject).unwrap(), []);
    let mut written = Vec::new();
    for note in ["a", "b"] {
        let bytes = referrer(subject, note);
        repository.put_manifest(None, MANIFEST, &bytes).unwrap();
        written.push(entry(&bytes));
        for _ in 0..2 {
            let last = written.last().unwrap();
            repository.note_referrer(subject, last).unwrap();
        }
    }
    let expected = list(&written.iter().collect::<Vec<_>>());
    let tag = format!("sha256-{subject}");
    let found = fake.manifest(&tag).unwrap();
    let parse = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
    assert_eq!(parse(&found), parse(&expected));
    assert_eq!(repository.referrers(subject).unwrap(), written);
}

#[test]
fn entries_with_another_subject_are_left_out() {
    let subject = Sha256Digest::of(b"subject");
    let (ours, other) = (
        referrer(subject, "ours"),
        referrer(Sha256Digest([7; 32]), "other"),
    );
    let entries = [&entry(&other), &entry(&ours), &entry(b"gone")];
    for has_api in [false, true] {
        let fake = Fake::start();
        let repository = open(&fake, &options());
        for bytes in [&ours, &other] {
            repository.put_manifest(None, MANIFEST, bytes).unwrap();
        }
        fake.put_manifest(&format!("sha256-{subject}"), INDEX, &list(&entries));
        fake.put_manifest(
            &format!("referrers-sha256:{subject}"),
            INDEX,
            &list(&entries),
        );
        if has_api {
            fake.has_referrers();
        }
        assert_eq!(repository.referrers(subject).unwrap(), [entry(&ours)]);
    }
}

/// What is left out could be the signature that a host asks for.
#[test]
fn more_referrers_than_edgec_looks_at_are_an_error() {
    let subject = Sha256Digest::of(b"subject");
    let ours = referrer(subject, "ours");
    let named = entry(&ours);
    let gone = entry(b"gone");
    for (length, is_too_long) in [(300, false), (1024, false), (1025, true)] {
        let mut entries = vec![&gone; length];
        entries[length - 1] = &named;
        for has_api in [false, true] {
            let fake = Fake::start();
            let repository = open(&fake, &options());
            repository.put_manifest(None, MANIFEST, &ours).unwrap();
            let name = match has_api {
                false => format!("sha256-{subject}"),
                true => format!("referrers-sha256:{subject}"),
            };
            fake.put_manifest(&name, INDEX, &list(&entries));
            if has_api {
                fake.has_referrers();
            }
            match repository.referrers(subject) {
                Ok(found) => assert!(!is_too_long && found == [entry(&ours)]),
                Err(error) => {
                    assert!(is_too_long, "{error}");
                    assert_eq!(error.code(), "registry-too-many");
                }
            }
        }
    }
}

/// A list whose pages never end.
#[test]
fn pages_of_referrers_end() {
    let fake = Fake::start();
    let link = "</v2/shop/referrers/next>; rel=\"next\"".to_owned();
    let headers = vec![("Content-Type", INDEX.to_owned()), ("Link", link)];
    let empty = String::from_utf8(list(&[])).unwrap();
    fake.times(500, "GET", "referrers", Fault::Status(200, headers, empty));
    let error = open(&fake, &options())
        .referrers(Sha256Digest::of(b"subject"))
        .unwrap_err();
    assert_eq!(error.code(), "registry-too-many");
    assert_eq!(fake.requests().len(), 128);
}

#[test]
fn a_tag_that_names_the_subject_itself_is_no_list() {
    let fake = Fake::start();
    let repository = open(&fake, &options());
    let index = list(&[&entry(b"native")]);
    let subject = Sha256Digest::of(&index);
    fake.put_manifest(&format!("sha256-{subject}"), INDEX, &index);
    assert_eq!(repository.referrers(subject).unwrap(), []);
}

#[test]
fn a_registry_with_the_api_needs_no_tag() {
    let fake = Fake::start();
    fake.has_referrers();
    let repository = open(&fake, &options());
    let subject = Sha256Digest::of(b"subject");
    let bytes = referrer(subject, "a");
    repository.put_manifest(None, MANIFEST, &bytes).unwrap();
    repository.note_referrer(subject, &entry(&bytes)).unwrap();
    assert_eq!(fake.manifest(&format!("sha256-{subject}")), None);
    assert_eq!(fake.requests().len(), 1);
}
