//! The two rules about releases: an artifact belongs to a release, and the release is the newest.

use edgec_artifact::{Manifest, Release, Sha256Digest, UnixTime};

use super::{SignedTimestamp, VerifiedRelease, VerifiedTimestamp, named, release_known_since};
use crate::companion_refusal::ReleaseRefusal;
use crate::expected::Expected;
use crate::policy::TrustPolicy;
use crate::role::Role;
use crate::signer;

/// The releases and timestamps that a caller gave, verified once for all rules.
pub(crate) struct Companions {
    releases: Vec<VerifiedRelease>,
    /// Each with the place of its release.
    timestamps: Vec<(VerifiedTimestamp, usize)>,
    /// Every time at which what a timestamp says changes, also one that does not count now.
    moments: Vec<UnixTime>,
    /// Why the last of those that do not count does not.
    refused_release: Option<ReleaseRefusal>,
    refused_timestamp: Option<ReleaseRefusal>,
}

impl Companions {
    pub(crate) fn of(policy: &TrustPolicy, expected: &Expected, now: UnixTime) -> Self {
        let stamps: Vec<Result<SignedTimestamp<'_>, ReleaseRefusal>> = expected
            .timestamps()
            .map(|bytes| SignedTimestamp::read(bytes, policy))
            .collect();
        let (mut releases, mut refused_release) = (Vec::new(), None);
        for bytes in expected.releases() {
            let known = |digest: Sha256Digest, release: &Release| {
                let about = stamps.iter().flatten();
                let about = about.filter(|stamp| stamp.timestamp.release == digest);
                let counted = about.filter_map(|stamp| stamp.counted(policy, now, release).ok());
                counted.map(|stamp| stamp.timestamp.issued).min()
            };
            match release_known_since(bytes, policy, now, known) {
                Ok(release) => releases.push(release),
                Err(error) => refused_release = Some(error),
            }
        }
        let moments = stamps.iter().flatten().flat_map(SignedTimestamp::moments);
        let moments = moments.collect();
        let (mut timestamps, mut refused_timestamp) = (Vec::new(), None);
        for stamp in stamps {
            match stamp.and_then(|stamp| of_release(&stamp, &releases, policy, now)) {
                Ok(stamped) => timestamps.push(stamped),
                Err(error) => refused_timestamp = Some(error),
            }
        }
        Self {
            releases,
            timestamps,
            moments,
            refused_release,
            refused_timestamp,
        }
    }

    /// The release that lists the artifact with this manifest, whose envelope has this payload. If
    /// several do, the newest.
    pub(crate) fn own(
        &self,
        manifest: &Manifest,
        payload: Sha256Digest,
    ) -> Option<&VerifiedRelease> {
        let lists = |it: &&VerifiedRelease| {
            let release = &it.release;
            let listed = release.artifact(&manifest.target.id, &manifest.engine.profile);
            same_application(release, manifest)
                && release.version == manifest.version
                && listed.is_some_and(|it| it.manifest == payload && it.image == manifest.image)
        };
        let listing = self.releases.iter().filter(lists);
        listing.max_by_key(|it| it.release.serial)
    }

    /// The newest release of the artifact's application and channel.
    fn newest(&self, manifest: &Manifest) -> Option<&Release> {
        let releases = self.releases.iter().map(|it| &it.release);
        let same = releases.filter(|release| same_application(release, manifest));
        same.max_by_key(|release| release.serial)
    }

    /// The timestamp of the newest release that has one, of the artifact's application. Of several
    /// about one release, the one that expires last.
    pub(crate) fn timestamp(
        &self,
        manifest: &Manifest,
    ) -> Option<(&VerifiedTimestamp, &VerifiedRelease)> {
        let stamped = self.timestamps.iter().filter_map(|(stamp, at)| {
            let release = self.releases.get(*at)?;
            same_application(&release.release, manifest).then_some((stamp, release))
        });
        stamped.max_by_key(|(stamp, it)| (it.release.serial, stamp.timestamp.expires))
    }

    /// The earliest time at which a timestamp shows that a release had listed this payload. The
    /// signer of the artifact cannot choose it.
    pub(crate) fn known_since(&self, payload: Sha256Digest) -> Option<UnixTime> {
        let stamped = self.timestamps.iter().filter(|(_, at)| {
            let release = self.releases.get(*at);
            release.is_some_and(|it| it.release.lists(payload))
        });
        stamped.map(|(stamp, _)| stamp.timestamp.issued).min()
    }

    /// Every time at which a verdict changes because of a timestamp.
    pub(crate) fn moments(&self) -> impl Iterator<Item = UnixTime> {
        self.moments.iter().copied()
    }
}

