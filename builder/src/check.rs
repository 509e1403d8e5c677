//! What was just signed is verified before it leaves a build.

use edgec_artifact::{Artifact, Manifest, PublicKey, Statement};
use edgec_verifier::{Expected, TrustPolicy, TrustedKey, UnixTime, verify};

use crate::error::SelfCheckError;

/// Verifies what was just signed as a host would, at a time at which it is meant to be valid.
///
/// # Errors
///
/// [`SelfCheckError`]: the artifact is not to be used.
pub fn self_check(file: &[u8], key: &PublicKey) -> Result<Manifest, SelfCheckError> {
    let artifact = Artifact::decode(file)?;
    let Statement { manifest } = Statement::decode(artifact.envelope().payload())?;
    let at = manifest.validity.and_then(|validity| validity.not_before);
    let trusted = TrustedKey::new("signer", *key);
    let policy = TrustPolicy::new(vec![trusted], 1);
    let policy = policy.map_err(|error| SelfCheckError::Policy(Box::new(error)))?;
    let verified = verify(
        file,
        &policy,
        &Expected::anything(),
        at.unwrap_or(UnixTime::EPOCH),
    );
    let verified = verified.map_err(|error| SelfCheckError::Verify(Box::new(error)))?;
    Ok(verified.into_manifest())
}
