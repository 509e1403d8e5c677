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
use edgec_registry::{Attached, AttachedKind, Demands, Offer, PullError, Unseen};
use edgec_store::UnixTime;
use edgec_store::verifier::artifact::{AskedBuild, Material, Provenance, SBOM_MEDIA_TYPES};
use edgec_verifier::Sha256Digest;
use publisher::{Keys, PLAIN, Published, START, edition, policy, stamp};
use serde_json::json;
use shop::{Shop, refused};

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
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
        let standing = taken
            .beside()
            .iter()
            .map(|it| (it.kind, it.verified, it.ending()));
        standing.collect::<Vec<_>>()
    };
    use AttachedKind::{CycloneDx, Debug, Provenance, Spdx};
    assert_eq!(
        standing("[provenance]\nsbom = true\n"),
        [
            // It does not take the place of the other one in a folder.
            (Provenance, true, "provenance.json".to_owned()),
            (Provenance, false, "2.provenance.json".to_owned()),
            (CycloneDx, true, "cdx.json".to_owned()),
            (Spdx, false, "spdx.json".to_owned()),
            (Debug, false, "debug".to_owned())
        ]
    );
    // A policy that reads none of them says nothing about them.
    let unread = standing("");
    assert_eq!(unread.len(), 5);
    assert!(unread.iter().all(|(_, verified, _)| !verified));
    // The release is signed by keys that the policy does not trust.
    let strangers = policy(&Keys::new(), PLAIN, "");
    let demands = Demands::new(&strangers, &expected, UnixTime::from_seconds(START));
    let vouched = shop.open("v1").unwrap().vouched(&demands).unwrap();
    assert_eq!(vouched, Default::default());
}

/// The registry's manifest, which lists the portable program, is not signed. The artifacts and the
/// release are, and both state the program's SHA-256.
#[test]
fn a_portable_program_that_is_not_signed_is_not_fetched() {
    let (keys, shop) = (Keys::new(), Shop::new());
    let policy = policy(&keys, PLAIN, "");
    let edition = publisher::edition_from(&keys, COMPONENT);
    let mut push = shop.push_of("v1", &edition);
    push.component = Some(COMPONENT.to_vec());
    shop.push(&push).unwrap();
    let other = b"\0asm\x01\0\0\0";
    let expected = publisher::expected();
    let demands = Demands::new(&policy, &expected, UnixTime::from_seconds(START));
    let signed = |offer: &Offer| {
        let native = &offer.natives()[0];
        let taken = offer.take(native, Some(&demands)).unwrap();
        let vouched = offer.vouched(&demands).unwrap();
        assert!(vouched.release && !vouched.timestamp);
        [taken.signed_program(), vouched.program].map(Option::unwrap)
    };
    let offer = shop.open("v1").unwrap();
    let mut component = Vec::new();
    let fetched = offer.fetch_component(&signed(&offer), &mut component, &Unseen);
    assert!(fetched.unwrap());
    assert_eq!(component, COMPONENT);

    let (digest, size) = shop.put(other);
    for at in 0..3 {
        shop.change_entry("v1", at, |manifest| {
            manifest["layers"][0]["digest"] = json!(digest);
            manifest["layers"][0]["size"] = json!(size);
        });
    }
    let offer = shop.open("v1").unwrap();
    for signed in signed(&offer) {
        let mut component = Vec::new();
        let error = refused(offer.fetch_component(&[signed], &mut component, &Unseen));
        assert_eq!(error.code(), "pull-other-program");
        let PullError::OtherProgram { found, signed } = &error else {
            panic!("{error}");
        };
        assert_eq!(*found, Sha256Digest::of(other));
        assert_eq!(*signed, Sha256Digest::of(COMPONENT));
        assert!(component.is_empty());
    }
    // Without a policy, nothing is verified.
    let taken = offer.take(&offer.natives()[0], None).unwrap();
    assert_eq!(taken.signed_program(), None);
    assert!(
        offer
            .fetch_component(&[], &mut Vec::new(), &Unseen)
            .unwrap()
    );
}
