//! Verifies what was just signed, before a build returns it.

use edgec_artifact::{Artifact, Manifest, SignerKeys, Statement};
use edgec_verifier::{Expected, TrustPolicy, TrustedKey, UnixTime, verify};

use crate::error::SelfCheckError;

/// Verifies a newly signed artifact as a host would, at a time within its validity.
///
/// # Errors
///
/// [`SelfCheckError`]. In that case, do not use the artifact.
pub fn self_check(file: &[u8], keys: &SignerKeys) -> Result<Manifest, SelfCheckError> {
    let artifact = Artifact::decode(file)?;
    let Statement { manifest } = Statement::decode(artifact.envelope().payload())?;
    let at = manifest.validity.and_then(|validity| validity.not_before);
    let trusted = TrustedKey::new("signer", keys.clone());
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
