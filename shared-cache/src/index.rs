//! The signed index of a pack: which entries it has, for whom, and what their bytes must be.
//!
//! An index names the namespace, the program `edgec`, and for each entry its key and the digest of
//! its value. All of that is signed together, so a genuine entry cannot be moved to another key, to
//! another namespace or to another edgec. The envelope is DSSE
//! (<https://github.com/secure-systems-lab/dsse>, v1.0.2), with one Ed25519 signature.

use edgec_artifact::{Envelope, EnvelopeError, KeyId, PublicKey, Sha256Digest, SignerKeys};
use edgec_packager::SecretKeys;
use serde::{Deserialize, Serialize};

/// The type of the signed payload. Another form of packs gets another type.
pub(crate) const PAYLOAD_TYPE: &str = "application/vnd.edgec.cache-pack.v1+json";
/// The longest envelope of an index, in bytes (16 MiB): some 60,000 entries.
pub(crate) const MAX_INDEX_LEN: u64 = 16 << 20;

/// The index of a pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Index {
    pub(crate) namespace: String,
    /// The SHA-256 that stands for the program `edgec`.
    pub(crate) edgec: Sha256Digest,
    pub(crate) entries: Vec<Entry>,
}

/// An entry. The compressed values follow the index, in the order of the entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// The kind of the question.
    pub(crate) kind: String,
    /// The SHA-256 of the question.
    pub(crate) key: Sha256Digest,
    /// The SHA-256 of the answer.
    pub(crate) sha256: Sha256Digest,
    /// The length of the answer, in bytes.
    pub(crate) length: u64,
    /// The length of the compressed answer, in bytes.
    pub(crate) packed: u64,
}

/// Why a pack does not count. The build does all of its work itself.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Not a pack, or one that was cut or changed outside of its index.
    #[error("a pack in it is damaged")]
    Damaged,
    /// The index is not in an envelope.
    #[error("the index of a pack in it is malformed")]
    Envelope(#[from] EnvelopeError),
    /// No one has signed the pack.
    #[error("a pack in it is not signed")]
    Unsigned,
    /// No trusted key has signed the pack, or it was changed after that.
    #[error("no trusted key has signed a pack in it (a signature names the key {named})")]
    Untrusted {
        /// The key that a signature names. Anyone could have written this name.
        named: String,
    },
    /// A trusted key has signed something that is not an index.
    #[error("the signed index of a pack in it is malformed: {reason}")]
    Malformed {
        /// What the parser said.
        reason: String,
    },
    /// A pack of other builds.
    #[error("a pack in it belongs to the namespace `{found}`")]
    Namespace {
        /// The namespace of the pack.
        found: String,
    },
    /// A pack of another edgec.
    #[error("a pack in it was written by another edgec")]
    Program,
}

impl Index {
    /// The index in an envelope, signed.
    pub(crate) fn sign(&self, keys: &SecretKeys) -> Result<Vec<u8>, Refusal> {
        let payload = serde_json::to_vec(self).map_err(|error| malformed(&error))?;
        let mut envelope = Envelope::of_type(PAYLOAD_TYPE, payload);
        for made in keys.sign(&envelope.pae()) {
            let attached = envelope.attach(&made.by, made.bytes);
            attached.map_err(|error| untrusted(&error.key_id))?;
        }
        Ok(envelope.encode())
    }

    /// The index in an envelope. Its payload is parsed only if one of `trusted` has signed it, with
    /// each of its keys. Without `edgec`, it may be of any.
    pub(crate) fn read(
        envelope: &[u8],
        trusted: &[SignerKeys],
        namespace: &str,
        edgec: Option<&Sha256Digest>,
    ) -> Result<Self, Refusal> {
        let envelope = Envelope::decode_type(PAYLOAD_TYPE, envelope)?;
        let signatures = envelope.signatures();
        let first = signatures.first().ok_or(Refusal::Unsigned)?;
        let pae = envelope.pae();
        let has_signed = |key: &PublicKey| {
            let id = key.id().to_string();
            let mut own = signatures.iter().filter(|it| it.key_id() == id);
            own.any(|signature| key.accepts(&pae, signature.bytes()))
        };
        if !trusted.iter().any(|signer| signer.iter().all(has_signed)) {
            let named = first.key_id().chars().take(64).collect();
            return Err(Refusal::Untrusted { named });
        }
        let index: Self =
            serde_json::from_slice(envelope.payload()).map_err(|error| malformed(&error))?;
        if index.namespace != namespace {
            let found = index.namespace.chars().take(64).collect();
            return Err(Refusal::Namespace { found });
        }
        match edgec.is_none_or(|edgec| index.edgec == *edgec) {
            true => Ok(index),
            false => Err(Refusal::Program),
        }
    }
}

fn malformed(error: &serde_json::Error) -> Refusal {
    Refusal::Malformed {
        reason: error.to_string(),
    }
}

fn untrusted(key: &KeyId) -> Refusal {
    Refusal::Untrusted {
        named: key.to_string(),
    }
}
