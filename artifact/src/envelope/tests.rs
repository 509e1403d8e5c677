//! Tests of envelopes.

use super::*;

#[test]
fn pae_is_the_one_of_the_dsse_specification() {
    assert_eq!(
        pae("http://example.com/HelloWorld", b"hello world"),
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    );
    assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
}

#[test]
fn an_envelope_survives_its_own_encoding() {
    let envelope = Envelope::new(b"{}".to_vec(), vec![Signature::new("id", [3; 64])]);
    assert_eq!(Envelope::decode(&envelope.encode()), Ok(envelope));
}

/// A reader of version 1 skips what it does not know.
#[test]
fn signatures_of_every_length_are_read() {
    let lens = [1, 63, 64, 65, 3309, MAX_SIGNATURE_LEN];
    let signatures = lens.map(|len| Signature::new(&len.to_string(), vec![7; len]));
    let envelope = Envelope::new(b"{}".to_vec(), signatures.to_vec());
    assert_eq!(Envelope::decode(&envelope.encode()), Ok(envelope));
}

#[test]
fn only_signatures_over_the_same_payload_are_taken_over() {
    let of = |payload: &str, ids: &[&str]| {
        let signatures = ids.iter().map(|id| Signature::new(id, [3; 64]));
        Envelope::new(payload.into(), signatures.collect())
    };
    let mut envelope = of("{}", &["a", "b"]);
    assert!(!envelope.merge(&of("[]", &["c"])));
    assert!(!envelope.merge(&Envelope::of_type("text/plain", b"{}".to_vec())));
    assert_eq!(envelope, of("{}", &["a", "b"]));
    assert!(envelope.merge(&of("{}", &["b", "c"])));
    assert_eq!(envelope, of("{}", &["a", "b", "c"]));
}

#[test]
fn each_error_has_a_case() {
    let decode = |text: String| Envelope::decode(text.as_bytes()).unwrap_err();
    assert!(matches!(decode("{}".into()), EnvelopeError::Json(_)));
    assert!(matches!(
        decode(r#"{"payload":"e30=","payloadType":"text/plain","signatures":[]}"#.into()),
        EnvelopeError::PayloadType { .. }
    ));
    let with = |payload: &str, signatures: &str| {
        decode(format!(
            r#"{{"payload":"{payload}","payloadType":"{PAYLOAD_TYPE}","signatures":[{signatures}]}}"#
        ))
    };
    // Without padding, and with stray bits before the padding: each has a canonical twin.
    for payload in ["e30", "e31=", "e3 0="] {
        assert_eq!(
            with(payload, ""),
            EnvelopeError::Base64 { field: "payload" }
        );
    }
    assert_eq!(
        with("e30=", r#"{"keyid":"","sig":"-_-_"}"#),
        EnvelopeError::Base64 { field: "sig" }
    );
    for len in [0, MAX_SIGNATURE_LEN + 1] {
        let sig = STANDARD.encode(vec![0; len]);
        let one = format!(r#"{{"keyid":"","sig":"{sig}"}}"#);
        let error = EnvelopeError::SignatureLength { index: 0, len };
        assert_eq!(with("e30=", &one), error);
    }
    let one = r#"{"keyid":"","sig":"AA=="}"#;
    assert_eq!(
        with("e30=", &[one].repeat(65).join(",")),
        EnvelopeError::TooManySignatures { count: 65 }
    );
}
