//! The two digests of an image: both are the image's own, wherever an artifact comes in.
#![allow(missing_docs, reason = "a test")]
#![allow(clippy::unwrap_used, reason = "a test stops at the first error")]

use edgec_packager::{SecretKey, UnsignedArtifact};
use edgec_verifier::artifact::{Artifact, Image, Statement};
use edgec_verifier::{
    Expected, Manifest, Refusal, Sha256Digest, TrustPolicy, TrustedKey, UnixTime,
    describe_unsigned, verify, verify_fast,
};

const ARTIFACT: &[u8] = include_bytes!("../../fuzz/seeds/verify/signed.cwasm");

/// The artifact with a changed description of its image, validly signed, and a policy for it.
fn signed(change: impl FnOnce(&mut Image)) -> (Vec<u8>, TrustPolicy) {
    let artifact = Artifact::decode(ARTIFACT).unwrap();
    let statement = Statement::decode(artifact.envelope().payload()).unwrap();
    let describe = |image: Image| {
        let mut manifest: Manifest = statement.manifest.with_image(image);
        change(&mut manifest.image);
        manifest
    };
    let unsigned = UnsignedArtifact::new(artifact.image().to_vec(), describe);
    let key = SecretKey::generate().unwrap();
    let policy = TrustPolicy::new(vec![TrustedKey::new("key", key.public())], 1).unwrap();
    (
        unsigned.sign(&key, Vec::new()).unwrap().into_bytes(),
        policy,
    )
}

#[test]
fn a_subject_that_names_another_image_by_its_sha256_is_refused() {
    let other = Sha256Digest::of(b"a harmless image");
    let (file, policy) = signed(|image| image.sha256 = other);
    let (any, now) = (Expected::anything(), UnixTime::EPOCH);
    let error = verify(&file, &policy, &any, now).unwrap_err();
    assert_eq!(
        (error.code(), error.refusal()),
        ("image-sha256", Refusal::Image)
    );
    assert_eq!(describe_unsigned(&file).unwrap_err().code(), "image-sha256");
    // No signature can be added to it.
    assert!(UnsignedArtifact::reopen(&file).is_err());
    // It is the image that was signed all the same.
    let fast = verify_fast(&file, &policy, &any, now).unwrap();
    let digest = fast
        .checks()
        .iter()
        .find(|it| it.name.name() == "digest")
        .unwrap();
    assert!(
        digest.evidence.ends_with("sha256 not computed"),
        "{}",
        digest.evidence
    );

    let (file, policy) = signed(|_| {});
    let whole = verify(&file, &policy, &any, now).unwrap();
    let digest = whole
        .checks()
        .iter()
        .find(|it| it.name.name() == "digest")
        .unwrap();
    assert!(
        digest.evidence.ends_with("and sha256, computed and signed"),
        "{}",
        digest.evidence
    );

    let (file, policy) = signed(|image| image.fsverity.0[0] ^= 1);
    for judge in [verify, verify_fast] {
        let error = judge(&file, &policy, &any, now).unwrap_err();
        assert_eq!(error.code(), "image-digest");
    }
}
