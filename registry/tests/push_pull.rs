//! From a push to a host that has admitted what it needs, by way of a folder.
#![allow(missing_docs, reason = "a test")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first error"
)]
#![allow(clippy::indexing_slicing, reason = "a test")]

#[allow(dead_code, reason = "shared by several test programs")]
#[path = "../../store/tests/support/publisher.rs"]
mod publisher;
#[allow(dead_code, reason = "shared by several test programs")]
#[path = "support/shop.rs"]
mod shop;

use edgec_registry::{Demands, Layout, Unseen, Way};
use edgec_store::{Change, Standing, UnixTime};
use publisher::{Host, Keys, PLAIN, START, STRICT, edition, policy, stamp};
use shop::{BOTH, Shop, refused};

/// A component without imports, exports and content.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

#[test]
fn a_host_takes_the_artifact_that_fits_it_best() {
    let (keys, shop, host) = (Keys::new(), Shop::new(), Host::new());
    let policy = policy(&keys, STRICT, "");
    let first = edition(&keys, 1, 1, 0);
    let mut push = shop.push_of("v1", &first);
    push.timestamp = Some(stamp(&keys.timestamp, &first, START));
    let pushed = shop.push(&push).unwrap();
    assert_eq!((pushed.version, pushed.serial), (1, Some(1)));
    assert_eq!(pushed.natives.len(), 2);

    let admitted = shop.pull("v1", &host, &policy).unwrap();
    assert_eq!(admitted.admissions.len(), 1);
    assert_eq!(admitted.admissions[0].change, Change::Added);
    assert_eq!(admitted.admissions[0].standing, Standing::Current);
    assert_eq!(admitted.fetched[0].way, Way::Whole);
    assert!(admitted.fetched[0].bytes < admitted.fetched[0].length);
    assert_eq!(admitted.release.unwrap().release.release.serial, 1);
    assert_eq!(host.load(&policy).unwrap().len(), 1);

    // Again: the image is there, and only small files are fetched.
    let again = shop.pull("v1", &host, &policy).unwrap();
    assert_eq!(again.admissions[0].change, Change::Unchanged);
    assert_eq!(
        (again.fetched[0].way, again.fetched[0].bytes),
        (Way::Kept, 0)
    );
}

#[test]
fn the_same_push_gives_the_same_digests_and_sends_nothing_twice() {
    let (keys, one, other) = (Keys::new(), Shop::new(), Shop::new());
    let first = edition(&keys, 1, 1, 0);
    let pushed = one.push(&one.push_of("v1", &first)).unwrap();
    let again = one.push(&one.push_of("v2", &first)).unwrap();
    assert_eq!(pushed.digest, again.digest);
    assert!(again.natives.iter().all(|it| it.was_there));
    assert!(pushed.natives.iter().all(|it| !it.was_there));
    let mut reordered = other.push_of("v1", &first);
    reordered.artifacts.reverse();
    reordered.concurrency = 1;
    assert_eq!(other.push(&reordered).unwrap().digest, pushed.digest);
}

/// Without the artifacts for the targets of the current version, the new one would not become
/// current.
#[test]
fn a_store_of_several_hosts_gets_the_artifacts_of_all() {
    let (keys, shop, host) = (Keys::new(), Shop::new(), Host::new());
    let policy = policy(&keys, PLAIN, "");
    let expected = publisher::expected();
    for version in 1..=2 {
        let edition = edition(&keys, version, version, 0);
        shop.push(&shop.push_of(&format!("v{version}"), &edition))
            .unwrap();
        if version == 1 {
            let with_release = expected.clone().with_release(edition.release.clone());
            for artifact in &edition.artifacts {
                host.add(&artifact.file, &with_release, &policy).unwrap();
            }
        }
    }
    let admitted = shop.pull("v2", &host, &policy).unwrap();
    assert_eq!(admitted.admissions.len(), 2);
    let last = admitted.admissions.last().unwrap();
    assert_eq!(last.standing, Standing::Current);
}

