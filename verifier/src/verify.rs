//! The chain from a trusted key to the image.
//!
//! In this order, each step only when the one before held: layout, signatures over the
//! payload, payload, image digest, image against manifest, validity. The payload is not
//! parsed before a signature on it was accepted; what was verified is what is parsed.

use std::collections::BTreeSet;

use edgec_artifact::{
    Artifact, Envelope, KeyId, LayoutError, Manifest, Statement, StatementError, VerityDigest,
    verity,
};

use crate::consistency::{self, Contradiction};
use crate::{TrustPolicy, TrustedKey};

/// An artifact that was verified: signed by enough trusted keys, unchanged since, what
/// it says it is, and within its validity.
#[derive(Debug)]
pub struct VerifiedArtifact<'a> {
    image: &'a [u8],
    manifest: Manifest,
    accepted: Vec<AcceptedSignature>,
}

/// A signature that counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedSignature {
    /// The policy's name for the key.
    pub key_name: String,
    /// The key.
    pub key_id: KeyId,
}

/// Why an artifact is not to be trusted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The file is not an artifact: damaged, truncated, extended, or something else.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// There is no signature at all.
    #[error("the artifact carries no signature")]
    NoSignature,
    /// A signature under a trusted key's id that is not the key's over this payload: the
    /// artifact was changed, or somebody claims to be the key's owner.
    #[error("the signature of trusted key `{key_name}` is not valid for this artifact")]
    BadSignature {
        /// The policy's name for the key.
        key_name: String,
    },
    /// Two signatures under one key id.
    #[error("two signatures carry the key id {key_id}")]
    SameKeyTwice {
        /// The key id.
        key_id: String,
    },
    /// Fewer trusted keys than the policy wants have signed.
    #[error("{accepted} of {threshold} required signatures by trusted keys")]
    Threshold {
        /// How many different trusted keys have signed.
        accepted: usize,
        /// How many the policy wants.
        threshold: usize,
    },
    /// What was signed is not a manifest.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The image is longer or shorter than the manifest says.
    #[error("the image has {found} bytes, {signed} were signed")]
    ImageLength {
        /// The image's length in bytes.
        found: u64,
        /// The length in the manifest.
        signed: u64,
    },
    /// The image is not the one that was signed.
    #[error("the image's fs-verity digest is {found}, {signed} was signed")]
    ImageDigest {
        /// The digest of the image.
        found: VerityDigest,
        /// The digest in the manifest.
        signed: VerityDigest,
    },
    /// The image is not what the manifest says it is.
    #[error("the image contradicts its manifest")]
    Contradiction(#[from] Contradiction),
    /// Too early.
    #[error("the artifact is not valid before {not_before} (now {now}, seconds since 1970)")]
    NotYetValid {
        /// The first second of its validity.
        not_before: u64,
        /// The time of this verification.
        now: u64,
    },
    /// Too late.
    #[error("the artifact expired at {expires} (now {now}, seconds since 1970)")]
    Expired {
        /// The first second after its validity.
        expires: u64,
        /// The time of this verification.
        now: u64,
    },
}

impl VerifyError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Layout(_) => "layout",
            Self::NoSignature => "no-signature",
            Self::BadSignature { .. } => "bad-signature",
            Self::SameKeyTwice { .. } => "same-key-twice",
            Self::Threshold { .. } => "threshold",
            Self::Statement(_) => "statement",
            Self::ImageLength { .. } => "image-length",
            Self::ImageDigest { .. } => "image-digest",
            Self::Contradiction(_) => "contradiction",
            Self::NotYetValid { .. } => "not-yet-valid",
            Self::Expired { .. } => "expired",
        }
    }
}

/// Verifies a whole file against a policy, at the time `now` (seconds since 1970).
///
/// The bytes must not change while the result lives: a borrowed buffer, or a mapping
/// that nobody else can write.
///
/// # Errors
///
/// [`VerifyError`] names the first check that failed.
pub fn verify<'a>(
    file: &'a [u8],
    policy: &TrustPolicy,
    now: u64,
) -> Result<VerifiedArtifact<'a>, VerifyError> {
    let artifact = Artifact::decode(file)?;
    let accepted = check_signatures(artifact.envelope(), policy)?;
    let Statement { manifest } = Statement::decode(artifact.envelope().payload())?;
    let image = artifact.image();

    let found = image.len() as u64;
    let signed = manifest.image.length;
    if found != signed {
        return Err(VerifyError::ImageLength { found, signed });
    }
    // The fs-verity digest, not SHA-256: it covers the same bytes, is computed in
    // parallel, and is what the kernel checks in a store.
    let found = verity::digest(image);
    let signed = manifest.image.fsverity;
    if found != signed {
        return Err(VerifyError::ImageDigest { found, signed });
    }
    consistency::check(image, &manifest)?;
    check_validity(&manifest, now)?;
    Ok(VerifiedArtifact {
        image,
        manifest,
        accepted,
    })
}

/// Who signed, each key once. A key id proves nothing, so the key decides; but it must be
/// the key's own, and what stands under a trusted key's id must be that key's signature: a
/// changed byte of either is a changed byte of the artifact. Signatures under other ids are
/// nobody's whom the policy knows, and are not looked at.
fn check_signatures(
    envelope: &Envelope,
    policy: &TrustPolicy,
) -> Result<Vec<AcceptedSignature>, VerifyError> {
    if envelope.signatures().is_empty() {
        return Err(VerifyError::NoSignature);
    }
    let pae = envelope.pae();
    let mut seen = BTreeSet::new();
    let mut accepted = Vec::new();
    for signature in envelope.signatures() {
        if !seen.insert(signature.key_id()) {
            return Err(VerifyError::SameKeyTwice {
                key_id: signature.key_id().to_owned(),
            });
        }
        let claimed = |trusted: &&TrustedKey| trusted.key.id().to_string() == signature.key_id();
        let Some(trusted) = policy.keys().iter().find(claimed) else {
            continue;
        };
        if !trusted.key.accepts(&pae, signature.bytes()) {
            return Err(VerifyError::BadSignature {
                key_name: trusted.name.clone(),
            });
        }
        accepted.push(AcceptedSignature {
            key_name: trusted.name.clone(),
            key_id: trusted.key.id(),
        });
    }
    if accepted.len() < policy.threshold() {
        return Err(VerifyError::Threshold {
            accepted: accepted.len(),
            threshold: policy.threshold(),
        });
    }
    Ok(accepted)
}

fn check_validity(manifest: &Manifest, now: u64) -> Result<(), VerifyError> {
    let validity = manifest.validity.unwrap_or_default();
    match (validity.not_before, validity.expires) {
        (Some(not_before), _) if now < not_before => {
            Err(VerifyError::NotYetValid { not_before, now })
        }
        (_, Some(expires)) if now >= expires => Err(VerifyError::Expired { expires, now }),
        _ => Ok(()),
    }
}

impl<'a> VerifiedArtifact<'a> {
    /// The verified image.
    pub fn image(&self) -> &'a [u8] {
        self.image
    }

    /// The verified manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The manifest, taken out.
    pub fn into_manifest(self) -> Manifest {
        self.manifest
    }

    /// The signatures that counted, each key once.
    pub fn accepted(&self) -> &[AcceptedSignature] {
        &self.accepted
    }
}
