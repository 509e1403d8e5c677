//! What is not pushed, pulled or copied, and why. Every error has a case.
//!
//! More than 400 lines: one list of refusals, each a short test.
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

use edgec_packager::{UnsignedArtifact, UnsignedCompanion};
use edgec_registry::{Attached, CopyError, Layout, PullError, Push, PushError, Reference, Unseen};
use edgec_store::verifier::artifact::RebuildStatement;
use edgec_verifier::Sha256Digest;
use publisher::{Edition, Host, Keys, PLAIN, START, STRICT, edition, policy, stamp};
use serde_json::{Value, json};
use shop::{BOTH, Shop, refused};

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// Why a push of version 1 with this change is refused.
fn push_error(change: impl FnOnce(&mut Push, &Keys, &Edition)) -> PushError {
    let (keys, shop) = (Keys::new(), Shop::new());
    let first = edition(&keys, 1, 1, 0);
    let mut push = shop.push_of("v1", &first);
    change(&mut push, &keys, &first);
    let error = shop.push(&push).unwrap_err();
    assert!(shop.open("v1").is_err(), "the tag has moved");
    error
}

#[test]
fn artifacts_that_do_not_belong_together_are_not_pushed() {
    let error = push_error(|push, _, _| push.artifacts.clear());
    assert!(matches!(error, PushError::NoArtifact), "{error}");
    let error = push_error(|push, _, _| {
        let other = push.artifacts[0].clone();
        push.artifacts.push(other);
    });
    assert!(matches!(error, PushError::SameTarget { .. }), "{error}");
    let error = push_error(|push, keys, _| {
        push.artifacts[1].bytes = edition(keys, 2, 2, 0).artifacts[1].file.clone();
    });
    let what = matches!(
        error,
        PushError::OtherApplication {
            what: "version",
            ..
        }
    );
    assert!(what, "{error}");
    let error = push_error(|push, _, _| push.artifacts[0].bytes[100] ^= 1);
    assert_eq!(
        (error.code(), error.file()),
        ("image-digest", Some("0.cwasm"))
    );
    let error = push_error(|push, _, _| {
        let (unsigned, _) = UnsignedArtifact::reopen(&push.artifacts[0].bytes).unwrap();
        push.artifacts[0].bytes = unsigned.leave_unsigned().unwrap();
    });
    assert!(matches!(error, PushError::Unsigned { .. }), "{error}");
}

#[test]
fn a_reference_to_push_to_has_a_tag_and_no_digest() {
    let error = push_error(|push, _, _| {
        push.reference = push.reference.with_digest(Sha256Digest([1; 32]));
    });
    assert!(matches!(error, PushError::DigestGiven), "{error}");
    let error = push_error(|push, _, _| {
        // The folder would be below a file.
        push.reference = "oci-layout:/proc/self/exe/x:v1"
            .parse::<Reference>()
            .unwrap();
    });
    assert!(matches!(error, PushError::Registry(_)), "{error}");
}

#[test]
fn the_portable_program_is_the_one_that_was_compiled() {
    let error = push_error(|push, _, _| push.component = Some(b"(module)".to_vec()));
    assert!(matches!(error, PushError::NotWasm { .. }), "{error}");
    let error = push_error(|push, _, _| push.component = Some(COMPONENT.to_vec()));
    assert!(matches!(error, PushError::OtherProgram { .. }), "{error}");
    let error = push_error(|push, _, _| push.layout = Layout::Split);
    assert!(matches!(error, PushError::NoComponent), "{error}");
}