/// The timestamp, if it counts, and the place of its release among these.
fn of_release(
    stamp: &SignedTimestamp<'_>,
    releases: &[VerifiedRelease],
    policy: &TrustPolicy,
    now: UnixTime,
) -> Result<(VerifiedTimestamp, usize), ReleaseRefusal> {
    let stated = stamp.timestamp.release;
    let mut places = releases.iter().enumerate();
    let Some((at, release)) = places.find(|(_, release)| release.digest == stated) else {
        return Err(ReleaseRefusal::OtherRelease {
            stated,
            serial: releases.last().map(|it| it.release.serial),
        });
    };
    Ok((stamp.counted(policy, now, &release.release)?, at))
}

fn same_application(release: &Release, manifest: &Manifest) -> bool {
    (&release.application, &release.channel) == (&manifest.name, &manifest.channel)
}

/// Whether the artifact belongs to a release, and its version may still run. `None` if no release
/// is demanded or given.
pub(crate) fn release(
    policy: &TrustPolicy,
    companions: &Companions,
    expected: &Expected,
    manifest: &Manifest,
    payload: Sha256Digest,
) -> Result<Option<String>, ReleaseRefusal> {
    if !policy.demands.has(Role::Release) && expected.is_kept() {
        return Ok(None);
    }
    let Some(own) = companions.own(manifest, payload) else {
        if let Some(newest) = companions.newest(manifest) {
            return Err(not_listed(newest, manifest, payload));
        }
        if let Some(refused) = &companions.refused_release {
            return Err(refused.clone());
        }
        if let Some(other) = companions.releases.last() {
            let other = &other.release;
            return Err(ReleaseRefusal::OtherApplication {
                found: named(&other.application, other.channel.as_deref()),
                wanted: named(&manifest.name, manifest.channel.as_deref()),
            });
        }
        return match policy.demands.get(Role::Release) {
            Some(_) => Err(ReleaseRefusal::NoRelease),
            None => Ok(None),
        };
    };
    let (own, by) = (&own.release, &own.accepted);
    let newest = companions.newest(manifest).unwrap_or(own);
    if manifest.version < newest.floor {
        return Err(ReleaseRefusal::BelowFloor {
            version: manifest.version,
            floor: newest.floor,
            serial: newest.serial,
        });
    }
    let by = signer::names(by);
    Ok(Some(format!(
        "one of the {} artifacts of release {}, signed by {}; at least version {} may run",
        own.artifacts.len(),
        own.serial,
        by,
        newest.floor
    )))
}

fn not_listed(release: &Release, manifest: &Manifest, payload: Sha256Digest) -> ReleaseRefusal {
    let (target, profile) = (&manifest.target.id, &manifest.engine.profile);
    let (fits, serial) = (format!("{target} ({profile})"), release.serial);
    let listed = match release.artifact(target, profile) {
        Some(listed) if listed.image == manifest.image => {
            return ReleaseRefusal::OtherManifest {
                fits,
                serial,
                listed: listed.manifest,
                found: Box::new(payload),
            };
        }
        Some(listed) => format!(
            "version {} with the image {}",
            release.version, listed.image.fsverity
        ),
        None => "none".to_owned(),
    };
    ReleaseRefusal::NotListed {
        fits,
        serial,
        listed,
    }
}

/// Whether the artifact's release is the newest, by a timestamp that has not expired. `None` if no
/// timestamp is demanded or given.
pub(crate) fn freshness(
    policy: &TrustPolicy,
    companions: &Companions,
    expected: &Expected,
    manifest: &Manifest,
    payload: Sha256Digest,
    now: UnixTime,
) -> Result<Option<String>, ReleaseRefusal> {
    if !policy.demands.has(Role::Timestamp) && expected.is_kept() {
        return Ok(None);
    }
    let Some((stamp, newest)) = companions.timestamp(manifest) else {
        return match (
            &companions.refused_timestamp,
            policy.demands.get(Role::Timestamp),
        ) {
            (Some(refused), _) => Err(refused.clone()),
            (None, Some(_)) => Err(ReleaseRefusal::NoTimestamp),
            (None, None) => Ok(None),
        };
    };
    let (timestamp, newest) = (stamp.timestamp, &newest.release);
    let expires = timestamp.expires;
    if now >= expires {
        return Err(ReleaseRefusal::Stale { expires, now });
    }
    let Some(own) = companions.own(manifest, payload) else {
        return Err(ReleaseRefusal::OtherRelease {
            stated: timestamp.release,
            serial: None,
        });
    };
    let serial = own.release.serial;
    let stamped = newest.serial;
    if serial > stamped {
        return Err(ReleaseRefusal::OlderTimestamp { serial, stamped });
    }
    let is_newest = serial == stamped;
    if !is_newest && !expected.is_kept() {
        let newest = stamped;
        return Err(ReleaseRefusal::Older { serial, newest });
    }
    let which = match is_newest {
        true => format!("release {serial} is the newest"),
        false => format!("release {serial} may run; {} is the newest", newest.serial),
    };
    Ok(Some(format!(
        "{which}, as stated at {} until {expires}",
        timestamp.issued
    )))
}
