//! The referrers of a native manifest: its signatures as sigstore bundles, where cosign looks for
//! them.
//!
//! Source: cosign 3, `pkg/oci/remote/write.go`, `WriteAttestationNewBundleFormat`. The bundle's
//! subject is the image, and not the manifest that it refers to: cosign verifies it with the bytes
//! of the image (`verify-blob-attestation`).

use edgec_artifact::{Algorithm, Envelope, PREDICATE_TYPE, SIGSTORE_BUNDLE_TYPE, sigstore_bundle};

use super::super::manifest::Manifest;
use super::super::media;
use crate::Descriptor;

/// The greatest number of signatures that get a referrer.
const MAX_BUNDLES: usize = 16;

/// A referrer, ready to be sent.
pub(super) struct Bundle {
    pub(super) manifest: Vec<u8>,
    pub(super) layer: (Descriptor, Vec<u8>),
    /// As lists of referrers have it.
    pub(super) descriptor: Descriptor,
}

/// A referrer of `subject` for each signature that cosign can check.
pub(super) fn bundles(envelope: &Envelope, subject: &Descriptor) -> Vec<Bundle> {
    let length = Algorithm::Ed25519.signature_len();
    let signatures = envelope.signatures().iter();
    let checked = signatures.filter(|signature| signature.bytes().len() == length);
    let bundles = checked.take(MAX_BUNDLES).map(|signature| {
        let bundle = sigstore_bundle(envelope, signature);
        let layer = Descriptor::of_bytes(SIGSTORE_BUNDLE_TYPE, &bundle);
        let mut manifest = Manifest::of_kind(SIGSTORE_BUNDLE_TYPE, vec![layer.clone()]);
        manifest.subject = Some(Descriptor {
            annotations: std::collections::BTreeMap::new(),
            artifact_type: None,
            platform: None,
            ..subject.clone()
        });
        for (name, value) in [
            ("dev.sigstore.bundle.content", "dsse-envelope"),
            ("dev.sigstore.bundle.predicateType", PREDICATE_TYPE),
        ] {
            let value = value.to_owned();
            manifest.annotations.insert(name.to_owned(), value);
        }
        let bytes = manifest.encode();
        let mut descriptor = Descriptor::of_bytes(media::MANIFEST, &bytes);
        descriptor.artifact_type = Some(SIGSTORE_BUNDLE_TYPE.to_owned());
        descriptor.annotations = manifest.annotations;
        Bundle {
            manifest: bytes,
            layer: (layer, bundle),
            descriptor,
        }
    });
    bundles.collect()
}