#[test]
fn an_offer_that_has_not_changed_is_not_opened() {
    let (keys, shop) = (Keys::new(), Shop::new());
    shop.push(&shop.push_of("v1", &edition(&keys, 1, 1, 0)))
        .unwrap();
    let reference = shop.reference("v1");
    let offer = shop.open("v1").unwrap();
    let known = Some(offer.digest());
    let unchanged = shop.session.open_if_changed(&reference, known).unwrap();
    assert!(unchanged.is_none());
    shop.push(&shop.push_of("v1", &edition(&keys, 2, 2, 0)))
        .unwrap();
    let changed = shop.session.open_if_changed(&reference, known).unwrap();
    assert_ne!(Some(changed.unwrap().digest()), known);
}

#[test]
fn the_split_layout_is_found_by_tag_and_by_digest() {
    let (keys, shop, host) = (Keys::new(), Shop::new(), Host::new());
    let policy = policy(&keys, PLAIN, "");
    let edition = publisher::edition_from(&keys, COMPONENT);
    let mut push = shop.push_of("v1", &edition);
    push.component = Some(COMPONENT.to_vec());
    push.layout = Layout::Split;
    let pushed = shop.push(&push).unwrap();
    assert_eq!(pushed.tag, "v1.edgec");
    assert_eq!(
        shop.under("v1")["config"]["mediaType"],
        "application/vnd.wasm.config.v0+json"
    );
    let offer = shop.open("v1").unwrap();
    assert_eq!(offer.digest(), pushed.digest);
    let mut component = Vec::new();
    assert!(offer.fetch_component(&[], &mut component, &Unseen).unwrap());
    assert_eq!(component, COMPONENT);
    shop.pull("v1", &host, &policy).unwrap();
    // By the digest of the portable program: its index refers to it.
    let by_digest = shop.reference("v1").with_digest(pushed.portable.unwrap());
    assert_eq!(
        shop.session.open(&by_digest).unwrap().digest(),
        pushed.digest
    );
    let known = shop
        .session
        .open_if_changed(&shop.reference("v1"), Some(pushed.digest));
    assert!(known.unwrap().is_none());
}

#[test]
fn the_index_lists_the_portable_program_for_the_platforms_that_tools_ask_for() {
    let (keys, shop) = (Keys::new(), Shop::new());
    let edition = publisher::edition_from(&keys, COMPONENT);
    let mut push = shop.push_of("v1", &edition);
    push.component = Some(COMPONENT.to_vec());
    shop.push(&push).unwrap();
    let index = shop.under("v1");
    let entries = index["manifests"].as_array().unwrap();
    let platform = |at: usize| {
        let platform = &entries[at]["platform"];
        let text = |field: &str| platform[field].as_str().unwrap().to_owned();
        (text("os"), text("architecture"))
    };
    let pair = |os: &str, arch: &str| (os.to_owned(), arch.to_owned());
    assert_eq!(platform(0), pair("linux", "amd64"));
    assert_eq!(platform(1), pair("linux", "arm64"));
    assert_eq!(platform(2), pair("wasip2", "wasm"));
    assert_eq!(platform(3), pair("edgec", "amd64"));
    assert_eq!(entries[0]["digest"], entries[2]["digest"]);
    let config = shop.blob(entries[0]["digest"].as_str().unwrap());
    let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(config["layers"].as_array().unwrap().len(), 1);
    let config = shop.blob(config["config"]["digest"].as_str().unwrap());
    let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(config["created"], "1970-01-01T00:00:00Z");
    assert_eq!(config["component"]["imports"], serde_json::json!([]));
}

#[test]
fn a_copy_has_the_same_digests_and_everything_around() {
    let (keys, shop, host) = (Keys::new(), Shop::new(), Host::new());
    let policy = policy(&keys, PLAIN, "");
    let edition = publisher::edition_from(&keys, COMPONENT);
    let mut push = shop.push_of("v1", &edition);
    push.component = Some(COMPONENT.to_vec());
    push.layout = Layout::Split;
    let pushed = shop.push(&push).unwrap();
    let copy = Shop::new();
    let from = shop.reference("v1");
    let copied = copy
        .session
        .copy(&from, &copy.reference("w1"), &Unseen)
        .unwrap();
    assert_eq!(Some(copied.digest), pushed.portable);
    assert_eq!(copy.open("w1").unwrap().digest(), pushed.digest);
    // A signature of each of the two signers on each artifact.
    assert_eq!(copied.referrers, 4);
    copy.pull_as("w1", &host, BOTH, &policy, &publisher::expected())
        .unwrap();
    let again = copy
        .session
        .copy(&from, &copy.reference("w2"), &Unseen)
        .unwrap();
    assert_eq!((again.uploaded, again.digest), (0, copied.digest));
}

