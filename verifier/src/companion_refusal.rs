//! Why a statement beside an artifact does not count, or is not enough for a policy.

use edgec_artifact::{CompanionError, Sha256Digest, UnixTime};

use crate::discount::{Discounted, what};
use crate::role::Role;

/// Why a statement beside an artifact does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompanionRefusal {
    /// The file is not such a statement.
    #[error(transparent)]
    Malformed(#[from] CompanionError),
    /// Two signatures have one key id.
    #[error("two signatures have the key id {key_id}")]
    SameKeyTwice {
        /// The key id.
        key_id: String,
    },
    /// A signature has the id of a key of the policy, but is not that key's.
    #[error("the signature of trusted key `{key_name}` is not valid for this statement")]
    BadSignature {
        /// The policy's name for the key.
        key_name: String,
    },
    /// Too few signers with the role have signed it and count.
    #[error(
        "signatures by {accepted} of {threshold} required signers with the role `{}`{}",
        role.name(),
        what(&None, discounted, untrusted)
    )]
    Threshold {
        /// The number of different signers that have signed and count.
        accepted: usize,
        /// The number that is required.
        threshold: usize,
        /// The role.
        role: Role,
        /// Trusted signers with a valid signature that does not count.
        discounted: Vec<Discounted>,
        /// The other key ids in the statement. The policy does not know them, so their signatures
        /// are not checked.
        untrusted: Vec<String>,
    },
}

impl CompanionRefusal {
    /// Whether the statement is malformed, and not only signed by the wrong keys.
    pub(crate) const fn is_malformed(&self) -> bool {
        matches!(self, Self::Malformed(_))
    }
}

/// Why the statements of notaries are missing or refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotaryRefusal {
    /// The policy demands a notary's statement, and the caller gave none.
    #[error(
        "the policy demands that a notary has rebuilt the artifact, and no statement was given"
    )]
    Missing,
    /// The file is not such a statement, or no key that counts has signed it.
    #[error("the notary's statement")]
    Statement(#[source] CompanionRefusal),
    /// It is about another artifact.
    #[error("the notary's statement is about another artifact")]
    Subject,
    /// Fewer notaries than the policy demands have rebuilt the artifact.
    #[error("{accepted} of {threshold} required notaries have rebuilt the artifact")]
    Threshold {
        /// The number of different notaries.
        accepted: usize,
        /// The number that the policy demands.
        threshold: usize,
    },
}

impl NotaryRefusal {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "no-notary",
            Self::Statement(refusal) if refusal.is_malformed() => "notary-statement",
            Self::Statement(_) | Self::Threshold { .. } => "notary-signature",
            Self::Subject => "notary-subject",
        }
    }
}

/// One of the two statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReleasePart {
    /// The release.
    Release,
    /// The timestamp.
    Timestamp,
}

impl ReleasePart {
    /// Its name in a message.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Timestamp => "timestamp",
        }
    }
}

