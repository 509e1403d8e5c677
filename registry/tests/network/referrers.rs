//! Lists of referrers that cannot be read as a whole. What is left out in silence could be the
//! signature that a host asks for.

use edgec_artifact::Sha256Digest;
use edgec_registry::{Descriptor, RegistryError};

use crate::fake::{Fake, Fault};
use crate::manifests::{INDEX, MANIFEST, entry, list, referrer};
use crate::{open, options};

/// A list with this page of the registry's API.
fn page(fake: &Fake, link: Option<String>, body: Vec<u8>) {
    let mut headers = vec![("Content-Type", INDEX.to_owned())];
    headers.extend(link.map(|it| ("Link", it)));
    let body = String::from_utf8(body).unwrap();
    fake.once("GET", "referrers", Fault::Status(200, headers, body));
}

fn referrers(fake: &Fake, subject: Sha256Digest) -> Result<Vec<Descriptor>, RegistryError> {
    open(fake, &options()).referrers(subject)
}

#[test]
fn a_list_that_goes_on_elsewhere_is_an_error() {
    let (fake, other) = (Fake::start(), Fake::start());
    let subject = Sha256Digest::of(b"subject");
    let elsewhere = format!("http://{}/v2/shop/referrers/next", other.address);
    for (link, part) in [
        (
            format!("<{elsewhere}?secret>; rel=\"next\""),
            format!("its next page is elsewhere: `{elsewhere}`"),
        ),
        (elsewhere.clone(), "`Link` is malformed".to_owned()),
        (
            "<http://[>; rel=next".to_owned(),
            "not the address of a page".to_owned(),
        ),
    ] {
        page(&fake, Some(link), list(&[]));
        let error = referrers(&fake, subject).unwrap_err();
        assert_eq!(error.code(), "registry-answer", "{error}");
        let text = error.to_string();
        assert!(text.contains(&part) && !text.contains("secret"), "{text}");
        assert!(text.contains(&subject.to_string()), "{text}");
    }
    assert!(other.requests().is_empty());
}

#[test]
fn all_pages_are_read_or_none() {
    let fake = Fake::start();
    let subject = Sha256Digest::of(b"subject");
    let written: Vec<_> = ["a", "b"].map(|it| referrer(subject, it)).into();
    for bytes in &written {
        let repository = open(&fake, &options());
        repository.put_manifest(None, MANIFEST, bytes).unwrap();
    }
    let entries: Vec<_> = written.iter().map(|it| entry(it)).collect();
    let first = || {
        let link = "</v2/shop/referrers/2?a,b>; rel=\"next\"".to_owned();
        page(&fake, Some(link), list(&[&entries[0]]));
    };
    first();
    page(&fake, None, list(&[&entries[1]]));
    assert_eq!(referrers(&fake, subject).unwrap(), entries);
    assert!(fake.requests().contains(&"GET referrers/2?a,b".to_owned()));
    // The second page is a page of a web site, or is gone.
    first();
    let html = vec![("Content-Type", "text/html".to_owned())];
    fake.once("GET", "referrers", Fault::Status(200, html, String::new()));
    let error = referrers(&fake, subject).unwrap_err();
    assert_eq!(error.code(), "registry-answer");
    assert!(error.to_string().contains("text/html"), "{error}");
    first();
    let error = referrers(&fake, subject).unwrap_err();
    assert!(error.is_absence(), "{error}");
}

#[test]
fn an_entry_that_cannot_be_fetched_is_an_error() {
    let subject = Sha256Digest::of(b"subject");
    let ours = entry(&referrer(subject, "ours"));
    let mut long = ours.clone();
    long.size = (4 << 20) + 1;
    let mut other = ours.clone();
    other.digest = format!("sha512:{}", "0".repeat(128));
    let mut elsewhere = ours.clone();
    elsewhere.urls.push("https://elsewhere.example/".to_owned());
    let text = |list: Vec<u8>| String::from_utf8(list).unwrap();
    for (bytes, code) in [
        (text(list(&[&long, &ours])), "registry-too-long"),
        (text(list(&[&other])), "registry-descriptor"),
        (text(list(&[&elsewhere])), "registry-other-place"),
        (
            text(list(&[&ours])).replace("\"size\":", "\"size\":-"),
            "registry-answer",
        ),
        (text(list(&[])).replace("[]", "[1]"), "registry-answer"),
        (text(list(&[])).replace("[]", "{}"), "registry-answer"),
        ("not JSON".to_owned(), "registry-answer"),
    ] {
        let fake = Fake::start();
        let repository = open(&fake, &options());
        repository
            .put_manifest(None, MANIFEST, &referrer(subject, "ours"))
            .unwrap();
        page(&fake, None, bytes.clone().into_bytes());
        let error = repository.referrers(subject).unwrap_err();
        assert_eq!(error.code(), code, "{bytes}: {error}");
        // Under the fallback tag.
        let tag = format!("sha256-{subject}");
        fake.put_manifest(&tag, INDEX, bytes.as_bytes());
        let error = repository.referrers(subject).unwrap_err();
        assert_eq!(error.code(), code, "{bytes}: {error}");
    }
}

/// A list that no tool can read keeps no one from adding to it.
#[test]
fn a_fallback_tag_that_is_no_list_is_replaced() {
    let fake = Fake::start();
    let repository = open(&fake, &options());
    let subject = Sha256Digest::of(b"subject");
    let bytes = referrer(subject, "a");
    repository.put_manifest(None, MANIFEST, &bytes).unwrap();
    fake.put_manifest(&format!("sha256-{subject}"), INDEX, b"not JSON");
    let ours = entry(&bytes);
    repository.note_referrer(subject, &ours).unwrap();
    assert_eq!(repository.referrers(subject).unwrap(), [ours]);
}
