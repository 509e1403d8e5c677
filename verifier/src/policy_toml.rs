//! The strict reader of the policy's TOML. `docs/policy.md` is the schema.
//!
//! More than 400 lines: a third of them are tests.

mod compiler;
mod disjoint;
mod log;
mod messages;
mod provenance;
mod roles;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use edgec_artifact::{Algorithm, MAX_VERSION, Sha256Digest, SignerKeys, VerityDigest, check_name};
use edgec_targets::nearest_alike;
use serde::Deserialize;

pub(crate) use self::messages::{where_and_what, without_value};
use self::values::{DateTime, Line, Turnable};
use crate::check::{CheckName, Mode};
use crate::engine_version::EngineVersion;
use crate::load_mode::LoadMode;
use crate::pattern::{self, Pattern, TargetPattern};
use crate::policy::{
    Allow, KeyRule, PolicyError, Scope, Selector, TrustPolicy, all_different, reachable,
};
use crate::role::{Role, Roles};
use crate::trusted_key::TrustedKey;

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
    reset: Vec<roles::Reset>,
    reset_clock: Option<roles::ResetClock>,
    #[serde(default)]
    checks: BTreeMap<Turnable, Mode>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Key {
    name: Line,
    pem: String,
    algorithms: Option<BTreeSet<Algorithm>>,
    roles: Option<BTreeSet<Role>>,
    not_before: Option<DateTime>,
    expires: Option<DateTime>,
    #[serde(default, deserialize_with = "pattern::applications")]
    applications: Option<Vec<Pattern>>,
    targets: Option<Vec<TargetPattern>>,
    #[serde(default, deserialize_with = "pattern::channels")]
    channels: Option<Vec<Pattern>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ScopeEntry {
    threshold: usize,
    keys: Option<BTreeSet<String>>,
    #[serde(default, deserialize_with = "pattern::applications")]
    applications: Option<Vec<Pattern>>,
    targets: Option<Vec<TargetPattern>>,
    #[serde(default, deserialize_with = "pattern::channels")]
    channels: Option<Vec<Pattern>>,
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
        let wanted = [file.release, file.timestamp, file.notary, file.root];
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
            resets: roles::resets(file.reset)?,
            clock_reset: file.reset_clock.map(roles::clock_reset).transpose()?,
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

fn key(entry: Key) -> Result<KeyRule, PolicyError> {
    let name = entry.name.0;
    let covers = Selector {
        applications: entry.applications,
        targets: entry.targets,
        channels: entry.channels,
    };
    let of = format!("trusted key `{name}`");
    not_empty(&of, &covers)?;
    if entry.algorithms.as_ref().is_some_and(BTreeSet::is_empty) {
        let list = "algorithms";
        return Err(PolicyError::EmptyList { of, list });
    }
    let keys = SignerKeys::from_pem(&entry.pem);
    let keys = keys.map_err(|source| PolicyError::Key {
        name: name.clone(),
        source,
    })?;
    let roles = entry.roles.map_or_else(Roles::default, Roles::new);
    if !roles.are_compatible() {
        return Err(PolicyError::Roles { key: name });
    }
    let limits = [
        ("applications", covers.applications.is_some()),
        ("targets", covers.targets.is_some()),
        ("channels", covers.channels.is_some()),
        ("not-before", entry.not_before.is_some()),
        ("expires", entry.expires.is_some()),
    ];
    roles::limits_fit(&name, &roles, limits)?;
    if let (Some(from), Some(until)) = (&entry.not_before, &entry.expires)
        && until.0 <= from.0
    {
        return Err(PolicyError::NeverValid { name });
    }
    let trusted = TrustedKey::new(name.clone(), keys);
    let trusted = match entry.algorithms {
        None => trusted,
        Some(algorithms) => trusted
            .requiring(algorithms)
            .map_err(|algorithm| PolicyError::Algorithm { name, algorithm })?,
    };
    Ok(KeyRule {
        trusted,
        not_before: entry.not_before.map(|time| time.0),
        expires: entry.expires.map(|time| time.0),
        covers,
        roles,
    })
}

/// `names` are the names of all trusted keys.
fn scope(number: usize, entry: ScopeEntry, names: &BTreeSet<&str>) -> Result<Scope, PolicyError> {
    let covers = Selector {
        applications: entry.applications,
        targets: entry.targets,
        channels: entry.channels,
    };
    let name = format!("scope {number}");
    not_empty(&name, &covers)?;
    let known = |name: &str| names.contains(name);
    if let Some(key) = entry.keys.iter().flatten().find(|name| !known(name)) {
        return Err(PolicyError::UnknownKey {
            scope: name,
            key: key.clone(),
            nearest: nearest_alike(key, names.iter().copied()).map(str::to_owned),
        });
    }
    let joined = |list: &Option<Vec<Pattern>>| list.as_deref().map(pattern::join);
    let targets = covers.targets.as_deref().map(pattern::join);
    let lists = [
        joined(&covers.applications),
        targets,
        joined(&covers.channels),
    ];
    let lists: Vec<String> = lists.into_iter().flatten().collect();
    let name = match lists.as_slice() {
        [] => name,
        lists => format!("{name} ({})", lists.join(", ")),
    };
    let count = entry.keys.as_ref().map_or(names.len(), BTreeSet::len);
    let threshold = reachable(&name, entry.threshold, count)?;
    Ok(Scope {
        name,
        covers,
        threshold,
        keys: entry.keys,
    })
}

fn not_empty(of: &str, covers: &Selector) -> Result<(), PolicyError> {
    for (list, is_empty) in [
        ("applications", is_empty(&covers.applications)),
        ("targets", is_empty(&covers.targets)),
        ("channels", is_empty(&covers.channels)),
    ] {
        if is_empty {
            return Err(PolicyError::EmptyList {
                of: of.to_owned(),
                list,
            });
        }
    }
    Ok(())
}

fn is_empty<T>(list: &Option<Vec<T>>) -> bool {
    list.as_ref().is_some_and(Vec::is_empty)
}

#[cfg(test)]
mod tests {
    use edgec_artifact::UnixTime;

    use super::*;

    const PEM: &str = "-----BEGIN PUBLIC KEY-----\\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\\n\
        -----END PUBLIC KEY-----\\n";

    fn with(text: &str) -> Result<TrustPolicy, PolicyError> {
        TrustPolicy::from_toml(&format!(
            "{text}\n[[key]]\nname = \"ci\"\npem = \"{PEM}\"\n"
        ))
    }

    #[test]
    fn a_policy_is_at_least_a_key_and_a_threshold() {
        let policy = with("threshold = 1").unwrap();
        assert_eq!((policy.keys().count(), policy.threshold()), (1, 1));
        assert_eq!(policy.mode(CheckName::Imports), Mode::Enforce);
    }

    /// The example in the documentation is a policy.
    #[test]
    fn the_documented_example_is_read() {
        let document = include_str!("../../docs/policy.md");
        let start = document.find("```toml\n").unwrap() + "```toml\n".len();
        let len = document.get(start..).unwrap().find("```").unwrap();
        let example = document.get(start..start + len).unwrap();
        let policy = TrustPolicy::from_toml(example).unwrap();
        assert_eq!(policy.name(), Some("edge-fleet"));
        assert_eq!(policy.version(), Some(7));
        assert_eq!(policy.expires, Some(UnixTime::from_seconds(1_814_313_600)));
        assert_eq!(policy.mode(CheckName::Imports), Mode::Warn);
    }

    #[test]
    fn each_error_has_a_case() {
        let error = |text: &str| with(text).map(|_| ()).unwrap_err();
        let empty = TrustPolicy::from_toml("threshold = 1");
        assert!(matches!(empty, Err(PolicyError::Threshold { .. })));
        for text in ["threshold = 0", "threshold = 2"] {
            assert!(matches!(error(text), PolicyError::Threshold { .. }));
        }
        let twice = |name: &str| {
            error(&format!(
                "threshold = 1\n[[key]]\nname = \"{name}\"\npem = \"{PEM}\""
            ))
        };
        assert!(matches!(twice("other"), PolicyError::SameKey { .. }));
        let bad = "threshold = 1\n[[key]]\nname = \"x\"\npem = \"x\"";
        assert!(matches!(error(bad), PolicyError::Key { .. }));
        assert!(matches!(
            error("threshold = 1\nversion = 1"),
            PolicyError::NoName
        ));
        assert!(matches!(
            error("threshold = 1\nname = \"x\"\nversion = 9007199254740992"),
            PolicyError::Version { .. }
        ));
        assert!(matches!(
            error("threshold = 1\n[[scope]]\nthreshold = 1\nkeys = [\"x\"]"),
            PolicyError::UnknownKey { .. }
        ));
        assert!(matches!(
            error("threshold = 1\n[[scope]]\nthreshold = 2"),
            PolicyError::Threshold { .. }
        ));
        assert!(matches!(
            error("threshold = 1\n[[scope]]\nthreshold = 1\ntargets = []"),
            PolicyError::EmptyList { .. }
        ));
        assert!(matches!(
            error("threshold = 1\n[[compiler.deny]]\nreason = \"x\""),
            PolicyError::Unbounded { number: 1 }
        ));
        assert!(matches!(
            error(
                "threshold = 1\n[[compiler.deny]]\nbefore = \"9.0.0\"\ntargets = []\nreason = \"\""
            ),
            PolicyError::EmptyList { .. }
        ));
        for (from, before) in [
            ("48.0.3", "48.0.1"),
            ("48.0.3", "48.0.3"),
            ("0.0.0", "0.0.0"),
        ] {
            let range = format!("from = \"{from}\"\nbefore = \"{before}\"\nreason = \"\"");
            assert!(matches!(
                error(&format!("threshold = 1\n[[compiler.deny]]\n{range}")),
                PolicyError::EmptyRange { number: 1 }
            ));
        }
        for name in ["acme/*", "acme/app ", " acme/app", "acme/a\u{200b}pp"] {
            assert!(matches!(
                error(&format!("threshold = 1\n[minimum-version]\n\"{name}\" = 3")),
                PolicyError::Name(_)
            ));
        }
    }

    #[test]
    fn two_keys_have_two_names() {
        let other = "-----BEGIN PUBLIC KEY-----\\n\
            MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\\n\
            -----END PUBLIC KEY-----\\n";
        let error = with(&format!(
            "threshold = 1\n[[key]]\nname = \"ci\"\npem = \"{other}\""
        ));
        assert!(matches!(error, Err(PolicyError::SameName { .. })));
    }

    #[test]
    fn a_mode_of_the_audit_asks_for_none() {
        for (text, fits) in [
            ("[checks]\naudit = \"enforce\"", false),
            ("[checks]\naudit = \"warn\"", false),
            ("[checks]\naudit = \"off\"", true),
            ("[compiler]\naudit = true\n[checks]\naudit = \"warn\"", true),
        ] {
            let policy = with(&format!("threshold = 1\n{text}"));
            assert_eq!(policy.is_ok(), fits, "{text}");
            if let Err(error) = policy {
                assert!(matches!(error, PolicyError::AuditNotAsked), "{error}");
            }
        }
    }

    #[test]
    fn what_the_schema_does_not_know_is_an_error() {
        for text in [
            "threshold = -1",
            "threshold = 1\nmode = \"off\"",
            "threshold = 1\n[checks]\nsignatures = \"off\"",
            "threshold = 1\n[checks]\ndefault = \"off\"",
            "threshold = 1\n[checks]\nimports = \"OFF\"",
            "threshold = 1\nthreshold = 1",
            "threshold = 1\nexpires = 2027-01-01",
            "threshold = 1\nexpires = 2027-01-01T00:00:00",
            "threshold = 1\nexpires = 2027-01-01T00:00:00+02:00",
            "threshold = 1\nexpires = 2027-01-01T00:00:00.5Z",
            "threshold = 1\nexpires = 1969-01-01T00:00:00Z",
            "threshold = 1\n[compiler]\nminimum = \"48.0\"",
            "threshold = 1\n[[revoked-key]]\nid = \"abc\"\nreason = \"\"",
            "threshold = 1\n[minimum-version]\nx = -1",
            "threshold = 1\n[allow]\ntargets = [\"X86_64\"]",
            "threshold = 1\n[allow]\ntargets = [\"\"]",
            "threshold = 1\n[allow]\ntargets = [\"aarch46*\"]",
            "threshold = 1\n[allow]\nprofiles = [\"egde\"]",
            "threshold = 1\n[allow]\napplications = [\"/acme/*\"]",
            "threshold = 1\n[allow]\napplications = [\"\"]",
            "threshold = 1\n[[scope]]\nthreshold = 1\napplications = [\"acme/\"]",
            "threshold = 1\n[allow]\napplications = [\"acme/app \"]",
            "threshold = 1\n[allow]\napplications = [\" acme/*\"]",
            "threshold = 1\n[allow]\napplications = [\"acme/app\u{200b}\"]",
            "threshold = 1\n[allow]\nchannels = [\"stable \"]",
            "threshold = 1\n[[scope]]\nthreshold = 1\nchannels = [\"a\\\\b\"]",
        ] {
            let error = with(text).map(|_| ()).unwrap_err();
            assert!(matches!(error, PolicyError::Toml(_)), "{text}: {error}");
        }
    }
}