#[test]
fn a_release_lists_exactly_what_is_pushed() {
    let error = push_error(|push, _, _| push.release = Some(b"{}".to_vec()));
    assert_eq!(error.code(), "release-statement");
    let error = push_error(|push, _, _| push.timestamp = Some(b"{}".to_vec()));
    assert_eq!(error.code(), "timestamp-statement");
    let error = push_error(|push, keys, _| push.release = Some(edition(keys, 1, 2, 0).release));
    assert!(matches!(error, PushError::Unlisted { .. }), "{error}");
    let error = push_error(|push, _, _| {
        push.artifacts.pop();
    });
    assert!(matches!(error, PushError::Incomplete { .. }), "{error}");
    let error = push_error(|push, keys, _| {
        push.timestamp = Some(stamp(&keys.timestamp, &edition(keys, 1, 2, 0), START));
    });
    assert!(matches!(error, PushError::OtherRelease { .. }), "{error}");
    let error = push_error(|push, keys, first| {
        push.timestamp = Some(stamp(&keys.timestamp, first, START));
        push.release = None;
    });
    assert!(matches!(error, PushError::TimestampAlone), "{error}");
}

#[test]
fn a_file_beside_artifacts_is_about_one_of_them() {
    let error = push_error(|push, keys, first| {
        let (unsigned, _) = UnsignedArtifact::reopen(&first.artifacts[0].file).unwrap();
        let manifest = unsigned.manifest().unwrap();
        let statement = RebuildStatement::of(&manifest, b"another payload", "0.1.0");
        let signed = UnsignedCompanion::rebuild(&statement).sign(&keys.notary);
        let attached = Attached::rebuild(signed.unwrap().into_bytes()).unwrap();
        push.attached.push(("notary.json".to_owned(), attached));
    });
    assert!(matches!(error, PushError::AboutNothing { .. }), "{error}");
    let error = push_error(|push, _, _| {
        for at in 0..17 {
            let sbom = Attached::sbom(
                json!({"bomFormat": "CycloneDX", "at": at})
                    .to_string()
                    .into(),
            );
            push.attached.push((format!("{at}.json"), sbom.unwrap()));
        }
    });
    assert!(matches!(error, PushError::TooMuch { .. }), "{error}");
    for wrong in [
        Attached::provenance(b"{}".to_vec()),
        Attached::log_proof(b"{}".to_vec()),
        Attached::rebuild(b"{}".to_vec()),
        Attached::sbom(b"{}".to_vec()),
        Attached::sbom(b"[]".to_vec()),
    ] {
        assert!(wrong.is_err());
    }
    for sbom in [
        r#"{"bomFormat":"CycloneDX"}"#,
        r#"{"spdxVersion":"SPDX-2.3"}"#,
    ] {
        assert!(Attached::sbom(sbom.into()).is_ok());
    }
}

/// What a mirror has in place of release 1, and why a host refuses it.
fn mirror_error(change: impl FnOnce(&Shop, &Keys)) -> PullError {
    let (keys, shop, host) = (Keys::new(), Shop::new(), Host::new());
    let policy = policy(&keys, PLAIN, "");
    shop.push(&shop.push_of("v1", &edition(&keys, 1, 1, 0)))
        .unwrap();
    change(&shop, &keys);
    let error = refused(shop.pull("v1", &host, &policy));
    assert!(host.store.list().unwrap().artifacts.is_empty());
    error
}

#[test]
fn malformed_manifests_are_named() {
    for change in [
        |index: &mut Value| index["manifests"][0]["digest"] = json!("sha256:12"),
        |index: &mut Value| index["manifests"][0]["urls"] = json!(["https://evil.example/"]),
        |index: &mut Value| index["manifests"] = json!("none"),
        |index: &mut Value| {
            let entry = index["manifests"][0].clone();
            index["manifests"] = vec![entry; 1025].into();
        },
        |index: &mut Value| index["manifests"][0]["annotations"] = json!({}),
        |index: &mut Value| {
            for entry in index["manifests"].as_array_mut().unwrap() {
                entry["size"] = json!(entry["size"].as_u64().unwrap() + 1);
            }
        },
        |index: &mut Value| {
            let mut entry = index["manifests"][0].clone();
            entry["digest"] = index["manifests"][1]["digest"].clone();
            index["manifests"].as_array_mut().unwrap().push(entry);
        },
    ] {
        let error = mirror_error(|shop, _| shop.change("v1", change));
        assert_eq!(error.code(), "pull-manifest", "{error}");
    }
    for layers in [json!([]), json!("none")] {
        let error = mirror_error(|shop, _| {
            for at in [0, 1] {
                shop.change_entry("v1", at, |manifest| manifest["layers"] = layers.clone());
            }
        });
        assert!(matches!(error, PullError::Malformed { .. }), "{error}");
    }
    let error = mirror_error(|shop, _| {
        shop.change_entry("v1", 2, |manifest| manifest["layers"] = json!([]));
    });
    assert!(matches!(error, PullError::Malformed { .. }), "{error}");
}

