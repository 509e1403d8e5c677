//! The strict reader of the policy's TOML. `docs/policy.md` is the schema.

mod compiler;
mod disjoint;
mod keys;
mod log;
mod messages;
mod provenance;
mod resets;
mod roles;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use edgec_artifact::{MAX_VERSION, Sha256Digest, VerityDigest, check_name};
use serde::Deserialize;

use self::keys::{Key, ScopeEntry, key, scope};
pub(crate) use self::messages::{where_and_what, without_value};
use self::values::{DateTime, Line, Turnable};
use crate::check::{CheckName, Mode};
use crate::engine_version::EngineVersion;
use crate::load_mode::LoadMode;
use crate::policy::{Allow, PolicyError, TrustPolicy, all_different, reachable};
use crate::role::Role;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    name: Option<Line>,
    version: Option<u64>,
    expires: Option<DateTime>,
    threshold: usize,
    release: Option<usize>,
    timestamp: Option<usize>,
    notary: Option<usize>,
    root: Option<usize>,
    minimum_load_mode: Option<LoadMode>,
    #[serde(default)]
    key: Vec<Key>,
    #[serde(default)]
    scope: Vec<ScopeEntry>,
    #[serde(default)]
    revoked_key: Vec<roles::RevokedKey>,
    #[serde(default)]
    revoked_digest: Vec<RevokedDigest>,
    #[serde(default)]
    allow: Allow,
    #[serde(default)]
    minimum_version: BTreeMap<String, u64>,
    #[serde(default)]
    compiler: compiler::Table,
    #[serde(default)]
    builder: Builder,
    #[serde(default)]
    validity: Validity,
    provenance: Option<provenance::Table>,
    log: Option<log::Table>,
    #[serde(default)]
    reset: Vec<resets::Reset>,
    reset_clock: Option<resets::ResetClock>,
    #[serde(default)]
    checks: BTreeMap<Turnable, Mode>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokedDigest {
    fsverity: VerityDigest,
    reason: Line,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Builder {
    minimum: Option<EngineVersion>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Validity {
    #[serde(default)]
    expiry_required: bool,
    #[serde(default)]
    policy_expiry_required: bool,
}

impl TrustPolicy {
    /// Reads the text of a policy file. [`Self::read`] also checks whether the policy has expired,
    /// and who may change the file.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] for everything that `docs/policy.md` does not describe.
    pub fn from_toml(text: &str) -> Result<Self, PolicyError> {
        let file: File = toml::from_str(text)
            .map_err(|error| PolicyError::Toml(where_and_what(text, &error)))?;
        match (&file.name, file.version) {
            (None, Some(_)) => return Err(PolicyError::NoName),
            (_, Some(version)) if version > MAX_VERSION => {
                return Err(PolicyError::Version { version });
            }
            _ => {}
        }
        let keys = file.key.into_iter().map(key).collect::<Result<_, _>>()?;
        let keys = all_different(keys)?;
        let of_artifacts = keys.iter().filter(|rule| rule.roles.has(Role::Artifact));
        let threshold = reachable("the policy", file.threshold, of_artifacts.clone().count())?;
        let wanted = [
            (Role::Release, file.release),
            (Role::Timestamp, file.timestamp),
            (Role::Notary, file.notary),
            (Role::Root, file.root),
        ];
        let demands = roles::demands(wanted, &keys)?;
        // Only these keys sign what scopes and provenances are about.
        let names = of_artifacts.map(|rule| rule.trusted.name.as_str());
        let names: BTreeSet<&str> = names.collect();
        let scopes = file.scope.into_iter().enumerate();
        let scopes = scopes.map(|(index, entry)| scope(index + 1, entry, &names));
        let scopes = scopes.collect::<Result<_, _>>()?;
        // These names are looked up, so a pattern would have no effect.
        for name in file.minimum_version.keys() {
            check_name(name)?;
        }
        let modes: BTreeMap<CheckName, Mode> = file
            .checks
            .into_iter()
            .map(|(Turnable(check), mode)| (check, mode))
            .collect();
        let audit = modes.get(&CheckName::Audit);
        if !file.compiler.audit && audit.is_some_and(|mode| *mode != Mode::Off) {
            return Err(PolicyError::AuditNotAsked);
        }
        let provenance = file.provenance.map(|table| table.rules(&names));
        let provenance = provenance.transpose()?;
        let mode = modes.get(&CheckName::Provenance);
        if provenance.is_none() && mode.is_some_and(|mode| *mode != Mode::Off) {
            return Err(PolicyError::ProvenanceNotAsked);
        }
        roles::modes_fit(&modes, &demands)?;
        let log = file.log.map(log::Table::rules).transpose()?;
        let mode = modes.get(&CheckName::Log);
        if log.is_none() && mode.is_some_and(|mode| *mode != Mode::Off) {
            return Err(PolicyError::LogNotAsked);
        }
        if file.validity.policy_expiry_required && file.expires.is_none() {
            return Err(PolicyError::NoExpiry);
        }
        let policy = Self {
            demands,
            policy_expiry_required: file.validity.policy_expiry_required,
            resets: resets::resets(file.reset)?,
            clock_reset: file.reset_clock.map(resets::clock_reset).transpose()?,
            name: file.name.map(|name| name.0),
            version: file.version,
            expires: file.expires.map(|time| time.0),
            keys,
            threshold,
            scopes,
            revoked_keys: roles::revoked_keys(file.revoked_key)?,
            revoked_digests: file
                .revoked_digest
                .into_iter()
                .map(|revoked| (revoked.fsverity, revoked.reason.0))
                .collect(),
            allow: file.allow,
            minimum_versions: file.minimum_version,
            compiler: file.compiler.rules()?,
            builder_minimum: file.builder.minimum,
            expiry_required: file.validity.expiry_required,
            minimum_load_mode: file.minimum_load_mode,
            provenance,
            log,
            modes,
            digest: Sha256Digest::of(text.as_bytes()),
            signed_by: Vec::new(),
            envelope: None,
        };
        disjoint::refuse(&policy)?;
        Ok(policy)
    }
}

#[cfg(test)]
mod tests;
