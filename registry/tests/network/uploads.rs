//! Blobs that are sent: looked for, taken over, in one request or in chunks that go on.

use std::fs;

use edgec_registry::{BlobSource, RegistryError, Sent};

use crate::fake::{Fake, Fault};
use crate::{content, descriptor, impatient, open, options};

const CHUNK: usize = 8 << 20;

fn send(fake: &Fake, bytes: &[u8]) -> Result<Sent, RegistryError> {
    open(fake, &options()).put_blob(&descriptor(bytes), &BlobSource::Bytes(bytes))
}

/// The requests without digests and names of uploads.
fn steps(fake: &Fake) -> Vec<String> {
    let requests = fake.requests();
    let short = |it: &String| it.split(['?', ':']).next().unwrap_or_default().to_owned();
    requests
        .iter()
        .map(short)
        .map(|it| it.trim_end_matches(char::is_numeric).to_owned())
        .collect()
}

#[test]
fn a_blob_is_sent_once() {
    let fake = Fake::start();
    let bytes = content(1000);
    assert_eq!(send(&fake, &bytes).unwrap(), Sent::Uploaded(1000));
    assert_eq!(fake.blob(&bytes), Some(bytes.clone()));
    let first = [
        "HEAD blobs/sha",
        "POST blobs/uploads/",
        "PUT blobs/uploads/",
    ];
    assert_eq!(steps(&fake), first);
    assert_eq!(send(&fake, &bytes).unwrap(), Sent::Existed);
    assert_eq!(fake.requests().len(), 4);
    assert_eq!(send(&fake, b"").unwrap(), Sent::Uploaded(0));
}

#[test]
fn a_blob_of_another_repository_is_taken_over() {
    let bytes = content(1000);
    let take = |fake: &Fake, from: &str| {
        let taken = open(fake, &options()).mount_blob(&descriptor(&bytes), from);
        taken.unwrap()
    };
    let fake = Fake::start();
    fake.has_mounts();
    assert!(take(&fake, "base"));
    assert!(fake.requests()[0].ends_with("&from=base"));
    assert_eq!(fake.requests().len(), 1);
    // A registry that does not do that, or does not allow it, gets the bytes.
    let fake = Fake::start();
    assert!(!take(&fake, "base"));
    fake.once("POST", "mount", Fault::Status(403, vec![], String::new()));
    assert!(!take(&fake, "base"));
    assert_eq!(send(&fake, &bytes).unwrap(), Sent::Uploaded(1000));
    // The registry is not asked for the same repository, nor for an invalid one.
    let asked = fake.requests().len();
    assert!(!take(&fake, "shop") && !take(&fake, "Not/One"));
    assert_eq!(fake.requests().len(), asked);
}

#[test]
fn a_small_blob_is_sent_again() {
    for fault in [
        Fault::Status(500, vec![], String::new()),
        Fault::TakeOnly(500),
        Fault::Forget,
    ] {
        let fake = Fake::start();
        let bytes = content(1000);
        fake.once("PUT", "uploads", fault);
        assert_eq!(send(&fake, &bytes).unwrap(), Sent::Uploaded(1000));
        assert_eq!(fake.blob(&bytes), Some(bytes));
    }
}

#[test]
fn a_blob_that_arrived_without_an_answer_is_not_sent_again() {
    let fake = Fake::start();
    let bytes = content(1000);
    fake.once("PUT", "uploads", Fault::NoAnswer);
    assert_eq!(send(&fake, &bytes).unwrap(), Sent::Uploaded(1000));
    assert_eq!(steps(&fake).last().unwrap(), "HEAD blobs/sha");
    assert_eq!(fake.requests().len(), 4);
}

#[test]
fn a_long_blob_is_sent_in_chunks() {
    let fake = Fake::start();
    let bytes = content(CHUNK * 2 + 5);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("blob");
    fs::write(&path, &bytes).unwrap();
    let source = BlobSource::File(path);
    let sent = open(&fake, &options())
        .put_blob(&descriptor(&bytes), &source)
        .unwrap();
    assert_eq!(sent, Sent::Uploaded(bytes.len() as u64));
    assert_eq!(fake.blob(&bytes).unwrap(), bytes);
    let patches = fake.seen().into_iter().filter(|it| it.method == "PATCH");
    let lengths: Vec<usize> = patches.map(|it| it.body.len()).collect();
    assert_eq!(lengths, [CHUNK, CHUNK, 5]);
}

