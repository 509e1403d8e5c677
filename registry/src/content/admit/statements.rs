//! The release and the timestamp of an offer, verified before anything else is fetched.

use edgec_artifact::ReleasedArtifact;
use edgec_store::ArtifactStore;
use edgec_verifier::{
    Expected, ReleaseRefusal, TrustPolicy, UnixTime, VerifiedRelease, check_stamped,
    verify_release, verify_timestamp,
};

use super::super::offer::{Offer, Statements};
use super::super::pull_error::PullError;

/// What the statements of an offer add to what a caller expects.
pub(super) struct Given {
    pub(super) expected: Expected,
    pub(super) verified: Option<VerifiedRelease>,
    pub(super) statements: Option<Statements>,
}

impl Offer {
    /// Verifies release and timestamp. A timestamp that has expired is left out, if the policy does
    /// not demand one.
    pub(super) fn statements_for(
        &self,
        store: &ArtifactStore,
        policy: &TrustPolicy,
        expected: &Expected,
        now: UnixTime,
    ) -> Result<Given, PullError> {
        let Some(mut statements) = self.release()? else {
            return Ok(Given {
                expected: expected.clone(),
                verified: None,
                statements: None,
            });
        };
        let verified = verify_release(&statements.release, policy, now);
        let verified = verified.map_err(PullError::Release)?;
        verified
            .check_expected(expected)
            .map_err(PullError::Release)?;
        let mut stamp = None;
        if let Some(timestamp) = &statements.timestamp {
            match verify_timestamp(timestamp, &verified, policy, now) {
                Ok(verified) => stamp = Some(verified),
                Err(ReleaseRefusal::Stale { .. }) if check_stamped(None, policy).is_ok() => {
                    statements.timestamp = None;
                }
                Err(error) => return Err(PullError::Release(error)),
            }
        }
        store.check_release(&verified, policy)?;
        check_stamped(stamp.as_ref(), policy).map_err(PullError::Release)?;
        self.is_complete(&verified)?;
        let mut expected = expected.clone().with_release(statements.release.clone());
        if let Some(timestamp) = &statements.timestamp {
            expected = expected.with_timestamp(timestamp.clone());
        }
        Ok(Given {
            expected,
            verified: Some(verified),
            statements: Some(statements),
        })
    }

    /// Whether the index lists everything that the release lists.
    fn is_complete(&self, verified: &VerifiedRelease) -> Result<(), PullError> {
        let release = &verified.release;
        let listed = release.artifacts.iter();
        let missing = listed.filter(|it| self.native((&it.target, &it.profile)).is_none());
        let missing: Vec<String> = missing.map(ReleasedArtifact::fits).collect();
        match missing.is_empty() {
            true => Ok(()),
            false => Err(PullError::Incomplete {
                serial: release.serial,
                missing,
            }),
        }
    }
}