#[test]
fn a_folder_gets_the_files_that_were_pushed() {
    let (keys, shop) = (Keys::new(), Shop::new());
    let first = edition(&keys, 1, 1, 0);
    let mut push = shop.push_of("v1", &first);
    for artifact in &mut push.artifacts {
        artifact.debug = Some(b"names ".repeat(1000));
    }
    shop.push(&push).unwrap();
    let offer = shop.open("v1").unwrap();
    let statements = offer.release().unwrap().unwrap();
    assert_eq!(
        (statements.release, statements.timestamp),
        (first.release, None)
    );
    assert!(
        !offer
            .fetch_component(&[], &mut Vec::new(), &Unseen)
            .unwrap()
    );
    for native in offer.natives() {
        let taken = offer.take(native, None).unwrap();
        let file = shop::fetched(&taken).unwrap();
        assert!(first.artifacts.iter().any(|it| it.file == file));
        let debug = shop::fetched_beside(&taken, 0).unwrap();
        assert_eq!(debug, b"names ".repeat(1000));
    }
}

#[test]
fn a_folder_gets_no_artifact_that_the_policy_refuses() {
    let (keys, shop) = (Keys::new(), Shop::new());
    let [signer, _] = &keys.signers;
    let made = |target| publisher::artifact(&[signer], target, 1, 1);
    let edition = publisher::edition_of(&keys, 1, 1, 0, [0, 1].map(made));
    shop.push(&shop.push_of("v1", &edition)).unwrap();
    let offer = shop.open("v1").unwrap();
    let native = &offer.natives()[0];
    let (expected, now) = (publisher::expected(), UnixTime::from_seconds(START));
    let one = policy(&keys, PLAIN, "");
    let demands = Demands::new(&one, &expected, now);
    let taken = offer.take(native, Some(&demands)).unwrap();
    let file = shop::fetched(&taken).unwrap();
    assert!(edition.artifacts.iter().any(|it| it.file == file));
    let two = policy(&keys, &PLAIN.replace("threshold = 1", "threshold = 2"), "");
    let demands = Demands::new(&two, &expected, now);
    let before = shop.session.traffic();
    let error = refused(offer.take(native, Some(&demands)));
    assert_eq!(error.code(), "threshold", "{error}");
    let fetched = shop.session.traffic().since(before).fetched;
    assert!(fetched < 40_000, "{fetched} bytes: the image was fetched");
}

#[test]
fn pushing_again_under_the_same_tag_changes_nothing() {
    let (keys, shop) = (Keys::new(), Shop::new());
    let mut digest = None;
    for version in [1, 2] {
        let edition = edition(&keys, version, version, 0);
        digest = Some(shop.push(&shop.push_of("v", &edition)).unwrap().digest);
        let again = shop.push(&shop.push_of("v", &edition)).unwrap();
        assert_eq!(Some(again.digest), digest);
    }
    assert!(digest.is_some());
}

/// A mirror that says that another image is the same does not keep a publisher from repairing it.
#[test]
fn an_image_that_only_claims_to_be_the_same_is_replaced() {
    let (keys, shop, host) = (Keys::new(), Shop::new(), Host::new());
    let policy = policy(&keys, PLAIN, "");
    let first = edition(&keys, 1, 1, 0);
    let pushed = shop.push(&shop.push_of("v1", &first)).unwrap();
    let other = zstd::stream::encode_all(&b"another image"[..], 1).unwrap();
    let (digest, size) = shop.put(&other);
    for at in [0, 1] {
        shop.change_entry("v1", at, |manifest| {
            manifest["layers"][0]["digest"] = digest.clone().into();
            manifest["layers"][0]["size"] = size.into();
        });
    }
    assert!(shop.pull("v1", &host, &policy).is_err());
    let repaired = shop.push(&shop.push_of("v1", &first)).unwrap();
    assert_eq!(repaired.digest, pushed.digest);
    shop.pull("v1", &host, &policy).unwrap();
}
