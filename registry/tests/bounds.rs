//! What a registry may list: more of it is refused, and the same again counts once.
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

use edgec_registry::PullError;
use publisher::{Host, Keys, PLAIN, edition, policy};
use serde_json::{Value, json};
use shop::{Shop, refused};

/// A user of a registry could list so many files beside an image that a host runs out of
/// memory before it has judged a signature.
#[test]
fn more_files_beside_an_image_than_edgec_reads_are_not_fetched() {
    const CYCLONEDX: &str = "application/vnd.cyclonedx+json";
    let pulled = |layers: &dyn Fn(&Shop) -> Vec<Value>| {
        let (keys, shop, host) = (Keys::new(), Shop::new(), Host::new());
        let rules = "[provenance]\nsbom = true\n";
        let policy = policy(&keys, PLAIN, rules);
        shop.push(&shop.push_of("v1", &edition(&keys, 1, 1, 0)))
            .unwrap();
        let more = layers(&shop);
        for at in [0, 1] {
            shop.change_entry("v1", at, |manifest| {
                let layers = manifest["layers"].as_array_mut().unwrap();
                layers.extend(more.clone());
            });
        }
        let before = shop.session.traffic();
        let error = refused(shop.pull("v1", &host, &policy));
        (error, shop.session.traffic().since(before).fetched)
    };
    let layer = |shop: &Shop, bytes: &[u8]| {
        let (digest, size) = shop.put(bytes);
        json!({"mediaType": CYCLONEDX, "digest": digest, "size": size})
    };
    let many = |shop: &Shop| (0..200).map(|it| layer(shop, &[it; 4096])).collect();
    let (error, fetched) = pulled(&many);
    assert_eq!(error.code(), "pull-manifest", "{error}");
    assert!(fetched < 100_000, "{fetched} bytes: layers were fetched");
    let long = |shop: &Shop| {
        let mut layers: Vec<_> = (0..5).map(|it| layer(shop, &[it; 16])).collect();
        for layer in &mut layers {
            layer["size"] = json!(16 << 20);
        }
        layers
    };
    assert_eq!(pulled(&long).0.code(), "pull-manifest");
    // The same again is one layer. It is not fetched: there is no provenance that lists it.
    let same = |shop: &Shop| vec![layer(shop, &[b' '; 90_000]); 200];
    let (error, fetched) = pulled(&same);
    assert_eq!(error.code(), "no-provenance", "{error}");
    assert!(fetched < 40_000, "{fetched} bytes: the layer was fetched");
}

/// Each of these files could have megabytes, and only the signatures of an artifact say whether
/// a trusted publisher has published it.
#[test]
fn files_beside_an_artifact_are_fetched_when_the_verdict_depends_on_them() {
    const KINDS: [&str; 3] = [
        "application/vnd.edgec.provenance.v1+json",
        "application/vnd.cyclonedx+json",
        "application/vnd.edgec.log-proof.v1",
    ];
    const LENGTH: usize = 90_000;
    let fetched = |signers: &Keys, keys: &Keys, code: &str| {
        let (shop, host) = (Shop::new(), Host::new());
        let policy = policy(keys, PLAIN, "[provenance]\nsbom = true\n");
        let [one, two] = &signers.signers;
        let made = |target| publisher::artifact(&[one, two], target, 1, 1);
        let edition = publisher::edition_of(keys, 1, 1, 0, [0, 1].map(made));
        shop.push(&shop.push_of("v1", &edition)).unwrap();
        for at in [0, 1] {
            shop.change_entry("v1", at, |manifest| {
                for kind in KINDS {
                    let bytes = kind.as_bytes().iter().cycle().take(LENGTH);
                    let (digest, size) = shop.put(&bytes.copied().collect::<Vec<_>>());
                    let layer = json!({"mediaType": kind, "digest": digest, "size": size});
                    manifest["layers"].as_array_mut().unwrap().push(layer);
                }
            });
        }
        let before = shop.session.traffic();
        let error = refused(shop.pull("v1", &host, &policy));
        assert_eq!(error.code(), code, "{error}");
        shop.session.traffic().since(before).fetched / LENGTH as u64
    };
    let (keys, strangers) = (Keys::new(), Keys::new());
    assert_eq!(fetched(&strangers, &keys, "threshold"), 0);
    // The provenance is malformed, so no bill of materials helps.
    assert_eq!(fetched(&keys, &keys, "provenance"), 1);
}

/// A layer of some kilobytes can expand to a gigabyte, and could be listed hundreds of times.
#[test]
fn a_folder_gets_one_debug_file_for_an_image() {
    const DEBUG: &str = "application/vnd.edgec.debug.v1+zstd";
    let taken = |debug: &[Vec<u8>]| {
        let (keys, shop) = (Keys::new(), Shop::new());
        shop.push(&shop.push_of("v1", &edition(&keys, 1, 1, 0)))
            .unwrap();
        shop.change_entry("v1", 0, |manifest| {
            for bytes in debug {
                let (digest, size) = shop.put(bytes);
                let layer = json!({"mediaType": DEBUG, "digest": digest, "size": size});
                manifest["layers"].as_array_mut().unwrap().push(layer);
            }
        });
        let offer = shop.open("v1").unwrap();
        let taken = offer.take(&offer.natives()[0], None)?;
        let files = (0..taken.beside().len()).map(|at| shop::fetched_beside(&taken, at));
        files.collect::<Result<Vec<_>, _>>()
    };
    let compressed = |bytes: &[u8]| zstd::stream::encode_all(bytes, 1).unwrap();
    let two = [compressed(b"one"), compressed(b"two")];
    let error = refused(taken(&two));
    assert_eq!(error.code(), "pull-manifest", "{error}");
    let twice = [compressed(b"one"), compressed(b"one")];
    assert_eq!(taken(&twice).unwrap(), [b"one"]);
    let error = refused(taken(&[b"not compressed".to_vec()]));
    assert!(matches!(error, PullError::Compressed { .. }), "{error}");
}

#[test]
fn an_entry_that_is_listed_again_is_offered_once() {
    let (keys, shop, host) = (Keys::new(), Shop::new(), Host::new());
    let policy = policy(&keys, PLAIN, "");
    shop.push(&shop.push_of("v1", &edition(&keys, 1, 1, 0)))
        .unwrap();
    shop.change("v1", |index| {
        let entries = index["manifests"].as_array_mut().unwrap();
        let first = entries[0].clone();
        entries.extend(vec![first; 500]);
    });
    assert_eq!(shop.open("v1").unwrap().natives().len(), 2);
    shop.pull("v1", &host, &policy).unwrap();
}
