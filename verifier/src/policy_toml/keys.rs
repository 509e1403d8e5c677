//! Keys and scopes of a policy.

use std::collections::BTreeSet;

use edgec_artifact::{Algorithm, SignerKeys};
use edgec_targets::nearest_alike;
use serde::Deserialize;

use super::roles::limits_fit;
use super::values::{DateTime, Line};
use crate::pattern::{self, Pattern, TargetPattern};
use crate::policy::{KeyRule, PolicyError, Scope, Selector, reachable};
use crate::role::{Role, Roles};
use crate::trusted_key::TrustedKey;

/// A `[[key]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Key {
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

/// A `[[scope]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ScopeEntry {
    threshold: usize,
    keys: Option<BTreeSet<String>>,
    #[serde(default, deserialize_with = "pattern::applications")]
    applications: Option<Vec<Pattern>>,
    targets: Option<Vec<TargetPattern>>,
    #[serde(default, deserialize_with = "pattern::channels")]
    channels: Option<Vec<Pattern>>,
}

pub(super) fn key(entry: Key) -> Result<KeyRule, PolicyError> {
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
    limits_fit(&name, &roles, limits)?;
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
pub(super) fn scope(
    number: usize,
    entry: ScopeEntry,
    names: &BTreeSet<&str>,
) -> Result<Scope, PolicyError> {
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

pub(super) fn is_empty<T>(list: &Option<Vec<T>>) -> bool {
    list.as_ref().is_some_and(Vec::is_empty)
}
