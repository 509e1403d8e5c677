//! What a host trusts, and what it accepts.
//!
//! `docs/policy.md` describes the file and every rule. A policy comes from keys alone
//! ([`TrustPolicy::new`]) or from TOML.

mod demands;
mod error;
mod rules;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use edgec_artifact::{Envelope, KeyId, Sha256Digest, UnixTime, VerityDigest};

pub use self::error::PolicyError;
pub use self::rules::FloorReset;
pub(crate) use self::rules::{
    Allow, CompilerRules, Denied, KeyRule, ProvenanceRules, Revocation, Scope, Selector, channel,
};
use crate::check::{CheckName, Mode};
use crate::clock_floor::ClockReset;
use crate::engine_version::EngineVersion;
use crate::load_mode::{LoadMode, LoadModeError};
use crate::log::LogRules;
use crate::pattern;
use crate::role::{Demands, Role, Roles};
use crate::trusted_key::TrustedKey;

/// Whose signatures count, how many are needed, and which artifacts are accepted.
#[derive(Clone, Debug)]
pub struct TrustPolicy {
    pub(crate) name: Option<String>,
    pub(crate) version: Option<u64>,
    pub(crate) expires: Option<UnixTime>,
    pub(crate) keys: Vec<KeyRule>,
    pub(crate) threshold: NonZeroUsize,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) demands: Demands,
    pub(crate) revoked_keys: BTreeMap<KeyId, Revocation>,
    pub(crate) revoked_digests: BTreeMap<VerityDigest, String>,
    pub(crate) allow: Allow,
    pub(crate) minimum_versions: BTreeMap<String, u64>,
    pub(crate) compiler: CompilerRules,
    pub(crate) builder_minimum: Option<EngineVersion>,
    pub(crate) expiry_required: bool,
    pub(crate) policy_expiry_required: bool,
    pub(crate) resets: Vec<FloorReset>,
    pub(crate) clock_reset: Option<ClockReset>,
    pub(crate) minimum_load_mode: Option<LoadMode>,
    pub(crate) provenance: Option<ProvenanceRules>,
    pub(crate) log: Option<LogRules>,
    pub(crate) modes: BTreeMap<CheckName, Mode>,
    pub(crate) digest: Sha256Digest,
    pub(crate) signed_by: Vec<KeyId>,
    /// The signed file that it was read from, for the roots of the edition before it.
    pub(crate) envelope: Option<Arc<Envelope>>,
}

impl TrustPolicy {
    /// A policy that requires signatures by `threshold` different keys of `keys`. It accepts
    /// everything that they have signed, as long as it is valid.
    ///
    /// # Errors
    ///
    /// [`PolicyError::SameKey`]; [`PolicyError::Threshold`] if `threshold` is zero or larger than
    /// the number of keys.
    pub fn new(keys: Vec<TrustedKey>, threshold: usize) -> Result<Self, PolicyError> {
        let mut ids: Vec<String> = keys.iter().map(|key| key.keys().ids()).collect();
        ids.sort();
        let text = format!("{threshold} of {}", ids.join(" "));
        let rule = |trusted| KeyRule {
            trusted,
            not_before: None,
            expires: None,
            covers: Selector::default(),
            // Without a policy, a key is trusted for what its owner says about an artifact.
            roles: Roles::new([Role::Artifact, Role::Release, Role::Timestamp]),
        };
        let keys: Vec<KeyRule> = keys.into_iter().map(rule).collect();
        Ok(Self {
            name: None,
            version: None,
            expires: None,
            threshold: reachable("the policy", threshold, keys.len())?,
            scopes: Vec::new(),
            keys: all_different(keys)?,
            demands: Demands::default(),
            revoked_keys: BTreeMap::new(),
            revoked_digests: BTreeMap::new(),
            allow: Allow::default(),
            minimum_versions: BTreeMap::new(),
            compiler: CompilerRules::default(),
            builder_minimum: None,
            expiry_required: false,
            policy_expiry_required: false,
            resets: Vec::new(),
            clock_reset: None,
            minimum_load_mode: None,
            provenance: None,
            log: None,
            modes: BTreeMap::new(),
            digest: Sha256Digest::of(text.as_bytes()),
            signed_by: Vec::new(),
            envelope: None,
        })
    }

    /// The policy's name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The policy's version, if it has one.
    pub fn version(&self) -> Option<u64> {
        self.version
    }