#[test]
fn something_else_under_a_tag_is_named() {
    let error = mirror_error(|shop, _| {
        shop.replace("v1", &json!({"schemaVersion": 2, "manifests": []}));
    });
    assert!(matches!(error, PullError::NotEdgec { .. }), "{error}");
    let (keys, shop) = (Keys::new(), Shop::new());
    let error = refused(shop.open("v1"));
    assert_eq!(error.code(), "registry-absent");
    // The split layout without its index, and with that of another program.
    let edition = publisher::edition_from(&keys, COMPONENT);
    let mut push = shop.push_of("v1", &edition);
    push.component = Some(COMPONENT.to_vec());
    push.layout = Layout::Split;
    let pushed = shop.push(&push).unwrap();
    let other = format!("sha256:{}", Sha256Digest([1; 32]));
    shop.change("v1.edgec", |index| {
        index["subject"]["digest"] = json!(other);
    });
    let error = refused(shop.open("v1"));
    assert!(matches!(error, PullError::OtherSubject { .. }) && error.is_temporary());
    let alone = Shop::new();
    let from = shop.reference("v1").with_digest(pushed.portable.unwrap());
    // A copy of the program alone, as other tools make it.
    std::fs::create_dir_all(alone.path()).unwrap();
    let copied = alone.session.copy(&from, &alone.reference("v1"), &Unseen);
    assert!(copied.is_ok());
    assert!(matches!(
        refused(alone.open("v1")),
        PullError::NoNatives { .. }
    ));
}

#[test]
fn mixed_and_incomplete_releases_are_named() {
    let error = mirror_error(|shop, keys| {
        shop.push(&shop.push_of("v2", &edition(keys, 1, 2, 0)))
            .unwrap();
        let other = shop.under("v2")["manifests"].clone();
        shop.change("v1", |index| {
            index["manifests"][0] = other[0].clone();
            index["manifests"][1] = other[1].clone();
        });
    });
    let PullError::Mixed {
        serial: 1,
        image,
        listed,
        ..
    } = &error
    else {
        panic!("{error}");
    };
    assert_ne!(Some(*image), *listed);
    let error = mirror_error(|shop, _| {
        shop.change("v1", |index| {
            index["manifests"].as_array_mut().unwrap().remove(0);
        });
    });
    assert!(
        matches!(error, PullError::Incomplete { serial: 1, .. }),
        "{error}"
    );
    let error = mirror_error(|shop, _| {
        shop.change("v1", |index| {
            let entries = index["manifests"].as_array_mut().unwrap();
            let one = entries[0]["digest"].take();
            entries[0]["digest"] = entries[1]["digest"].take();
            entries[1]["digest"] = one;
            let one = entries[0]["size"].take();
            entries[0]["size"] = entries[1]["size"].take();
            entries[1]["size"] = one;
        });
    });
    assert!(matches!(error, PullError::Misplaced { .. }), "{error}");
}

/// Replaces the layer at a place of both native manifests.
fn with_layer(shop: &Shop, at: usize, bytes: &[u8]) {
    let (digest, size) = shop.put(bytes);
    for entry in [0, 1] {
        shop.change_entry("v1", entry, |manifest| {
            manifest["layers"][at]["digest"] = json!(digest);
            manifest["layers"][at]["size"] = json!(size);
        });
    }
}

