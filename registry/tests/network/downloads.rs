//! Blobs that come as they should, late, in parts, or not as they should.

use edgec_registry::RegistryError;

use crate::fake::{Fake, Fault};
use crate::{content, descriptor, fetch, impatient, open, options};

fn error(fault: Fault, times: usize) -> RegistryError {
    let fake = Fake::start();
    let bytes = content(100_000);
    fake.put_blob(&bytes);
    fake.times(times, "GET", "blobs", fault);
    fetch(&fake, &bytes).unwrap_err()
}

#[test]
fn a_blob_comes_after_failures_that_pass() {
    let after = |seconds: &str| vec![("Retry-After", seconds.to_owned())];
    for fault in [
        Fault::Status(500, vec![], String::new()),
        Fault::Status(503, after("1"), String::new()),
        Fault::Status(429, after("0"), String::new()),
        Fault::NoAnswer,
        Fault::CutAfter(0),
        Fault::CutAfter(70_000),
    ] {
        let fake = Fake::start();
        let bytes = content(100_000);
        fake.put_blob(&bytes);
        fake.once("GET", "blobs", fault.clone());
        assert_eq!(fetch(&fake, &bytes).unwrap(), bytes, "{fault:?}");
        assert_eq!(fake.requests().len(), 2, "{fault:?}");
    }
}

#[test]
fn a_transfer_goes_on_where_it_ended() {
    let fake = Fake::start();
    let bytes = content(1_000_000);
    fake.put_blob(&bytes);
    // More often than there are attempts: each of them comes far enough.
    fake.times(3, "GET", "blobs", Fault::CutAfter(300_000));
    assert_eq!(fetch(&fake, &bytes).unwrap(), bytes);
    let ranges: Vec<_> = fake
        .seen()
        .into_iter()
        .map(|it| it.headers.get("range").cloned())
        .collect();
    let range = |start: u32| Some(format!("bytes={start}-"));
    assert_eq!(
        ranges,
        [None, range(300_000), range(600_000), range(900_000)]
    );
}

#[test]
fn a_registry_without_parts_sends_all_again() {
    let fake = Fake::start();
    let bytes = content(100_000);
    fake.put_blob(&bytes);
    fake.once("GET", "blobs", Fault::CutAfter(60_000));
    fake.once("GET", "blobs", Fault::IgnoreRange);
    assert_eq!(fetch(&fake, &bytes).unwrap(), bytes);
}

#[test]
fn a_transfer_that_never_ends_well_is_given_up() {
    let error = error(Fault::CutAfter(10), 99);
    let RegistryError::CutShort {
        received,
        expected,
        attempts,
        ..
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!((*received, *expected, *attempts), (30, 100_000, 3));
    assert!(error.is_temporary());
}

#[test]
fn other_bytes_are_refused() {
    let error = error(Fault::Flip(99_999), 1);
    assert_eq!(error.code(), "registry-digest");
    assert!(!error.is_temporary());
}

#[test]
fn other_lengths_are_refused() {
    for fault in [Fault::Endless, Fault::Length(100_001), Fault::Length(5)] {
        let error = error(fault, 1);
        assert_eq!(error.code(), "registry-size", "{error}");
    }
}

#[test]
fn never_more_than_the_size_is_written() {
    let fake = Fake::start();
    let bytes = content(1000);
    fake.put_blob(&bytes);
    fake.once("GET", "blobs", Fault::Endless);
    let mut short = descriptor(&bytes);
    short.size = 500;
    let mut into = Vec::new();
    let error = open(&fake, &options()).blob(&short, &mut into).unwrap_err();
    assert!(
        matches!(error, RegistryError::Size { expected: 500, .. }),
        "{error}"
    );
    assert!(into.len() <= 500);
}

#[test]
fn a_part_that_was_not_asked_for_is_refused() {
    let fake = Fake::start();
    let bytes = content(100_000);
    fake.put_blob(&bytes);
    fake.once("GET", "blobs", Fault::CutAfter(10));
    fake.once("GET", "blobs", Fault::OtherRange);
    let error = fetch(&fake, &bytes).unwrap_err();
    assert_eq!(error.code(), "registry-answer");
}

#[test]
fn a_registry_that_stands_still_is_given_up() {
    for fault in [Fault::Silence, Fault::Drip] {
        let fake = Fake::start();
        let bytes = content(100_000);
        fake.put_blob(&bytes);
        fake.times(3, "GET", "blobs", fault);
        let got = open(&fake, &impatient()).blob(&descriptor(&bytes), &mut Vec::new());
        let error = got.unwrap_err();
        assert!(error.to_string().contains("nothing moved"), "{error}");
        assert!(error.is_temporary());
    }
}

#[test]
fn a_registry_that_keeps_failing_is_named() {
    let body = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow\u001b[31m down"}]}"#;
    let headers = vec![("Retry-After", "3600".to_owned())];
    let failing = error(Fault::Status(429, headers, body.to_owned()), 1);
    let RegistryError::Unavailable {
        status: 429,
        attempts: 1,
        ..
    } = &failing
    else {
        panic!("{failing}");
    };
    let text = failing.to_string();
    assert!(
        text.contains("slow[31m down") && text.contains("wait 3600 seconds"),
        "{text}"
    );
    let failing = error(Fault::Status(502, vec![], "<html>".to_owned()), 9);
    let RegistryError::Unavailable {
        status: 502,
        attempts: 3,
        message,
        ..
    } = &failing
    else {
        panic!("{failing}");
    };
    assert_eq!(message, "");
}

#[test]
fn what_the_registry_does_not_have_is_named() {
    let fake = Fake::start();
    let error = fetch(&fake, b"content").unwrap_err();
    assert!(error.is_absence());
    assert!(error.to_string().contains("has no blob sha256:"), "{error}");
    assert!(
        !open(&fake, &options())
            .has_blob(&descriptor(b"content"))
            .unwrap()
    );
}

#[test]
fn an_empty_blob_needs_no_request() {
    let fake = Fake::start();
    assert_eq!(fetch(&fake, b"").unwrap(), b"");
    assert!(fake.requests().is_empty());
    let mut wrong = descriptor(b"content");
    wrong.size = 0;
    let error = open(&fake, &options())
        .blob(&wrong, &mut Vec::new())
        .unwrap_err();
    assert_eq!(error.code(), "registry-digest");
}

#[test]
fn content_of_other_places_is_refused() {
    let fake = Fake::start();
    let mut elsewhere = descriptor(b"content");
    elsewhere
        .urls
        .push("https://elsewhere.example/blob".to_owned());
    let error = open(&fake, &options())
        .blob(&elsewhere, &mut Vec::new())
        .unwrap_err();
    assert_eq!(error.code(), "registry-other-place");
    assert!(fake.requests().is_empty());
}
