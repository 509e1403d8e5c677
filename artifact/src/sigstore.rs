//! The sigstore bundle of an envelope, for cosign and other tools of sigstore.
//!
//! Source: protobuf-specs, `sigstore_bundle.proto`, version 0.3 of the bundle
//! (<https://github.com/sigstore/protobuf-specs>). The bundle names a public key and no
//! certificate, and has no entry of a transparency log. cosign counts no signature with a key id
//! beside it, and the specification demands exactly one signature.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;

use crate::canonical;
use crate::{Envelope, PAYLOAD_TYPE, Signature};

/// The media type of a bundle.
pub const SIGSTORE_BUNDLE_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bundle<'a> {
    media_type: &'a str,
    verification_material: Material<'a>,
    dsse_envelope: Dsse,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Material<'a> {
    public_key: Hint<'a>,
}

#[derive(Serialize)]
struct Hint<'a> {
    hint: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dsse {
    payload: String,
    payload_type: &'static str,
    signatures: [Sig; 1],
}

#[derive(Serialize)]
struct Sig {
    sig: String,
}

/// The bundle of an artifact's envelope with one of its signatures. Nothing is verified.
pub fn sigstore_bundle(envelope: &Envelope, signature: &Signature) -> Vec<u8> {
    canonical::encode(&Bundle {
        media_type: SIGSTORE_BUNDLE_TYPE,
        verification_material: Material {
            public_key: Hint {
                hint: signature.key_id(),
            },
        },
        dsse_envelope: Dsse {
            payload: STANDARD.encode(envelope.payload()),
            payload_type: PAYLOAD_TYPE,
            signatures: [Sig {
                sig: STANDARD.encode(signature.bytes()),
            }],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_has_one_signature_and_no_key_id() {
        let signatures = vec![Signature::new("a", [1; 64]), Signature::new("b", [2; 3309])];
        let envelope = Envelope::new(b"{}".to_vec(), signatures);
        let bundle = sigstore_bundle(&envelope, &envelope.signatures()[1]);
        let bundle: serde_json::Value = serde_json::from_slice(&bundle).unwrap();
        let expected = serde_json::json!({
            "mediaType": SIGSTORE_BUNDLE_TYPE,
            "verificationMaterial": {"publicKey": {"hint": "b"}},
            "dsseEnvelope": {
                "payload": "e30=",
                "payloadType": PAYLOAD_TYPE,
                "signatures": [{"sig": STANDARD.encode([2; 3309])}],
            },
        });
        assert_eq!(bundle, expected);
    }
}
