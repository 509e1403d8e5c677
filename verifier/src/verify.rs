//! The chain from a trusted key to the image.
//!
//! In this order, each step only when the one before held: layout, signatures over the
//! payload, payload, keys for what the payload says, image digest, image against manifest. Then all that the
//! policy decides itself, each rule whatever the others say. The payload is not parsed
//! before enough signatures on it were accepted; what was verified is what is parsed.

use edgec_artifact::{Artifact, FORMAT_VERSION, Manifest, PREDICATE_TYPE, Statement, verity};

use crate::check::{Check, CheckName, Status};
use crate::error::{VerifyError, error_chain};
use crate::moment::moment;
use crate::rules::{self, Facts};
use crate::signatures::{self, AcceptedSignature};
use crate::{TrustPolicy, consistency};

/// What the caller wants an artifact to be: a valid artifact of another application must
/// not take its place. Always enforced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    application: Option<String>,
    channel: Option<String>,
}

impl Expected {
    /// Whatever the policy lets in.
    pub fn anything() -> Self {
        Self {
            application: None,
            channel: None,
        }
    }

    /// This application.
    pub fn application(name: impl Into<String>) -> Self {
        Self {
            application: Some(name.into()),
            channel: None,
        }
    }

    /// Of this release channel.
    #[must_use]
    pub fn in_channel(mut self, channel: impl Into<String>) -> Self {
        self.channel = Some(channel.into());
        self
    }

    pub(crate) fn wanted_application(&self) -> Option<&str> {
        self.application.as_deref()
    }

    pub(crate) fn wanted_channel(&self) -> Option<&str> {
        self.channel.as_deref()
    }
}

/// An artifact that was verified: signed by enough trusted keys, unchanged since, what
/// it says it is, and let in by the policy.
#[derive(Debug)]
pub struct VerifiedArtifact<'a> {
    image: &'a [u8],
    manifest: Manifest,
    accepted: Vec<AcceptedSignature>,
    checks: Vec<Check>,
}

/// An artifact that was refused, and what was checked until then.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Rejection {
    /// The first check that failed.
    pub error: VerifyError,
    /// Every check that was made.
    pub checks: Vec<Check>,
    /// What was signed, when enough trusted keys have signed it.
    pub manifest: Option<Box<Manifest>>,
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
    expected: &Expected,
    now: u64,
) -> Result<VerifiedArtifact<'a>, VerifyError> {
    examine(file, policy, expected, now).map_err(|rejection| rejection.error)
}

/// As [`verify`], and a refusal tells what else was checked, and how it came out.
///
/// # Errors
///
/// [`Rejection`].
pub fn examine<'a>(
    file: &'a [u8],
    policy: &TrustPolicy,
    expected: &Expected,
    now: u64,
) -> Result<VerifiedArtifact<'a>, Rejection> {
    let mut checks = Checks::default();
    let authentic = match authenticate(file, policy, now, &mut checks) {
        Ok(authentic) => authentic,
        Err(error) => return Err(checks.rejection(error, None)),
    };
    let Authentic {
        image,
        manifest,
        accepted,
    } = authentic;
    let bound = bind(image, &manifest, &mut checks);
    let decided = bound.and_then(|()| {
        let facts = Facts {
            manifest: &manifest,
            expected,
            now,
        };
        rules::decide(policy, &facts, &mut checks)
    });
    match decided {
        Ok(()) => Ok(VerifiedArtifact {
            image,
            manifest,
            accepted,
            checks: checks.made,
        }),
        Err(error) => Err(checks.rejection(error, Some(Box::new(manifest)))),
    }
}

/// What enough trusted keys have signed, and the image that lies beside it.
struct Authentic<'a> {
    image: &'a [u8],
    manifest: Manifest,
    accepted: Vec<AcceptedSignature>,
}

fn authenticate<'a>(
    file: &'a [u8],
    policy: &TrustPolicy,
    now: u64,
    checks: &mut Checks,
) -> Result<Authentic<'a>, VerifyError> {
    use CheckName::{Layout, Policy, Signatures, Statement as Payload};

    // A host that runs for long may outlive the policy that it once read.
    match policy.expires() {
        Some(expires) if now >= expires => {
            return Err(checks.failed(Policy, VerifyError::PolicyExpired { expires, now }));
        }
        Some(expires) => checks.passed(Policy, format!("expires at {}", moment(expires))),
        None => {
            let evidence = "the policy does not expire".to_owned();
            checks.record(Policy, Status::NotApplicable, evidence);
        }
    }

    let artifact = Artifact::decode(file).map_err(|error| checks.failed(Layout, error.into()))?;
    let image = artifact.image();
    let evidence = format!(
        "format version {FORMAT_VERSION}, image of {} bytes, envelope of {}",
        image.len(),
        artifact.envelope_len()
    );
    checks.passed(Layout, evidence);

    let envelope = artifact.envelope();
    let signers = signatures::authentic(envelope, policy, now)
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
        manifest,
        accepted,
    })
}

/// Whether the image is the one that was signed, and what its manifest says.
fn bind(image: &[u8], manifest: &Manifest, checks: &mut Checks) -> Result<(), VerifyError> {
    use CheckName::{Digest, Image};

    let found = image.len() as u64;
    let signed = manifest.image.length;
    if found != signed {
        return Err(checks.failed(Digest, VerifyError::ImageLength { found, signed }));
    }
    // The fs-verity digest, not SHA-256: it covers the same bytes, is computed in
    // parallel, and is what the kernel checks in a store.
    let found = verity::digest(image);
    let signed = manifest.image.fsverity;
    if found != signed {
        return Err(checks.failed(Digest, VerifyError::ImageDigest { found, signed }));
    }
    checks.passed(Digest, format!("fs-verity {found}, computed and signed"));
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

/// The checks that were made so far.
#[derive(Default)]
pub(crate) struct Checks {
    made: Vec<Check>,
}

impl Checks {
    pub(crate) fn record(&mut self, name: CheckName, status: Status, evidence: String) {
        self.made.push(Check {
            name,
            status,
            evidence,
        });
    }

    fn passed(&mut self, name: CheckName, evidence: String) {
        self.record(name, Status::Passed, evidence);
    }

    pub(crate) fn failed(&mut self, name: CheckName, error: VerifyError) -> VerifyError {
        self.record(name, Status::Failed, error_chain(&error));
        error
    }

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

    /// Every check that was made, in order; none of them failed, some may warn.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }
}
