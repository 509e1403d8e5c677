//! Releases and timestamps: which artifacts belong together, which release is newer, and whether
//! the newest one is known now.
//!
//! Sources of the design: TUF's snapshot and timestamp roles
//! (<https://theupdateframework.github.io/specification/latest/>), and the rollback index of
//! Android Verified Boot.

mod judging;

use edgec_artifact::{Release, Sha256Digest, Timestamp, UnixTime};

pub(crate) use self::judging::{Companions, freshness, release};
use crate::clock_floor::is_ahead;
use crate::companion::signed;
use crate::companion_refusal::{ReleasePart, ReleaseRefusal};
use crate::policy::{KeyRule, TrustPolicy};
use crate::role::Role;
use crate::signer::AcceptedSignature;

/// A release that enough keys with the role `release` have signed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedRelease {
    /// What they have signed.
    pub release: Release,
    /// SHA-256 of the signed payload, which timestamps name.
    pub digest: Sha256Digest,
    /// The signatures that counted.
    pub accepted: Vec<AcceptedSignature>,
}

/// A timestamp that enough keys with the role `timestamp` have signed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedTimestamp {
    /// What they have signed.
    pub timestamp: Timestamp,
    /// The signatures that counted.
    pub accepted: Vec<AcceptedSignature>,
}

/// Verifies a release under a policy, at the time `now`. It does not say that no newer one exists:
/// a timestamp says that.
///
/// # Errors
///
/// [`ReleaseRefusal`].
pub fn verify_release(
    bytes: &[u8],
    policy: &TrustPolicy,
    now: UnixTime,
) -> Result<VerifiedRelease, ReleaseRefusal> {
    release_known_since(bytes, policy, now, |_, _| None)
}

/// Verifies a timestamp of a release under a policy, at the time `now`.
///
/// # Errors
///
/// [`ReleaseRefusal`], also if it is about another release, has expired, or was issued later than
/// this clock says.
pub fn verify_timestamp(
    bytes: &[u8],
    release: &VerifiedRelease,
    policy: &TrustPolicy,
    now: UnixTime,
) -> Result<VerifiedTimestamp, ReleaseRefusal> {
    let (digest, release) = (release.digest, &release.release);
    let of = |stated| (stated == digest).then_some(release);
    let verified = stamp(bytes, policy, now, Some(release.serial), of)?;
    let expires = verified.timestamp.expires;
    match now >= expires {
        true => Err(ReleaseRefusal::Stale { expires, now }),
        false => Ok(verified),
    }
}

/// Verifies a release. `known` tells since when a release is known by a witness that its signer
/// cannot choose: a key that was revoked later still counts.
fn release_known_since(
    bytes: &[u8],
    policy: &TrustPolicy,
    now: UnixTime,
    known: impl FnOnce(Sha256Digest, &Release) -> Option<UnixTime>,
) -> Result<VerifiedRelease, ReleaseRefusal> {
    let refused = |source| ReleaseRefusal::refused(ReleasePart::Release, source);
    let threshold = policy.demands.threshold(Role::Release);
    let signed = signed(bytes, policy, Role::Release, threshold).map_err(refused)?;
    let payload = signed.envelope.payload();
    let release = Release::decode(payload).map_err(|error| refused(error.into()))?;
    let digest = Sha256Digest::of(payload);
    let known = known(digest, &release);
    let covers = |rule: &KeyRule| rule.covers.covers_release(&release);
    let accepted = signed.counted(policy, now, |_| known, covers);
    let accepted = accepted.map_err(refused)?;
    Ok(VerifiedRelease {
        release,
        digest,
        accepted,
    })
}

/// Verifies a timestamp, except that it has not expired. `of` finds its release; `serial` is of the
/// one that was given, for messages.
fn stamp<'r>(
    bytes: &[u8],
    policy: &TrustPolicy,
    now: UnixTime,
    serial: Option<u64>,
    of: impl FnOnce(Sha256Digest) -> Option<&'r Release>,
) -> Result<VerifiedTimestamp, ReleaseRefusal> {
    let refused = |source| ReleaseRefusal::refused(ReleasePart::Timestamp, source);
    let threshold = policy.demands.threshold(Role::Timestamp);
    let signed = signed(bytes, policy, Role::Timestamp, threshold).map_err(refused)?;
    let timestamp = Timestamp::decode(signed.envelope.payload());
    let timestamp = timestamp.map_err(|error| refused(error.into()))?;
    let Some(release) = of(timestamp.release) else {
        return Err(ReleaseRefusal::OtherRelease {
            stated: timestamp.release,
            serial,
        });
    };
    let covers = |rule: &KeyRule| rule.covers.covers_release(release);
    let accepted = signed.counted(policy, now, |_| None, covers);
    let accepted = accepted.map_err(refused)?;
    let issued = timestamp.issued;
    if is_ahead(issued, now) {
        return Err(ReleaseRefusal::Ahead { issued, now });
    }
    Ok(VerifiedTimestamp {
        timestamp,
        accepted,
    })
}
