//! The parts of a policy, each as its rules read it.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use edgec_artifact::{Manifest, Release, UnixTime};
use serde::Deserialize;

use crate::engine_version::{EngineVersion, VersionRange};
use crate::pattern::{self, Pattern, TargetPattern};
use crate::role::Roles;
use crate::trusted_key::TrustedKey;

/// A trusted signer, the time in which it counts, and the artifacts for which it counts.
#[derive(Clone, Debug)]
pub(crate) struct KeyRule {
    pub(crate) trusted: TrustedKey,
    pub(crate) not_before: Option<UnixTime>,
    pub(crate) expires: Option<UnixTime>,
    pub(crate) covers: Selector,
    pub(crate) roles: Roles,
}

/// Why and since when a key is revoked.
#[derive(Clone, Debug)]
pub(crate) struct Revocation {
    pub(crate) reason: String,
    /// Signatures that are known from an earlier time still count. `None`: none counts.
    pub(crate) from: Option<UnixTime>,
}

/// A root's order to set the floors of an application again, for hosts that know numbers which are
/// too high.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FloorReset {
    /// Grows with each reset of the application in the channel. A store follows each number once.
    pub number: u64,
    /// The application.
    pub application: String,
    /// Its release channel.
    pub channel: Option<String>,
    /// The new floor of versions.
    pub version: u64,
    /// The new floor of serials.
    pub serial: u64,
}

/// An additional threshold: this many of these keys must have signed the selected artifacts.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// The name in reports.
    pub(crate) name: String,
    pub(crate) covers: Selector,
    pub(crate) threshold: NonZeroUsize,
    /// Names of keys; `None`: all keys.
    pub(crate) keys: Option<BTreeSet<String>>,
}

/// Selects artifacts by their manifests. A missing list selects all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selector {
    pub(crate) applications: Option<Vec<Pattern>>,
    pub(crate) targets: Option<Vec<TargetPattern>>,
    pub(crate) channels: Option<Vec<Pattern>>,
}

impl Selector {
    /// The first field of the manifest that is not selected.
    pub(crate) fn mismatch(&self, manifest: &Manifest) -> Option<&'static str> {
        if !pattern::allows(self.applications.as_deref(), &manifest.name) {
            Some("application")
        } else if !pattern::allows_target(self.targets.as_deref(), &manifest.target) {
            Some("target")
        } else if !pattern::allows(self.channels.as_deref(), channel(manifest)) {
            Some("channel")
        } else {
            None
        }
    }

    /// The first field of the release that is not selected. A release is for all targets.
    pub(crate) fn mismatch_release(&self, release: &Release) -> Option<&'static str> {
        let channel = release.channel.as_deref().unwrap_or("");
        if !pattern::allows(self.applications.as_deref(), &release.application) {
            Some("application")
        } else if !pattern::allows(self.channels.as_deref(), channel) {
            Some("channel")
        } else {
            None
        }
    }
}

/// The channel that a manifest states, or `""`.
pub(crate) fn channel(manifest: &Manifest) -> &str {
    manifest.channel.as_deref().unwrap_or("")
}

/// The allowed values of artifacts. A missing list allows all.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Allow {
    #[serde(default, deserialize_with = "pattern::applications")]
    pub(crate) applications: Option<Vec<Pattern>>,
    pub(crate) targets: Option<Vec<TargetPattern>>,
    #[serde(default, deserialize_with = "pattern::channels")]
    pub(crate) channels: Option<Vec<Pattern>>,
    #[serde(default, deserialize_with = "pattern::profiles")]
    pub(crate) profiles: Option<Vec<Pattern>>,
    pub(crate) imports: Option<Vec<Pattern>>,
}

/// The engines that may have made the code.
#[derive(Clone, Debug, Default)]
pub(crate) struct CompilerRules {
    pub(crate) minimum: Option<EngineVersion>,
    pub(crate) advisories: bool,
    pub(crate) audit: bool,
    pub(crate) denied: Vec<Denied>,
}

/// What an artifact's provenance must state, and who must have signed it. A missing list allows
/// all.
#[derive(Clone, Debug)]
pub(crate) struct ProvenanceRules {
    pub(crate) builders: Option<Vec<Pattern>>,
    pub(crate) sources: Option<Vec<Pattern>>,
    /// Names of keys; `None`: all keys.
    pub(crate) keys: Option<BTreeSet<String>>,
    /// Whether it must list a bill of materials, which must be there too.
    pub(crate) sbom: bool,
}

/// Engine versions that are denied for some targets.
#[derive(Clone, Debug)]
pub(crate) struct Denied {
    pub(crate) range: VersionRange,
    pub(crate) targets: Option<Vec<TargetPattern>>,
    pub(crate) reason: String,
}
