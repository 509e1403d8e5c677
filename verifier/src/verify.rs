//! The chain from a trusted key to the image.
//!
//! The steps have this order, and each needs the one before: layout, signatures over the payload,
//! payload, keys for this payload, image digest, image against manifest. After that come the
//! policy's own rules, each whatever the results of the others. The payload is not parsed before
//! enough signatures on it are accepted. The parsed bytes are the verified bytes.

mod binding;
mod verified;

use std::ops::Range;

use edgec_artifact::{
    Artifact, Envelope, FORMAT_VERSION, KeyId, LayoutError, Manifest, PREDICATE_TYPE, Sha256Digest,
    Statement, UnixTime, VerityDigest,
};

use self::binding::{Known, bind};
pub use self::verified::VerifiedArtifact;
use crate::check::{Check, CheckName, Status};
use crate::checks::Checks;
use crate::error::VerifyError;
use crate::expected::Expected;
use crate::release::Companions;
use crate::rules::{self, Facts};
use crate::signatures;
use crate::signer::AcceptedSignature;
use crate::{TrustPolicy, log, notary};

/// An image and its envelope in separate files, as a store has them.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Stored<'a> {
    /// The image.
    pub image: &'a [u8],
    /// The envelope, as in an artifact.
    pub envelope: &'a [u8],
    /// How the image's digest is known.
    pub measured: Measured,
}

impl<'a> Stored<'a> {
    /// An image, its envelope, and how the image's digest is known.
    pub const fn new(image: &'a [u8], envelope: &'a [u8], measured: Measured) -> Self {
        Self {
            image,
            envelope,
            measured,
        }
    }
}

/// How an image's fs-verity digest is known without hashing its bytes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Measured {
    /// The kernel states it, and compares every page with it whenever the page is read.
    Kernel(VerityDigest),
    /// It was computed when the image was admitted to a store that only its owner can change. The
    /// caller must make sure of that.
    Admitted(VerityDigest),
}

/// A refused artifact, and the checks up to the refusal.
#[derive(Debug, thiserror::Error)]
#[error("the artifact is not trusted")]
#[non_exhaustive]
pub struct Rejection {
    /// The first check that failed.
    #[source]
    pub error: VerifyError,
    /// Every check that was made.
    pub checks: Vec<Check>,
    /// The signed manifest, if enough trusted keys have signed it.
    pub manifest: Option<Box<Manifest>>,
}

/// How much of a file's image is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hashing {
    /// Both signed digests are computed and compared. Then every tool that knows the file by one of
    /// them means the same image.
    Both,
    /// Only the fs-verity digest, in about half the time. It covers the same bytes, so the image is
    /// the signed one. The signed SHA-256 may be that of another file.
    FsVerity,
}

/// Verifies a whole file against a policy, at the time `now` ([`Clock`](crate::Clock)).
///
/// The bytes must not change while the result lives. Pass a borrowed buffer, or a mapping that no
/// other process can write.
///
/// # Errors
///
/// [`VerifyError`] names the first check that failed.
pub fn verify<'a>(
    file: &'a [u8],
    policy: &TrustPolicy,
    expected: &Expected,
    now: UnixTime,
) -> Result<VerifiedArtifact<'a>, VerifyError> {
    examine(file, policy, expected, now).map_err(|rejection| rejection.error)
}

/// Like [`verify`], without computing SHA-256 ([`Hashing::FsVerity`]): for a host that loads a file
/// again and again. To take in an artifact for others, use [`verify`].
///
/// # Errors
///
/// As [`verify`].
pub fn verify_fast<'a>(
    file: &'a [u8],
    policy: &TrustPolicy,
    expected: &Expected,
    now: UnixTime,
) -> Result<VerifiedArtifact<'a>, VerifyError> {
    let verdict = examine_hashing(file, policy, expected, now, Hashing::FsVerity);
    verdict.map_err(|rejection| rejection.error)
}

/// The manifest in an envelope, whatever its signatures: for reports, never for a decision.
///
/// # Errors
///
/// [`VerifyError`] if the bytes are not an envelope, or its payload is not a manifest.
pub fn stated(envelope: &[u8]) -> Result<Manifest, VerifyError> {
    let envelope =
        Envelope::decode(envelope).map_err(|source| LayoutError::Envelope { offset: 0, source })?;
    Ok(Statement::decode(envelope.payload())?.manifest)
}