#[test]
fn other_bytes_than_signed_are_named() {
    let compressed = |bytes: &[u8]| zstd::stream::encode_all(bytes, 1).unwrap();
    let error = mirror_error(|shop, keys| {
        let file = &edition(keys, 1, 1, 0).artifacts[0].file;
        let (unsigned, _) = UnsignedArtifact::reopen(file).unwrap();
        let mut image = unsigned.image().to_vec();
        image[5000] ^= 1;
        with_layer(shop, 0, &compressed(&image));
    });
    assert!(matches!(error, PullError::OtherBytes { .. }), "{error}");
    for bytes in [&b"short"[..], &[0; 1 << 21]] {
        let error = mirror_error(|shop, _| with_layer(shop, 0, &compressed(bytes)));
        assert!(matches!(error, PullError::Length { .. }), "{error}");
    }
    let error = mirror_error(|shop, _| with_layer(shop, 0, b"not compressed"));
    assert!(matches!(error, PullError::Compressed { .. }), "{error}");
    let error = mirror_error(|shop, _| with_layer(shop, 1, b"{}"));
    assert!(matches!(error, PullError::Envelope { .. }), "{error}");
    let error = mirror_error(|shop, _| with_layer(shop, 1, &vec![b' '; (1 << 22) + 1]));
    assert!(matches!(error, PullError::TooLong { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("takes at most"), "{text}");
    // The blob itself is not what its digest says.
    let error = mirror_error(|shop, _| {
        let index = shop.under("v1");
        for at in [0, 1] {
            let manifest = shop.blob(index["manifests"][at]["digest"].as_str().unwrap());
            let manifest: Value = serde_json::from_slice(&manifest).unwrap();
            let layer = manifest["layers"][0]["digest"].as_str().unwrap();
            let mut bytes = shop.blob(layer);
            bytes[50] ^= 1;
            shop.damage(layer, &bytes);
        }
    });
    assert_eq!(error.code(), "registry-digest", "{error}");
}

#[test]
fn what_the_policy_refuses_is_refused_before_the_image_is_fetched() {
    let (keys, strangers) = (Keys::new(), Keys::new());
    let (shop, host) = (Shop::new(), Host::new());
    let plain = policy(&keys, PLAIN, "");
    let strict = policy(&keys, STRICT, "");
    // Other signers, but the right release key.
    let [one, two] = &strangers.signers;
    let made = |target| publisher::artifact(&[one, two], target, 1, 1);
    let stranger = publisher::edition_of(&keys, 1, 1, 0, [0, 1].map(made));
    shop.push(&shop.push_of("v1", &stranger)).unwrap();
    let before = shop.session.traffic();
    let error = refused(shop.pull("v1", &host, &plain));
    assert!(matches!(&error, PullError::Verify { .. }), "{error}");
    assert_eq!(error.code(), "threshold");
    let fetched = shop.session.traffic().since(before).fetched;
    assert!(fetched < 40_000, "{fetched} bytes: the image was fetched");
    // A release by another key, and a timestamp that is missing.
    shop.push(&shop.push_of("v2", &edition(&strangers, 2, 2, 0)))
        .unwrap();
    let error = refused(shop.pull("v2", &host, &plain));
    assert!(matches!(error, PullError::Release(_)), "{error}");
    shop.push(&shop.push_of("v3", &edition(&keys, 3, 3, 0)))
        .unwrap();
    let error = refused(shop.pull("v3", &host, &strict));
    assert_eq!(error.code(), "no-timestamp");
    assert!(host.store.list().unwrap().artifacts.is_empty());
}

#[test]
fn an_older_release_is_refused_and_a_stale_timestamp_does_not_matter_where_none_is_demanded() {
    let (keys, shop, host) = (Keys::new(), Shop::new(), Host::new());
    let (plain, strict) = (policy(&keys, PLAIN, ""), policy(&keys, STRICT, ""));
    let old = edition(&keys, 1, 1, 0);
    shop.push(&shop.push_of("v1", &old)).unwrap();
    let new = edition(&keys, 2, 2, 0);
    let mut push = shop.push_of("v2", &new);
    push.timestamp = Some(stamp(&keys.timestamp, &new, START));
    shop.push(&push).unwrap();
    host.clock.set(START + 2 * publisher::FRESH);
    let error = refused(shop.pull("v2", &host, &strict));
    assert!(matches!(error, PullError::Release(_)), "{error}");
    shop.pull("v2", &host, &plain).unwrap();
    let error = refused(shop.pull("v1", &host, &plain));
    assert!(matches!(error, PullError::Admission(_)), "{error}");
    assert_eq!(error.code(), "serial-rollback", "{error}");
}

#[test]
fn a_host_that_nothing_fits_learns_what_there_is() {
    let (keys, shop, host) = (Keys::new(), Shop::new(), Host::new());
    let policy = policy(&keys, PLAIN, "");
    shop.push(&shop.push_of("v1", &edition(&keys, 1, 1, 0)))
        .unwrap();
    let expected = publisher::expected();
    let arm = "schema = 1\narch = 'aarch64'\nengine = '48.0.8'\nprofiles = ['default']\n\
        features = []\n";
    let error = refused(shop.pull_as("v1", &host, arm, &policy, &expected));
    assert!(error.to_string().contains("aarch64"), "{error}");
    let PullError::NoFit { offered, unfit, .. } = error else {
        panic!("{error}");
    };
    assert_eq!((offered.len(), unfit.len()), (2, 0));
    // The CPU fits, and the engine does not.
    let older = BOTH.replace("48.0.8", "47.0.0");
    let error = refused(shop.pull_as("v1", &host, &older, &policy, &expected));
    assert!(matches!(error, PullError::NoFit { unfit, .. } if unfit.len() == 2));
}

#[test]
fn a_store_that_cannot_be_written_is_named() {
    let (keys, shop, host) = (Keys::new(), Shop::new(), Host::new());
    let policy = policy(&keys, PLAIN, "");
    shop.push(&shop.push_of("v1", &edition(&keys, 1, 1, 0)))
        .unwrap();
    std::fs::remove_dir_all(host.store.path().join("temporary")).unwrap();
    let error = refused(shop.pull("v1", &host, &policy));
    assert!(matches!(error, PullError::Io { .. }), "{error}");
}

#[test]
fn what_cannot_be_copied_is_named() {
    let (keys, shop, other) = (Keys::new(), Shop::new(), Shop::new());
    shop.push(&shop.push_of("v1", &edition(&keys, 1, 1, 0)))
        .unwrap();
    let copy = |from: &str, to: &Reference| {
        let copied = shop.session.copy(&shop.reference(from), to, &Unseen);
        copied.unwrap_err()
    };
    let to = other.reference("v1");
    let error = copy("v9", &to);
    assert_eq!(error.code(), "registry-absent");
    let error = copy("v1", &to.with_digest(Sha256Digest([1; 32])));
    assert!(matches!(error, CopyError::OtherDigest { .. }), "{error}");
    shop.change("v1", |index| index["manifests"][0]["urls"] = json!(["x"]));
    let error = copy("v1", &to);
    assert!(matches!(error, CopyError::Malformed { .. }), "{error}");
    // Indexes that list each other, deeper than any.
    shop.push(&shop.push_of("v2", &edition(&keys, 1, 1, 0)))
        .unwrap();
    for _ in 0..10 {
        let inner = serde_json::to_vec(&shop.under("v2")).unwrap();
        let (digest, size) = shop.put(&inner);
        let media_type = "application/vnd.oci.image.index.v1+json";
        let entry = json!({"mediaType": media_type, "digest": digest, "size": size});
        let index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": [entry]});
        shop.replace("v2", &index);
    }
    let error = copy("v2", &to);
    assert!(matches!(error, CopyError::TooDeep { .. }), "{error}");
    assert!(
        error.to_string().contains("9 indexes and referrers lead"),
        "{error}"
    );
    assert!(other.open("v1").is_err(), "the tag has moved");
}
