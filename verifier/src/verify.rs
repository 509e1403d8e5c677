//! The chain from a trusted key to the image.
//!
//! The steps have this order, and each needs the one before: layout, signatures over the payload,
//! payload, keys for this payload, image digest, image against manifest. After that come the
//! policy's own rules, each whatever the results of the others. The payload is not parsed before
//! enough signatures on it are accepted. The parsed bytes are the verified bytes.

use std::ops::Range;

use edgec_artifact::{
    Artifact, Envelope, FORMAT_VERSION, LayoutError, Manifest, PREDICATE_TYPE, Statement, UnixTime,
    VerityDigest, verity,
};

use crate::check::{Check, CheckName, Status};
use crate::checks::Checks;
use crate::error::VerifyError;
use crate::expected::Expected;
use crate::rules::{self, Facts};
use crate::signatures::{self, AcceptedSignature};
use crate::{TrustPolicy, consistency};

/// A verified artifact. Enough trusted keys have signed it, it was not changed since, the image is
/// as the manifest describes it, and the policy accepts it.
#[derive(Debug)]
pub struct VerifiedArtifact<'a> {
    image: &'a [u8],
    envelope: &'a [u8],
    manifest: Manifest,
    accepted: Vec<AcceptedSignature>,
    checks: Vec<Check>,
    holds: Range<UnixTime>,
}

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
    judge(decode, None, policy, expected, now)
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
    let verdict = judge(decode, Some(stored.measured), policy, expected, now);
    verdict.map_err(|rejection| rejection.error)
}

fn judge<'a>(
    decode: impl FnOnce(&mut Checks) -> Result<Decoded<'a>, VerifyError>,
    measured: Option<Measured>,
    policy: &TrustPolicy,
    expected: &Expected,
    now: UnixTime,
) -> Result<VerifiedArtifact<'a>, Rejection> {
    let mut checks = Checks::default();
    let authentic = match authenticate(decode, policy, now, &mut checks) {
        Ok(authentic) => authentic,
        Err(error) => return Err(checks.rejection(error, None)),
    };
    let Authentic {
        image,
        envelope,
        manifest,
        accepted,
    } = authentic;
    let bound = bind(image, measured, &manifest, &mut checks);
    let decided = bound.and_then(|()| {
        let facts = Facts {
            image,
            manifest: &manifest,
            expected,
            now,
        };
        rules::decide(policy, &facts, &mut checks)
    });
    match decided {
        Ok(()) => Ok(VerifiedArtifact {
            holds: holds(policy, &manifest, now),
            image,
            envelope,
            manifest,
            accepted,
            checks: checks.made,
        }),
        Err(error) => Err(checks.rejection(error, Some(Box::new(manifest)))),
    }
}

/// The times at which the verdict is the same. The verdict depends on the time only by comparison
/// with the moments in policy and manifest.
fn holds(policy: &TrustPolicy, manifest: &Manifest, now: UnixTime) -> Range<UnixTime> {
    let signed = manifest.validity.into_iter();
    let signed = signed.flat_map(|validity| [validity.not_before, validity.expires]);
    let (mut from, mut until) = (UnixTime::EPOCH, UnixTime::MAX);
    for moment in policy.moments().chain(signed.flatten()) {
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
}

fn authenticate<'a>(
    decode: impl FnOnce(&mut Checks) -> Result<Decoded<'a>, VerifyError>,
    policy: &TrustPolicy,
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
    let signers = signatures::authentic(&envelope, policy, now)
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
    })
}

/// Checks that the image is the signed one, and is as its manifest describes it.
fn bind(
    image: &[u8],
    measured: Option<Measured>,
    manifest: &Manifest,
    checks: &mut Checks,
) -> Result<(), VerifyError> {
    use CheckName::{Digest, Image};

    let found = image.len() as u64;
    let signed = manifest.image.length;
    if found != signed {
        return Err(checks.failed(Digest, VerifyError::ImageLength { found, signed }));
    }
    // This compares the fs-verity digest and not SHA-256: it covers the same bytes, is computed in
    // parallel, and is what the kernel checks in a store.
    let (found, how) = match measured {
        None => (verity::digest(image), "computed and signed"),
        Some(Measured::Kernel(digest)) => (digest, "measured by the kernel and signed"),
        Some(Measured::Admitted(digest)) => (digest, "computed at admission and signed"),
    };
    let signed = manifest.image.fsverity;
    if found != signed {
        return Err(checks.failed(Digest, VerifyError::ImageDigest { found, signed }));
    }
    checks.passed(Digest, format!("fs-verity {found}, {how}"));
    consistency::check(image, manifest).map_err(|error| checks.failed(Image, error.into()))?;
    let target = &manifest.target;
    let features = match target.cpu_features.as_slice() {
        [] => "no CPU features beyond the base".to_owned(),
        features => format!("CPU features {}", features.join(", ")),
    };
    checks.passed(
        Image,
        format!(
            "{} for {} ({}), {features}, wasmtime {}: image and manifest agree",
            manifest.kind.name(),
            target.id,
            target.triple,
            manifest.engine.major(),
        ),
    );
    Ok(())
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

impl<'a> VerifiedArtifact<'a> {
    /// The verified image.
    pub fn image(&self) -> &'a [u8] {
        self.image
    }

    /// The envelope as it stands in the file.
    pub fn envelope(&self) -> &'a [u8] {
        self.envelope
    }

    /// The verified manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The manifest, taken out of the artifact.
    pub fn into_manifest(self) -> Manifest {
        self.manifest
    }

    /// The signatures that counted, each key once.
    pub fn accepted(&self) -> &[AcceptedSignature] {
        &self.accepted
    }

    /// The times at which the same policy gives the same verdict.
    pub fn holds(&self) -> Range<UnixTime> {
        self.holds.clone()
    }

    /// Every check that was made, in order. None of them failed; some may warn.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }
}
