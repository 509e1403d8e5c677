//! The checks that were made, with result and evidence.

use std::fmt;

use serde::{Serialize, Serializer};

/// A check of a verification. `docs/policy.md` says when each check fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum CheckName {
    /// The policy itself has not expired.
    Policy,
    /// The file has the layout of the format.
    Layout,
    /// Enough trusted keys that count have signed.
    Signatures,
    /// The signed payload is a manifest.
    Statement,
    /// The image is the one that was signed.
    Digest,
    /// The image is as the manifest describes it.
    Image,
    /// The artifact is the one that the caller expects.
    Expected,
    /// The policy allows the application.
    Application,
    /// The policy allows the channel.
    Channel,
    /// The policy allows the target.
    Target,
    /// The application's version is not too low.
    Version,
    /// The image is not revoked.
    Revocation,
    /// The engine version that made the code is not too low, and not denied.
    Compiler,
    /// The edgec that made the artifact is not too old.
    Builder,
    /// No advisory that edgec ships concerns the code.
    Advisories,
    /// The policy allows the engine profile.
    Profile,
    /// The policy allows every import.
    Imports,
    /// The time lies within the artifact's validity.
    Validity,
    /// The artifact states when it expires, if the policy requires that.
    Expiry,
    /// The code was audited without findings, if the policy requires that.
    Audit,
    /// The artifact has the provenance that the policy requires.
    Provenance,
    /// The artifact belongs to a release, and its version may run.
    Release,
    /// The release is the newest, as a timestamp that has not expired states.
    Freshness,
    /// As many notaries as the policy demands have rebuilt the artifact.
    Notary,
    /// The transparency log that the policy names has the artifact's statement.
    Log,
    /// The named input compiles to this image. Only `edgec verify --rebuild` makes this check; a
    /// verification does not.
    Rebuild,
    /// A host can run it. A verification does not check this; see [`crate::HostProfile`].
    Host,
}

impl CheckName {
    /// The checks whose mode a policy can set: all that the policy itself decides.
    pub(crate) const WITH_MODE: [Self; 18] = [
        Self::Application,
        Self::Channel,
        Self::Target,
        Self::Version,
        Self::Revocation,
        Self::Compiler,
        Self::Builder,
        Self::Advisories,
        Self::Profile,
        Self::Imports,
        Self::Validity,
        Self::Expiry,
        Self::Audit,
        Self::Provenance,
        Self::Release,
        Self::Freshness,
        Self::Notary,
        Self::Log,
    ];

    /// The name in reports and policies.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Layout => "layout",
            Self::Signatures => "signatures",
            Self::Statement => "statement",
            Self::Digest => "digest",
            Self::Image => "image",
            Self::Expected => "expected",
            Self::Application => "application",
            Self::Channel => "channel",
            Self::Target => "target",
            Self::Version => "version",
            Self::Revocation => "revocation",
            Self::Compiler => "compiler",
            Self::Builder => "builder",
            Self::Advisories => "advisories",
            Self::Profile => "profile",
            Self::Imports => "imports",
            Self::Validity => "validity",
            Self::Expiry => "expiry",
            Self::Audit => "audit",
            Self::Provenance => "provenance",
            Self::Release => "release",
            Self::Freshness => "freshness",
            Self::Notary => "notary",
            Self::Log => "log",
            Self::Rebuild => "rebuild",
            Self::Host => "host",
        }
    }
}

impl Serialize for CheckName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl fmt::Display for CheckName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name().fmt(f)
    }
}

/// A policy's reaction to a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// A failure refuses the artifact.
    Enforce,
    /// A failure is reported.
    Warn,
    /// The check is not made.
    Off,
}

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Status {
    /// The check holds.
    Passed,
    /// The check does not hold, and the artifact is refused.
    Failed,
    /// The check does not hold, and the policy only warns.
    Warned,
    /// The policy turned the check off, so it was not made.
    Off,
    /// There was nothing to check: neither the policy nor the artifact states anything about it.
    NotApplicable,
}

impl Status {
    /// The word in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "FAILED",
            Self::Warned => "WARNED",
            Self::Off => "off",
            Self::NotApplicable => "not applicable",
        }
    }
}

/// One check of one artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Check {
    /// Which check.
    #[serde(rename = "check")]
    pub name: CheckName,
    /// Its result.
    pub status: Status,
    /// What was compared, or why there was nothing to compare. It quotes the artifact, which may be
    /// hostile: escape it before you print it to a terminal, as `{:?}` does.
    pub evidence: String,
}

impl Check {
    /// A check with this result, for checks that a tool makes in addition to a verification.
    pub fn new(name: CheckName, status: Status, evidence: impl Into<String>) -> Self {
        let evidence = evidence.into();
        Self {
            name,
            status,
            evidence,
        }
    }
}