/// Like [`verify`], but a refusal has all other checks and their results.
///
/// # Errors
///
/// [`Rejection`].
pub fn examine<'a>(
    file: &'a [u8],
    policy: &TrustPolicy,
    expected: &Expected,
    now: UnixTime,
) -> Result<VerifiedArtifact<'a>, Rejection> {
    examine_hashing(file, policy, expected, now, Hashing::Both)
}

/// Like [`examine`], with a choice of digests.
///
/// # Errors
///
/// [`Rejection`].
pub fn examine_hashing<'a>(
    file: &'a [u8],
    policy: &TrustPolicy,
    expected: &Expected,
    now: UnixTime,
    hashing: Hashing,
) -> Result<VerifiedArtifact<'a>, Rejection> {
    let decode = |checks: &mut Checks| {
        let artifact = Artifact::decode(file);
        let artifact = artifact.map_err(|error| checks.failed(CheckName::Layout, error.into()))?;
        let image = artifact.image();
        let evidence = format!(
            "format version {FORMAT_VERSION}, image of {} bytes, envelope of {}",
            image.len(),
            artifact.envelope_len()
        );
        checks.passed(CheckName::Layout, evidence);
        Ok((image, artifact.into_envelope()))
    };
    judge(decode, Known::ToHash(hashing, file), policy, expected, now)
}

/// Like [`verify`], for an image whose digest is known already. The time does not depend on the
/// length of the image.
///
/// # Errors
///
/// As [`verify`].
pub fn verify_stored<'a>(
    stored: &Stored<'a>,
    policy: &TrustPolicy,
    expected: &Expected,
    now: UnixTime,
) -> Result<VerifiedArtifact<'a>, VerifyError> {
    let decode = |checks: &mut Checks| {
        let envelope = Envelope::decode(stored.envelope).map_err(|source| {
            let error = LayoutError::Envelope { offset: 0, source };
            checks.failed(CheckName::Layout, error.into())
        })?;
        let evidence = format!(
            "image of {} bytes, envelope of {}, in files of their own",
            stored.image.len(),
            stored.envelope.len()
        );
        checks.passed(CheckName::Layout, evidence);
        Ok((stored.image, (envelope, stored.envelope)))
    };
    let known = Known::Measured(stored.measured);
    let verdict = judge(decode, known, policy, expected, now);
    verdict.map_err(|rejection| rejection.error)
}

/// Everything about an artifact that its envelope decides, before its image is there: signatures,
/// statement, expectations, and every rule of the policy except the audit of the code. So a host
/// does not fetch an image that it would refuse. An admission calls [`verify`] with the image: this
/// says nothing about the image's bytes.
///
/// # Errors
///
/// As [`verify`].
pub fn verify_ahead(
    envelope: &[u8],
    policy: &TrustPolicy,
    expected: &Expected,
    now: UnixTime,
) -> Result<Manifest, VerifyError> {
    let mut checks = Checks::default();
    let decode = |checks: &mut Checks| {
        let decoded = Envelope::decode(envelope).map_err(|source| {
            let error = LayoutError::Envelope { offset: 0, source };
            checks.failed(CheckName::Layout, error.into())
        })?;
        Ok((&[][..], (decoded, envelope)))
    };
    let authentic = authenticate(decode, policy, expected, now, &mut checks)?;
    let facts = Facts {
        image: &[],
        manifest: &authentic.manifest,
        expected,
        now,
        payload: authentic.payload,
        companions: &authentic.companions,
    };
    rules::decide_ahead(policy, &facts, &mut checks)?;
    Ok(authentic.manifest)
}

fn judge<'a>(
    decode: impl FnOnce(&mut Checks) -> Result<Decoded<'a>, VerifyError>,
    known: Known<'_>,
    policy: &TrustPolicy,
    expected: &Expected,
    now: UnixTime,
) -> Result<VerifiedArtifact<'a>, Rejection> {
    let mut checks = Checks::default();
    let authentic = match authenticate(decode, policy, expected, now, &mut checks) {
        Ok(authentic) => authentic,
        Err(error) => return Err(checks.rejection(error, None)),
    };
    let Authentic {
        image,
        envelope,
        manifest,
        accepted,
        payload,
        companions,
    } = authentic;
    let bound = bind(image, known, &manifest, &mut checks);
    let decided = bound.and_then(|file_sha256| {
        let facts = Facts {
            image,
            manifest: &manifest,
            expected,
            now,
            payload,
            companions: &companions,
        };
        rules::decide(policy, &facts, &mut checks)?;
        let notaries = notary::notaries(policy, expected, &manifest, payload, now);
        Ok((file_sha256, notaries))
    });
    match decided {
        Ok((file_sha256, notaries)) => Ok(VerifiedArtifact {
            holds: holds(policy, &manifest, &companions, now),
            release: companions.own(&manifest, payload).cloned(),
            timestamp: companions.timestamp(&manifest).map(|(it, _)| it.clone()),
            payload,
            notaries: notaries.accepted,
            rebuilds: notaries.statements,
            image,
            envelope,
            manifest,
            accepted,
            checks: checks.made,
            file_sha256,
        }),
        Err(error) => Err(checks.rejection(error, Some(Box::new(manifest)))),
    }
}

