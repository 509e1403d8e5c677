//! Why an artifact is refused.
//!
//! One enum, with a text for each variant.

use edgec_artifact::{LayoutError, Sha256Digest, StatementError, UnixTime, VerityDigest};

use crate::companion_refusal::{NotaryRefusal, ReleaseRefusal};
use crate::consistency::Contradiction;
use crate::discount::{Discounted, what};
use crate::engine_version::EngineVersion;
use crate::log::LogRefusal;
use crate::provenance_refusal::ProvenanceRefusal;

/// Why an artifact is not trusted. [`Self::refusal`] says in broad terms what to do about it, and
/// [`Self::code`] is a name for logs and metrics.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The policy has expired.
    #[error("the trust policy expired at {expires}; it is now {now}")]
    PolicyExpired {
        /// The first second after its validity.
        expires: UnixTime,
        /// The time of this verification.
        now: UnixTime,
    },
    /// The file is not an artifact: it is damaged, truncated, extended, or something else.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// There is no signature.
    #[error("the artifact carries no signature")]
    NoSignature,
    /// A signature has a trusted key's id, but is not that key's signature over this payload.
    /// Either the artifact was changed, or a signer pretends to own the key.
    #[error("the signature of trusted key `{key_name}` is not valid for this artifact")]
    BadSignature {
        /// The policy's name for the key.
        key_name: String,
    },
    /// Two signatures have one key id.
    #[error("two signatures have the key id {key_id}")]
    SameKeyTwice {
        /// The key id.
        key_id: String,
    },
    /// Fewer trusted signers have signed than the policy requires.
    #[error(
        "signatures by {accepted} of {threshold} required signers{}",
        what(scope, discounted, untrusted)
    )]
    Threshold {
        /// The number of different signers that have signed and count.
        accepted: usize,
        /// The number that the policy requires.
        threshold: usize,
        /// The scope that requires them; `None`: the policy's own threshold.
        scope: Option<String>,
        /// Trusted signers with a valid signature that does not count.
        discounted: Vec<Discounted>,
        /// The other key ids in the artifact. The policy does not know them, so their signatures
        /// are not checked.
        untrusted: Vec<String>,
    },
    /// The signed payload is not a manifest.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The image is longer or shorter than the manifest states.
    #[error("the image has {found} bytes, {signed} were signed")]
    ImageLength {
        /// The image's length in bytes.
        found: u64,
        /// The length in the manifest.
        signed: u64,
    },
    /// The image is not the one that was signed.
    #[error("the image's fs-verity digest is {found}, the manifest states {signed}")]
    ImageDigest {
        /// The digest of the image.
        found: VerityDigest,
        /// The digest in the manifest.
        signed: VerityDigest,
    },
    /// The image is the one that was signed, but the signed SHA-256 is that of other bytes. Tools
    /// that know an image by its SHA-256 would take the statement for one about another image.
    #[error("the image's SHA-256 is {found}, the manifest states {signed}")]
    ImageSha256 {
        /// The digest of the image.
        found: Sha256Digest,
        /// The digest in the manifest.
        signed: Sha256Digest,
    },
    /// The image differs from its manifest's description.
    #[error("the image contradicts its manifest")]
    Contradiction(#[from] Contradiction),
    /// Another application than the caller named ([`Expected`](crate::Expected)).
    #[error("the artifact is the application `{found}`, `{wanted}` is wanted")]
    OtherApplication {
        /// The name in the manifest.
        found: String,
        /// The name that the caller gave.
        wanted: String,
    },
    /// An application that the policy does not allow.
    #[error("the artifact is the application `{found}`, {wanted} is wanted")]
    Application {
        /// The name in the manifest.
        found: String,
        /// The patterns of the policy.
        wanted: String,
    },
    /// Another release channel than the caller named ([`Expected`](crate::Expected)).
    #[error("the artifact {}, `{wanted}` is wanted", of_channel(found))]
    OtherChannel {
        /// The channel in the manifest; empty if it states none.
        found: String,
        /// The channel that the caller gave.
        wanted: String,
    },
    /// A release channel that the policy does not allow.
    #[error("the artifact {}, {wanted} is wanted", of_channel(found))]
    Channel {
        /// The channel in the manifest; empty if it states none.
        found: String,
        /// The patterns of the policy.
        wanted: String,
    },
    /// A target that is not allowed.
    #[error("the artifact is for the target `{found}`, allowed are {allowed}")]
    Target {
        /// The target's id in the manifest.
        found: String,
        /// The patterns of the policy.
        allowed: String,
    },
    /// The version is older than the policy accepts.
    #[error("version {found} of `{application}` is below {minimum}, the lowest that is accepted")]
    Rollback {
        /// The application.
        application: String,
        /// The version in the manifest.
        found: u64,
        /// The lowest version that the policy accepts.
        minimum: u64,
    },
    /// An image that the policy revokes.
    #[error("the image {digest} is revoked: {reason}")]
    RevokedDigest {
        /// Its digest.
        digest: VerityDigest,
        /// The policy's reason.
        reason: String,
    },
    /// The engine that made the code is older than the policy accepts.
    #[error("the code was made by wasmtime {found}, {minimum} is the lowest that is accepted")]
    CompilerVersion {
        /// The version in the manifest.
        found: EngineVersion,
        /// The lowest version that is accepted.
        minimum: EngineVersion,
    },
    /// The engine version that made the code cannot be compared with the minimum and the denied
    /// ranges.
    #[error("the code was made by wasmtime `{found}`, which is not a version of three numbers")]
    CompilerUnknown {
        /// The version in the manifest.
        found: String,
    },
    /// The policy denies the engine version that made the code.
    #[error("the code was made by wasmtime {found}; versions {range} are denied: {reason}")]
    CompilerDenied {
        /// The version in the manifest.
        found: String,
        /// The denied range.
        range: String,
        /// The policy's reason.
        reason: String,
    },
    /// The edgec that made the artifact is older than the policy accepts.
    #[error("the artifact was made by edgec {found}, {minimum} is the lowest that is accepted")]
    BuilderVersion {
        /// The version in the manifest.
        found: EngineVersion,
        /// The lowest version that is accepted.
        minimum: EngineVersion,
    },
    /// The version of the edgec that made the artifact cannot be compared with the minimum.
    #[error("the artifact was made by edgec `{found}`, which is not a version of three numbers")]
    BuilderUnknown {
        /// The version in the manifest.
        found: String,
    },
    /// An advisory says that the code may be miscompiled.
    #[error("the code was made by wasmtime {found} for {target}, which {id} concerns: {title}")]
    Advisory {
        /// The version in the manifest.
        found: String,
        /// The target's id.
        target: String,
        /// The advisory.
        id: &'static str,
        /// The advisory's title.
        title: &'static str,
    },
    /// An engine profile that is not allowed.
    #[error("the artifact is of the engine profile `{found}`, allowed are {allowed}")]
    Profile {
        /// The profile in the manifest.
        found: String,
        /// The patterns of the policy.
        allowed: String,
    },
    /// Imports that are not allowed.
    #[error(
        "the artifact imports {}, which the policy does not allow",
        quoted(imports)
    )]
    Import {
        /// Every import that no pattern of the policy matches.
        imports: Vec<String>,
    },
    /// The artifact is not valid yet.
    #[error("the artifact is not valid before {not_before}; it is now {now}")]
    NotYetValid {
        /// The first second of its validity.
        not_before: UnixTime,
        /// The time of this verification.
        now: UnixTime,
    },
    /// The artifact has expired.
    #[error("the artifact expired at {expires}; it is now {now}")]
    Expired {
        /// The first second after its validity.
        expires: UnixTime,
        /// The time of this verification.
        now: UnixTime,
    },
    /// The artifact never expires, and the policy requires an expiry.
    #[error("the artifact states no expiry, and the policy requires one")]
    NoExpiry,
    /// The policy requires an audit, and the audit has findings.
    #[error("the audit of the code found {found}, the first at {first}")]
    Audit {
        /// The number of findings.
        found: u64,
        /// The first finding.
        first: String,
    },
    /// The policy requires an audit, and the code cannot be audited.
    #[error("the policy requires an audit of the code: {reason}")]
    NotAudited {
        /// Why not.
        reason: String,
    },
    /// The provenance is missing, wrong, or not one that the policy accepts.
    #[error(transparent)]
    Provenance(#[from] ProvenanceRefusal),
    /// The release or its timestamp is missing, wrong, or not one that the policy accepts.
    #[error(transparent)]
    Release(#[from] ReleaseRefusal),
    /// Too few notaries have rebuilt the artifact.
    #[error(transparent)]
    Notary(#[from] NotaryRefusal),
    /// The transparency log of the policy does not have the artifact, or that was not shown.
    #[error(transparent)]
    Log(#[from] LogRefusal),
}

impl VerifyError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::PolicyExpired { .. } => "policy-expired",
            Self::Layout(_) => "layout",
            Self::NoSignature => "no-signature",
            Self::BadSignature { .. } => "bad-signature",
            Self::SameKeyTwice { .. } => "same-key-twice",
            Self::Threshold {
                accepted,
                threshold,
                discounted,
                ..
            } => match discounted.first() {
                // The discounted keys are the reason only if the threshold would be reached with
                // them.
                Some(first) if accepted + discounted.len() >= *threshold => first.why.code(),
                _ => "threshold",
            },
            Self::Statement(_) => "statement",
            Self::ImageLength { .. } => "image-length",
            Self::ImageDigest { .. } => "image-digest",
            Self::ImageSha256 { .. } => "image-sha256",
            Self::Contradiction(_) => "contradiction",
            Self::OtherApplication { .. } | Self::Application { .. } => "application",
            Self::OtherChannel { .. } | Self::Channel { .. } => "channel",
            Self::Target { .. } => "target",
            Self::Rollback { .. } => "rollback",
            Self::RevokedDigest { .. } => "revoked-digest",
            Self::CompilerVersion { .. } | Self::CompilerUnknown { .. } => "compiler-version",
            Self::CompilerDenied { .. } => "compiler-denied",
            Self::BuilderVersion { .. } | Self::BuilderUnknown { .. } => "builder-version",
            Self::Advisory { .. } => "advisory",
            Self::Profile { .. } => "profile",
            Self::Import { .. } => "import",
            Self::NotYetValid { .. } => "not-yet-valid",
            Self::Expired { .. } => "expired",
            Self::NoExpiry => "expiry-required",
            Self::Audit { .. } => "audit",
            Self::NotAudited { .. } => "not-audited",
            Self::Provenance(refusal) => refusal.code(),
            Self::Release(refusal) => refusal.code(),
            Self::Notary(refusal) => refusal.code(),
            Self::Log(refusal) => refusal.code(),
        }
    }
}

/// An error and its causes in one line. If the text ends with a cause already, that cause is not
/// repeated. The texts quote artifacts and files, which may be hostile: before you print them to a
/// terminal, escape them, as `{:?}` does.
pub fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// The artifact's channel in words. A manifest need not state one.
fn of_channel(found: &str) -> String {
    match found {
        "" => "states no channel".to_owned(),
        found => format!("is of the channel `{found}`"),
    }
}

fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