    /// The first second at which the policy is no longer valid, if it states one.
    pub fn expires(&self) -> Option<UnixTime> {
        self.expires
    }

    /// The trusted signers, each once.
    pub fn keys(&self) -> impl Iterator<Item = &TrustedKey> {
        self.keys.iter().map(|rule| &rule.trusted)
    }

    /// The number of different signers that must have signed any artifact.
    pub fn threshold(&self) -> usize {
        self.threshold.get()
    }

    /// SHA-256 of the policy's text, or of threshold and key ids if the policy has no text. Two
    /// policies with one digest accept the same artifacts.
    pub fn digest(&self) -> Sha256Digest {
        self.digest
    }

    /// The weakest load mode that the policy accepts, if it demands one. The loader enforces it.
    pub fn minimum_load_mode(&self) -> Option<LoadMode> {
        self.minimum_load_mode
    }

    /// Whether the policy refuses artifacts without a provenance, or at least warns of them.
    pub fn reads_provenance(&self) -> bool {
        self.provenance.is_some() && self.mode(CheckName::Provenance) != Mode::Off
    }

    /// Whether the policy refuses artifacts without a bill of materials, or at least warns of them.
    pub fn reads_sbom(&self) -> bool {
        self.reads_provenance() && self.provenance.as_ref().is_some_and(|rules| rules.sbom)
    }

    /// Whether a verdict may depend on a proof of the policy's log: the policy refuses artifacts
    /// without one, or at least warns of them, or a witness's time may count for a revoked key.
    pub fn reads_log_proof(&self) -> bool {
        let is_demanded = self.mode(CheckName::Log) != Mode::Off;
        self.log.is_some() && (is_demanded || self.reads_records())
    }

    /// Whether this policy accepts bytes that are protected like this. It is not part of a
    /// verification, which does not know how its bytes are kept.
    ///
    /// # Errors
    ///
    /// [`LoadModeError`] if [`Self::minimum_load_mode`] is higher.
    pub fn check_load_mode(&self, found: LoadMode) -> Result<(), LoadModeError> {
        match self.minimum_load_mode {
            Some(wanted) if found < wanted => Err(LoadModeError { found, wanted }),
            _ => Ok(()),
        }
    }

    /// Every time at which the policy's own rules change what it accepts.
    pub(crate) fn moments(&self) -> impl Iterator<Item = UnixTime> {
        let keys = self.keys.iter();
        let keys = keys.flat_map(|rule| [rule.not_before, rule.expires]);
        keys.chain([self.expires]).flatten()
    }

    /// The root keys whose signatures on the policy were verified.
    pub fn signed_by(&self) -> &[KeyId] {
        &self.signed_by
    }

    /// The imports from this list that `[allow] imports` refuses, in their order.
    pub fn refused_imports(&self, imports: &[String]) -> Vec<String> {
        let patterns = self.allow.imports.as_deref();
        let refused = imports
            .iter()
            .filter(|import| !pattern::allows(patterns, import));
        refused.cloned().collect()
    }

    pub(crate) fn mode(&self, check: CheckName) -> Mode {
        self.modes.get(&check).copied().unwrap_or(Mode::Enforce)
    }
}

/// Checks that this number of signers can reach a threshold.
pub(crate) fn reachable(
    of: &str,
    threshold: usize,
    signers: usize,
) -> Result<NonZeroUsize, PolicyError> {
    let fits = NonZeroUsize::new(threshold).filter(|_| threshold <= signers);
    fits.ok_or_else(|| PolicyError::Threshold {
        of: of.to_owned(),
        threshold,
        signers,
    })
}

/// Refuses keys that could count twice.
pub(crate) fn all_different(keys: Vec<KeyRule>) -> Result<Vec<KeyRule>, PolicyError> {
    for (index, first) in keys.iter().enumerate() {
        for second in keys.iter().skip(index + 1) {
            let (first, second) = (&first.trusted, &second.trusted);
            if first.keys().iter().any(|key| second.keys().contains(key)) {
                return Err(PolicyError::SameKey {
                    first: first.name.clone(),
                    second: second.name.clone(),
                });
            }
            if first.name == second.name {
                return Err(PolicyError::SameName {
                    name: first.name.clone(),
                });
            }
        }
    }
    Ok(keys)
}