/// The times at which the verdict is the same. The verdict depends on the time only by comparison
/// with the moments in policy and manifest, and with those at which a timestamp begins to count and
/// expires.
fn holds(
    policy: &TrustPolicy,
    manifest: &Manifest,
    companions: &Companions,
    now: UnixTime,
) -> Range<UnixTime> {
    let signed = manifest.validity.into_iter();
    let signed = signed.flat_map(|validity| [validity.not_before, validity.expires]);
    let (mut from, mut until) = (UnixTime::EPOCH, UnixTime::MAX);
    let moments = policy.moments().chain(signed.flatten());
    for moment in moments.chain(companions.moments()) {
        if moment <= now {
            from = from.max(moment);
        } else {
            until = until.min(moment);
        }
    }
    from..until
}

/// The image, and the envelope with its bytes.
type Decoded<'a> = (&'a [u8], (Envelope, &'a [u8]));

/// A payload that enough trusted keys have signed, and the image beside it.
struct Authentic<'a> {
    image: &'a [u8],
    envelope: &'a [u8],
    manifest: Manifest,
    accepted: Vec<AcceptedSignature>,
    /// SHA-256 of the payload.
    payload: Sha256Digest,
    companions: Companions,
}

fn authenticate<'a>(
    decode: impl FnOnce(&mut Checks) -> Result<Decoded<'a>, VerifyError>,
    policy: &TrustPolicy,
    expected: &Expected,
    now: UnixTime,
    checks: &mut Checks,
) -> Result<Authentic<'a>, VerifyError> {
    use CheckName::{Policy, Signatures, Statement as Payload};

    // A host that runs for long may outlive its policy.
    match policy.expires() {
        Some(expires) if now >= expires => {
            return Err(checks.failed(Policy, VerifyError::PolicyExpired { expires, now }));
        }
        Some(expires) => checks.passed(Policy, format!("expires at {expires}")),
        None => {
            let evidence = "the policy does not expire".to_owned();
            checks.record(Policy, Status::NotApplicable, evidence);
        }
    }

    let (image, (envelope, envelope_bytes)) = decode(checks)?;
    let payload = Sha256Digest::of(envelope.payload());
    let companions = Companions::of(policy, expected, now);
    let stamped = companions.known_since(payload);
    let logged = log::known_since(policy, expected, envelope.payload());
    let known = |key: KeyId| {
        let recorded = expected.known_since(key).into_iter();
        recorded.chain(stamped).chain(logged).min()
    };
    let signers = signatures::authentic(&envelope, policy, now, known)
        .map_err(|error| checks.failed(Signatures, error))?;
    let Statement { manifest } = Statement::decode(envelope.payload()).map_err(|error| {
        checks.passed(Signatures, format!("signed by {}", signers.names()));
        checks.failed(Payload, error.into())
    })?;
    let (accepted, counted) = signatures::enough(signers, policy, &manifest)
        .map_err(|error| checks.failed(Signatures, error))?;
    let keys = accepted
        .iter()
        .map(|signature| format!("{} ({})", signature.key_name, signature.key_id));
    let keys: Vec<String> = keys.collect();
    checks.passed(Signatures, format!("{counted}: {}", keys.join(", ")));
    let named = format!(
        "in-toto statement about `{}`, {PREDICATE_TYPE}",
        manifest.name
    );
    checks.passed(Payload, named);
    Ok(Authentic {
        image,
        envelope: envelope_bytes,
        manifest,
        accepted,
        payload,
        companions,
    })
}

impl Checks {
    fn rejection(self, error: VerifyError, manifest: Option<Box<Manifest>>) -> Rejection {
        Rejection {
            error,
            checks: self.made,
            manifest,
        }
    }
}
