//! Verifies the attestation of a file that is no artifact.

use edgec_artifact::{
    Attestation, AttestationError, AttestedError, AttestedStatement, KeyId, PublicKey, Sha256Digest,
};
use serde::Serialize;

use crate::trusted_key::TrustedKey;

/// The file that an attestation must be about.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ExpectedBlob {
    /// The name that must have been signed. A genuine file of another name must not take its place.
    pub name: String,
    /// SHA-256 of the whole file.
    pub sha256: Sha256Digest,
    /// What must have been stated about the file, such as
    /// [`BLOB_PREDICATE_TYPE`](edgec_artifact::BLOB_PREDICATE_TYPE).
    pub predicate_type: String,
}

impl ExpectedBlob {
    /// A file with this name and this SHA-256, about which a statement of this type was made.
    pub fn new(
        name: impl Into<String>,
        sha256: Sha256Digest,
        predicate_type: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            sha256,
            predicate_type: predicate_type.into(),
        }
    }
}

/// A file about which enough trusted keys have made the expected statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct VerifiedBlob {
    /// The signed name.
    pub name: String,
    /// The signed digest, which is the file's.
    pub sha256: Sha256Digest,
    /// What was stated about the file.
    pub predicate_type: String,
    /// The keys that have signed, each once.
    pub signed_by: Vec<KeyId>,
    /// The number of different signers with these keys.
    #[serde(skip)]
    pub signers: usize,
}

/// Why a file is not the attested one.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// The attestation is not a DSSE envelope of a statement.
    #[error(transparent)]
    Attestation(#[from] AttestationError),
    /// There is no signature.
    #[error("the attestation carries no signature")]
    NoSignature,
    /// Fewer trusted signers have signed than are required.
    #[error("signatures by {accepted} of {threshold} required signers")]
    Threshold {
        /// The number of different trusted signers that have signed.
        accepted: usize,
        /// The number that is required.
        threshold: usize,
    },
    /// The signed payload is not the expected statement.
    #[error(transparent)]
    Statement(#[from] AttestedError),
    /// The statement is about other bytes.
    #[error(
        "the file has the SHA-256 {found}, and the attestation is about {}",
        about(stated)
    )]
    Digest {
        /// The digest of the file.
        found: Sha256Digest,
        /// The names and digests in the attestation; at most the first three.
        stated: Vec<String>,
    },
    /// These bytes were signed under another name.
    #[error(
        "the file was signed under the name {}, and `{wanted}` is wanted",
        about(found)
    )]
    Name {
        /// The signed names of these bytes; at most the first three.
        found: Vec<String>,
        /// The name that was expected.
        wanted: String,
    },
}

impl BlobError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Attestation(_) => "attestation",
            Self::NoSignature => "no-signature",
            Self::Threshold { .. } => "threshold",
            Self::Statement(_) => "statement",
            Self::Digest { .. } => "blob-digest",
            Self::Name { .. } => "blob-name",
        }
    }
}

/// Verifies that `threshold` different signers of `keys` have made the expected statement.
///
/// A key that is listed twice counts once, and a signer with two keys counts once. The payload is
/// parsed only after enough signatures over it were accepted.
///
/// # Errors
///
/// [`BlobError`] names the first check that failed. A threshold of 0 counts as 1.
pub fn verify_blob(
    attestation: &[u8],
    keys: &[TrustedKey],
    threshold: usize,
    expected: &ExpectedBlob,
) -> Result<VerifiedBlob, BlobError> {
    let attestation = Attestation::decode(attestation)?;
    if attestation.signatures() == 0 {
        return Err(BlobError::NoSignature);
    }
    let mut signed_by: Vec<KeyId> = Vec::new();
    let mut accepted = 0;
    for trusted in keys {
        let ids: Vec<KeyId> = trusted.required_keys().map(PublicKey::id).collect();
        if !ids.iter().any(|id| signed_by.contains(id)) && trusted.has_signed(&attestation) {
            signed_by.extend(ids);
            accepted += 1;
        }
    }
    let threshold = threshold.max(1);
    if accepted < threshold {
        return Err(BlobError::Threshold {
            accepted,
            threshold,
        });
    }
    let statement = AttestedStatement::decode(attestation.payload())?;
    if statement.predicate_type != expected.predicate_type {
        return Err(AttestedError::PredicateType {
            found: statement.predicate_type,
            wanted: expected.predicate_type.clone(),
        }
        .into());
    }
    let subjects = statement.subjects.iter();
    let same = subjects.filter(|subject| subject.has_sha256(expected.sha256));
    let names: Vec<&str> = same.map(|subject| subject.name.as_str()).collect();
    if names.is_empty() {
        let stated = statement.subjects.iter().take(SHOWN);
        let stated = stated.map(|it| {
            let digest = it.digest.get("sha256").map_or("no SHA-256", String::as_str);
            format!("`{}`, {digest}", it.name)
        });
        return Err(BlobError::Digest {
            found: expected.sha256,
            stated: stated.collect(),
        });
    }
    if !names.contains(&expected.name.as_str()) {
        let found = names.iter().take(SHOWN).map(|name| format!("`{name}`"));
        return Err(BlobError::Name {
            found: found.collect(),
            wanted: expected.name.clone(),
        });
    }
    Ok(VerifiedBlob {
        name: expected.name.clone(),
        sha256: expected.sha256,
        predicate_type: statement.predicate_type,
        signed_by,
        signers: accepted,
    })
}

/// How many subjects an error shows.
const SHOWN: usize = 3;

fn about(texts: &[String]) -> String {
    match texts {
        [] => "nothing".to_owned(),
        texts => texts.join("; "),
    }
}