/// Why a release or a timestamp is missing or refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReleaseRefusal {
    /// The policy demands a release, and the caller gave none.
    #[error("the policy demands the release of the artifact, and none was given")]
    NoRelease,
    /// The policy demands a timestamp, and the caller gave none.
    #[error("the policy demands a timestamp of the release, and none was given")]
    NoTimestamp,
    /// The file is not the statement, or too few keys that count have signed it.
    #[error("the {}", part.name())]
    Statement {
        /// Which statement.
        part: ReleasePart,
        /// What is wrong with it.
        source: CompanionRefusal,
    },
    /// The release is of another application or channel than the artifact.
    #[error("the release is of {found}, the artifact of {wanted}")]
    OtherApplication {
        /// The application and channel of the release.
        found: String,
        /// The application and channel of the artifact.
        wanted: String,
    },
    /// The release is of another application or channel than the caller named
    /// ([`Expected`](crate::Expected)).
    #[error("the release is of {found}, {wanted} is wanted")]
    Unexpected {
        /// The application and channel of the release.
        found: String,
        /// What the caller named of the two.
        wanted: String,
    },
    /// The artifact is not of this release: it was mixed in from another one, or the release has
    /// none for its target.
    #[error("the artifact for {fits} is not the one of release {serial}: that has {listed}")]
    NotListed {
        /// The target and profile of the artifact.
        fits: String,
        /// The serial of the newest release that was given.
        serial: u64,
        /// What the release has for this target and profile.
        listed: String,
    },
    /// The release has the same image with another manifest: the artifact was built again after the
    /// release was made, or another artifact with its image was.
    #[error(
        "the artifact for {fits} is not the one of release {serial}: that has another manifest \
         about the same image ({listed}, and the artifact has {found})"
    )]
    OtherManifest {
        /// The target and profile of the artifact.
        fits: String,
        /// The serial of the newest release that was given.
        serial: u64,
        /// SHA-256 of the payload that the release lists.
        listed: Sha256Digest,
        /// SHA-256 of the artifact's payload. In a box, because errors are returned by value.
        found: Box<Sha256Digest>,
    },
    /// The version may no longer run.
    #[error("version {version} is below {floor}, the lowest that may run since release {serial}")]
    BelowFloor {
        /// The version of the artifact.
        version: u64,
        /// The floor of the newest release.
        floor: u64,
        /// The serial of that release.
        serial: u64,
    },
    /// The timestamp is about another release.
    #[error("the timestamp is about another release ({stated}){}", than(serial))]
    OtherRelease {
        /// SHA-256 of the release that it is about.
        stated: Sha256Digest,
        /// The serial of the release that was given, if there was one.
        serial: Option<u64>,
    },
    /// The artifact is of an older release than the timestamp.
    #[error("the artifact is of release {serial}, and release {newest} is the newest")]
    Older {
        /// The serial of the artifact's release.
        serial: u64,
        /// The serial of the release that the timestamp is about.
        newest: u64,
    },
    /// The timestamp is about an older release than the artifact's.
    #[error("the timestamp is about release {stamped}, and the artifact is of release {serial}")]
    OlderTimestamp {
        /// The serial of the artifact's release.
        serial: u64,
        /// The serial of the release that the timestamp is about.
        stamped: u64,
    },
    /// The timestamp has expired: it is unknown whether a newer release exists.
    #[error("the timestamp of the release expired at {expires}; it is now {now}")]
    Stale {
        /// The first second after its validity.
        expires: UnixTime,
        /// The time of this verification.
        now: UnixTime,
    },
    /// The timestamp was issued later than this clock says, by more than clocks may differ.
    #[error("the timestamp was issued at {issued}, and it is now only {now}")]
    Ahead {
        /// When it was issued.
        issued: UnixTime,
        /// The time of this verification.
        now: UnixTime,
    },
}

impl ReleaseRefusal {
    pub(crate) const fn refused(part: ReleasePart, source: CompanionRefusal) -> Self {
        Self::Statement { part, source }
    }

    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoRelease => "no-release",
            Self::NoTimestamp => "no-timestamp",
            Self::Statement { part, source } => match (part, source.is_malformed()) {
                (ReleasePart::Release, true) => "release-statement",
                (ReleasePart::Release, false) => "release-signature",
                (ReleasePart::Timestamp, true) => "timestamp-statement",
                (ReleasePart::Timestamp, false) => "timestamp-signature",
            },
            Self::OtherApplication { .. } | Self::Unexpected { .. } => "release-application",
            Self::NotListed { .. } | Self::OtherManifest { .. } => "release-mixed",
            Self::BelowFloor { .. } => "release-floor",
            Self::OtherRelease { .. } | Self::OlderTimestamp { .. } => "timestamp-release",
            Self::Older { .. } => "release-older",
            Self::Stale { .. } => "release-stale",
            Self::Ahead { .. } => "issued-ahead",
        }
    }
}

fn than(serial: &Option<u64>) -> String {
    match serial {
        Some(serial) => format!(", not about release {serial}"),
        None => ", and the artifact is of none that was given".to_owned(),
    }
}
