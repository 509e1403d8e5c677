//! The checks that were made, with outcome and evidence.

use std::fmt;

use serde::{Serialize, Serializer};

/// A check that verification knows; `docs/policy.md` says when each fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum CheckName {
    /// The policy itself has not expired.
    Policy,
    /// The file is laid out as the format says.
    Layout,
    /// Enough keys that count have signed.
    Signatures,
    /// What they signed is a manifest.
    Statement,
    /// The image is the one that was signed.
    Digest,
    /// The image is what the manifest says.
    Image,
    /// The artifact is what the caller asked for.
    Expected,
    /// The application is an allowed one.
    Application,
    /// The channel is an allowed one.
    Channel,
    /// The target is an allowed one.
    Target,
    /// The application's version is not too low.
    Version,
    /// The image is not revoked.
    Revocation,
    /// The engine version that made the code is not too low, and not denied.
    Compiler,
    /// No advisory that edgec ships concerns the code.
    Advisories,
    /// The engine profile is an allowed one.
    Profile,
    /// Every import is an allowed one.
    Imports,
    /// The time lies within the artifact's validity.
    Validity,
    /// The artifact states when it expires, where that is required.
    Expiry,
    /// The code was audited, and nothing was found, where the policy asks for that.
    Audit,
    /// The input that is named compiles to it. Not part of a verification, but of
    /// `edgec verify --rebuild`.
    Rebuild,
    /// A host can run it. Not part of a verification; see [`crate::HostProfile`].
    Host,
}

impl CheckName {
    /// The checks that a policy may turn down: all that it decides itself.
    pub(crate) const WITH_MODE: [Self; 12] = [
        Self::Application,
        Self::Channel,
        Self::Target,
        Self::Version,
        Self::Revocation,
        Self::Compiler,
        Self::Advisories,
        Self::Profile,
        Self::Imports,
        Self::Validity,
        Self::Expiry,
        Self::Audit,
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
            Self::Advisories => "advisories",
            Self::Profile => "profile",
            Self::Imports => "imports",
            Self::Validity => "validity",
            Self::Expiry => "expiry",
            Self::Audit => "audit",
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

/// What a policy does about a check.
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

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Status {
    /// It holds.
    Passed,
    /// It does not hold, and the artifact is refused.
    Failed,
    /// It does not hold, and the policy only warns.
    Warned,
    /// The policy turned it off; it was not made.
    Off,
    /// There was nothing to check: the policy or the artifact says nothing about it.
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
    /// How it came out.
    pub status: Status,
    /// What was compared, or why there was nothing to compare. It quotes the artifact: escape it
    /// before you print it to a terminal.
    pub evidence: String,
}

impl Check {
    /// A check that came out like this: for what a tool checks beside a verification.
    pub fn new(name: CheckName, status: Status, evidence: impl Into<String>) -> Self {
        let evidence = evidence.into();
        Self {
            name,
            status,
            evidence,
        }
    }
}
