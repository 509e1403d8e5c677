//! Releases and timestamps: which artifacts belong together, which release is newer, and whether
//! the newest one is known now.
//!
//! Sources of the design: TUF's snapshot and timestamp roles
//! (<https://theupdateframework.github.io/specification/latest/>), and the rollback index of
//! Android Verified Boot.

mod judging;

use std::sync::Arc;

use edgec_artifact::{Release, Sha256Digest, Timestamp, UnixTime};

pub(crate) use self::judging::{Companions, freshness, release};
use crate::check::{CheckName, Mode};
use crate::clock_floor::{CLOCK_SKEW, is_ahead};
use crate::companion::{Signed, signed};
use crate::companion_refusal::{ReleasePart, ReleaseRefusal};
use crate::expected::Expected;
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
    /// The file that was verified, for a host that keeps it.
    pub envelope: Arc<[u8]>,
}

/// A timestamp that enough keys with the role `timestamp` have signed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedTimestamp {
    /// What they have signed.
    pub timestamp: Timestamp,
    /// The signatures that counted.
    pub accepted: Vec<AcceptedSignature>,
    /// The file that was verified, for a host that keeps it.
    pub envelope: Arc<[u8]>,
}

impl VerifiedRelease {
    /// Checks that the release is of the application and channel that a caller expects. What else
    /// the caller expects is about artifacts.
    ///
    /// # Errors
    ///
    /// [`ReleaseRefusal::Unexpected`].
    pub fn check_expected(&self, expected: &Expected) -> Result<(), ReleaseRefusal> {
        let (name, channel) = (&self.release.application, self.release.channel.as_deref());
        let wanted = (expected.wanted_application(), expected.wanted_channel());
        let is_named = wanted.0.is_none_or(|wanted| wanted == name);
        let is_of_channel = wanted.1.is_none_or(|wanted| Some(wanted) == channel);
        if is_named && is_of_channel {
            return Ok(());
        }
        Err(ReleaseRefusal::Unexpected {
            found: named(name, channel),
            wanted: match wanted {
                (Some(name), Some(channel)) => named(name, Some(channel)),
                (Some(name), None) => format!("`{name}`"),
                (None, channel) => format!("the channel `{}`", channel.unwrap_or_default()),
            },
        })
    }
}

/// Whether a host may take a release as the newest with this timestamp about it, or without one.
/// Otherwise a release that was signed ahead, and never published, could stop a host.
///
/// # Errors
///
/// [`ReleaseRefusal::NoTimestamp`] if the policy demands a timestamp and there is none.
pub fn check_stamped(
    stamp: Option<&VerifiedTimestamp>,
    policy: &TrustPolicy,
) -> Result<(), ReleaseRefusal> {
    let is_demanded = policy.demanded(Role::Timestamp).is_some()
        && policy.mode(CheckName::Freshness) == Mode::Enforce;
    match stamp {
        None if is_demanded => Err(ReleaseRefusal::NoTimestamp),
        _ => Ok(()),
    }
}

/// An application and its channel in words.
fn named(name: &str, channel: Option<&str>) -> String {
    match channel {
        Some(channel) => format!("`{name}` in the channel `{channel}`"),
        None => format!("`{name}` without a channel"),
    }
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
    let stamp = SignedTimestamp::read(bytes, policy)?;
    if stamp.timestamp.release != release.digest {
        return Err(ReleaseRefusal::OtherRelease {
            stated: stamp.timestamp.release,
            serial: Some(release.release.serial),
        });
    }
    let verified = stamp.counted(policy, now, &release.release)?;
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
    let mismatch = |rule: &KeyRule| rule.covers.mismatch_release(&release);
    let accepted = signed.counted(policy, now, |_| known, mismatch);
    let accepted = accepted.map_err(refused)?;
    Ok(VerifiedRelease {
        release,
        digest,
        accepted,
        envelope: bytes.into(),
    })
}

/// A timestamp that enough signers with the role have signed, if all of them count.
struct SignedTimestamp<'p> {
    signed: Signed<'p>,
    timestamp: Timestamp,
    envelope: Arc<[u8]>,
}

impl<'p> SignedTimestamp<'p> {
    fn read(bytes: &[u8], policy: &'p TrustPolicy) -> Result<Self, ReleaseRefusal> {
        let refused = |source| ReleaseRefusal::refused(ReleasePart::Timestamp, source);
        let threshold = policy.demands.threshold(Role::Timestamp);
        let signed = signed(bytes, policy, Role::Timestamp, threshold).map_err(refused)?;
        let timestamp = Timestamp::decode(signed.envelope.payload());
        Ok(Self {
            timestamp: timestamp.map_err(|error| refused(error.into()))?,
            envelope: bytes.into(),
            signed,
        })
    }

    /// The timestamp of its release, if it counts. It may have expired.
    fn counted(
        &self,
        policy: &TrustPolicy,
        now: UnixTime,
        release: &Release,
    ) -> Result<VerifiedTimestamp, ReleaseRefusal> {
        let mismatch = |rule: &KeyRule| rule.covers.mismatch_release(release);
        let accepted = self.signed.counted(policy, now, |_| None, mismatch);
        let refused = |source| ReleaseRefusal::refused(ReleasePart::Timestamp, source);
        let accepted = accepted.map_err(refused)?;
        let issued = self.timestamp.issued;
        if is_ahead(issued, now) {
            return Err(ReleaseRefusal::Ahead { issued, now });
        }
        Ok(VerifiedTimestamp {
            timestamp: self.timestamp,
            accepted,
            envelope: Arc::clone(&self.envelope),
        })
    }

    /// Every time at which what it says changes: when it begins to count, and when it expires.
    fn moments(&self) -> [UnixTime; 2] {
        let Timestamp {
            issued, expires, ..
        } = self.timestamp;
        [issued.saturating_sub(CLOCK_SKEW), expires]
    }
}
