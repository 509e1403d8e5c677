//! Which files of a folder a policy covers, and which are only there.
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

use edgec_packager::{KeyIdHint, UnsignedArtifact, UnsignedAttestation};
use edgec_registry::{Attached, AttachedKind, Demands};
use edgec_store::UnixTime;
use edgec_store::verifier::artifact::{AskedBuild, Material, Provenance, SBOM_MEDIA_TYPES};
use edgec_verifier::Sha256Digest;
use publisher::{Keys, PLAIN, Published, START, edition, policy, stamp};
use serde_json::json;
use shop::Shop;

const LISTED: &[u8] = br#"{"bomFormat":"CycloneDX"}"#;
const OTHER: &[u8] = br#"{"spdxVersion":"SPDX-2.3"}"#;

/// A provenance of an artifact that lists one bill of materials.
fn provenance(keys: &Keys, artifact: &Published) -> Vec<u8> {
    let (unsigned, _) = UnsignedArtifact::reopen(&artifact.file).unwrap();
    let asked = AskedBuild::new("shop.wasm", publisher::NAME, "x86_64", "default");
    let mut provenance = Provenance::new(asked, Vec::new(), "https://ci.example");
    let sbom = Material::of_bytes("shop.cdx.json", Sha256Digest::of(LISTED));
    provenance.byproducts = vec![sbom.of_type(SBOM_MEDIA_TYPES[0])];
    let image = unsigned.manifest().unwrap().image;
    let payload = provenance.payload("shop.cwasm", Sha256Digest::of(&artifact.file), &image);
    let unsigned = UnsignedAttestation::new(payload);
    let signed = unsigned.sign(&keys.signers[0], KeyIdHint::LeftOut);
    signed.unwrap().into_bytes()
}

#[test]
fn a_file_is_verified_only_if_the_verdict_rests_on_it() {
    let (keys, shop) = (Keys::new(), Shop::new());
    let first = edition(&keys, 1, 1, 0);
    let mut push = shop.push_of("v1", &first);
    push.timestamp = Some(stamp(&keys.timestamp, &first, START));
    for artifact in &first.artifacts {
        let provenance = Attached::provenance(provenance(&keys, artifact)).unwrap();
        push.attached.push(("provenance".to_owned(), provenance));
    }
    for sbom in [LISTED, OTHER] {
        let sbom = Attached::sbom(sbom.to_vec()).unwrap();
        push.attached.push(("sbom".to_owned(), sbom));
    }
    for artifact in &mut push.artifacts {
        artifact.debug = Some(b"names".to_vec());
    }
    shop.push(&push).unwrap();
    // A mirror adds a provenance that edgec reads first, and in vain.
    let (digest, size) = shop.put(b"{\"by\":\"nobody\"}");
    let kind = AttachedKind::Provenance.media_type();
    let layer = json!({"mediaType": kind, "digest": digest, "size": size});
    shop.change_entry("v1", 0, |manifest| {
        let layers = manifest["layers"].as_array_mut().unwrap();
        layers.insert(0, layer);
    });

    let expected = publisher::expected();
    let standing = |rules: &str| {
        let policy = policy(&keys, PLAIN, rules);
        let demands = Demands::new(&policy, &expected, UnixTime::from_seconds(START));
        let offer = shop.open("v1").unwrap();
        let vouched = offer.vouched(&demands).unwrap();
        assert!(vouched.release && vouched.timestamp);
        let native = &offer.natives()[0];
        let plain = offer.take(native, None).unwrap();
        assert!(plain.beside().iter().all(|it| !it.verified));
        let taken = offer.take(native, Some(&demands)).unwrap();
        let standing = taken.beside().iter().map(|it| (it.kind, it.verified));
        standing.collect::<Vec<_>>()
    };
    use AttachedKind::{CycloneDx, Debug, Provenance, Spdx};
    assert_eq!(
        standing("[provenance]\nsbom = true\n"),
        [
            (Provenance, false),
            (Provenance, true),
            (CycloneDx, true),
            (Spdx, false),
            (Debug, false)
        ]
    );
    // A policy that reads none of them says nothing about them.
    let unread = standing("");
    assert_eq!(unread.len(), 5);
    assert!(unread.iter().all(|(_, verified)| !verified));
    // A release by others is there, and nobody vouches for it.
    let strangers = policy(&Keys::new(), PLAIN, "");
    let demands = Demands::new(&strangers, &expected, UnixTime::from_seconds(START));
    let vouched = shop.open("v1").unwrap().vouched(&demands).unwrap();
    assert_eq!(vouched, Default::default());
}