#[test]
fn an_upload_goes_on_where_it_ended() {
    let fake = Fake::start();
    let bytes = content(CHUNK + 1000);
    fake.once("PATCH", "uploads", Fault::TakeOnly(5_000_000));
    let sent = send(&fake, &bytes).unwrap();
    assert_eq!(sent, Sent::Uploaded(bytes.len() as u64));
    assert_eq!(fake.blob(&bytes).unwrap(), bytes);
    let patches = fake.seen().into_iter().filter(|it| it.method == "PATCH");
    let lengths: Vec<usize> = patches.map(|it| it.body.len()).collect();
    assert_eq!(lengths, [5_000_000, CHUNK + 1000 - 5_000_000]);
}

#[test]
fn an_upload_that_was_forgotten_starts_again() {
    let fake = Fake::start();
    let bytes = content(CHUNK + 1000);
    fake.once("PATCH", "uploads", Fault::Forget);
    send(&fake, &bytes).unwrap();
    assert_eq!(fake.blob(&bytes).unwrap(), bytes);
    let starts = steps(&fake)
        .iter()
        .filter(|it| it.starts_with("POST"))
        .count();
    assert_eq!(starts, 2);
}

#[test]
fn a_registry_without_chunks_gets_it_in_one_request() {
    let fake = Fake::start();
    let bytes = content(CHUNK + 1000);
    fake.once(
        "PATCH",
        "uploads",
        Fault::Status(405, vec![], String::new()),
    );
    send(&fake, &bytes).unwrap();
    assert_eq!(fake.blob(&bytes).unwrap(), bytes);
    assert_eq!(steps(&fake).last().unwrap(), "PUT blobs/uploads/");
}

#[test]
fn an_upload_that_never_ends_well_is_given_up() {
    let fake = Fake::start();
    fake.times(9, "PUT", "uploads", Fault::TakeOnly(0));
    let error = send(&fake, &content(1000)).unwrap_err();
    assert!(error.is_temporary(), "{error}");
    let fake = Fake::start();
    fake.times(9, "PUT", "uploads", Fault::Silence);
    let bytes = content(1000);
    let sent = open(&fake, &impatient()).put_blob(&descriptor(&bytes), &BlobSource::Bytes(&bytes));
    let error = sent.unwrap_err();
    assert!(error.to_string().contains("nothing moved"), "{error}");
}

#[test]
fn senseless_answers_are_named() {
    let bytes = content(CHUNK + 1000);
    let fake = Fake::start();
    fake.once("POST", "uploads", Fault::Status(202, vec![], String::new()));
    let error = send(&fake, &bytes).unwrap_err();
    assert!(error.to_string().contains("no valid `Location`"), "{error}");
    let headers = vec![("Range", "0-99999999999".to_owned())];
    fake.once(
        "PATCH",
        "uploads",
        Fault::Status(202, headers, String::new()),
    );
    let error = send(&fake, &bytes).unwrap_err();
    assert_eq!(error.code(), "registry-answer");
    fake.put_blob(&bytes);
    fake.once("HEAD", "blobs", Fault::Length(5));
    let error = send(&fake, &bytes).unwrap_err();
    assert_eq!(error.code(), "registry-size");
}

#[test]
fn a_source_that_is_not_its_descriptor_is_not_sent() {
    let fake = Fake::start();
    let whole = descriptor(b"content");
    let put = |source: &BlobSource<'_>| {
        open(&fake, &options())
            .put_blob(&whole, source)
            .unwrap_err()
            .code()
    };
    assert_eq!(put(&BlobSource::Bytes(b"cOntent")), "registry-digest");
    assert_eq!(put(&BlobSource::Bytes(b"content!")), "registry-size");
    assert_eq!(put(&BlobSource::File("/nowhere/blob".into())), "io");
    assert!(fake.requests().iter().all(|it| it.starts_with("HEAD")));
}
