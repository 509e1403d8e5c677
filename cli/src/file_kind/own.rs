//! Whether edgec wrote a file, judged by the whole file: other tools also write DSSE envelopes and
//! PAEs of the same payload type.

use std::fs::File;
use std::io;
use std::path::Path;

use edgec_artifact::{
    Attestation, AttestedStatement, BLOB_PREDICATE_TYPE, Envelope, PAYLOAD_TYPE, PREDICATE_TYPE,
    ProvenanceClaims, REBUILD_PREDICATE_TYPE, RELEASE_PREDICATE_TYPE, TIMESTAMP_PREDICATE_TYPE,
    pae,
};
use edgec_files::{BoundError, read_bounded};
use edgec_verifier::POLICY_PAYLOAD_TYPE;
use serde::Deserialize;

/// The maximum length of a file that is examined, in bytes (16 MiB). edgec writes shorter envelopes
/// and PAEs: `edgec_artifact` has the limits.
const MAX_LEN: u64 = 16 << 20;

/// Whether a file consists of one DSSE envelope about a manifest of edgec.
pub(super) fn is_envelope(path: &Path) -> io::Result<bool> {
    holds(path, |bytes| {
        Envelope::decode(bytes).is_ok_and(|envelope| is_statement(envelope.payload()))
    })
}

/// Whether a file consists of one attestation of edgec: about a file, or about a build.
pub(super) fn is_attestation(path: &Path) -> io::Result<bool> {
    holds(path, |bytes| {
        Attestation::decode(bytes).is_ok_and(|it| is_attested(it.payload()))
    })
}

/// Whether a file consists of one signed trust policy.
pub(super) fn is_signed_policy(path: &Path) -> io::Result<bool> {
    holds(path, |bytes| {
        Envelope::decode_type(POLICY_PAYLOAD_TYPE, bytes).is_ok()
    })
}

/// Whether a file consists of the bytes to sign for an artifact.
pub(super) fn is_artifact_pae(path: &Path) -> io::Result<bool> {
    holds(path, |bytes| {
        payload(PAYLOAD_TYPE, bytes).is_some_and(is_statement)
    })
}

/// Whether a file consists of the bytes to sign for a trust policy.
pub(super) fn is_policy_pae(path: &Path) -> io::Result<bool> {
    holds(path, |bytes| payload(POLICY_PAYLOAD_TYPE, bytes).is_some())
}

fn holds(path: &Path, is_own: impl FnOnce(&[u8]) -> bool) -> io::Result<bool> {
    match read_bounded(File::open(path)?, MAX_LEN, 0) {
        Ok(bytes) => Ok(is_own(&bytes)),
        Err(BoundError::TooLong { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether a payload is a statement about a file, a release, a timestamp, a notary's statement, or
/// the provenance of a build by edgec.
fn is_attested(payload: &[u8]) -> bool {
    const OWN: [&str; 4] = [
        BLOB_PREDICATE_TYPE,
        RELEASE_PREDICATE_TYPE,
        TIMESTAMP_PREDICATE_TYPE,
        REBUILD_PREDICATE_TYPE,
    ];
    let own = AttestedStatement::decode(payload)
        .is_ok_and(|statement| OWN.contains(&statement.predicate_type.as_str()));
    own || ProvenanceClaims::decode(payload).is_ok()
}

/// Whether a payload is an in-toto Statement with a predicate of edgec, of any version.
fn is_statement(payload: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Statement {
        #[serde(rename = "predicateType")]
        predicate_type: String,
    }
    let statement: Result<Statement, _> = serde_json::from_slice(payload);
    statement.is_ok_and(|statement| statement.predicate_type == PREDICATE_TYPE)
}

/// The payload in a PAE of this type.
fn payload<'b>(payload_type: &str, bytes: &'b [u8]) -> Option<&'b [u8]> {
    let before = format!("DSSEv1 {} {payload_type} ", payload_type.len());
    let rest = bytes.strip_prefix(before.as_bytes())?;
    let space = rest.iter().position(|byte| *byte == b' ')?;
    let payload = rest.get(space + 1..)?;
    // The stated length must be correct too.
    (pae(payload_type, payload) == bytes).then_some(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_whole_and_of_its_type() {
        let text = pae("a/b", b"x y");
        assert_eq!(payload("a/b", &text), Some(&b"x y"[..]));
        assert_eq!(payload("a/c", &text), None);
        for text in [
            "DSSEv1 3 a/b 3 x y\n",
            "DSSEv1 3 a/b 03 x y",
            "DSSEv1 3 a/b ",
        ] {
            assert_eq!(payload("a/b", text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_statement_is_known_by_its_predicate() {
        let of = |predicate: &str| format!("{{\"predicateType\":\"{predicate}\",\"x\":1}}");
        assert!(is_statement(of(PREDICATE_TYPE).as_bytes()));
        let other = of("https://slsa.dev/provenance/v1");
        for text in [other.as_str(), "{}", "[]", "x"] {
            assert!(!is_statement(text.as_bytes()), "{text}");
        }
    }
}
