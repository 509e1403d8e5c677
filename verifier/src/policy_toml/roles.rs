//! The roles of keys, revoked keys, the statements that a policy demands, and a root's orders about
//! floors.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use edgec_artifact::{KeyId, MAX_VERSION, check_name};
use serde::Deserialize;

use super::values::{DateTime, Line};
use crate::check::{CheckName, Mode};
use crate::clock_floor::ClockReset;
use crate::policy::{FloorReset, KeyRule, PolicyError, Revocation, reachable};
use crate::role::{Demands, Role, Roles};

/// An entry `[[revoked-key]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RevokedKey {
    id: KeyId,
    reason: Line,
    #[serde(rename = "revoked-from")]
    from: Option<DateTime>,
}

/// The revoked keys, each once.
pub(super) fn revoked_keys(
    entries: Vec<RevokedKey>,
) -> Result<BTreeMap<KeyId, Revocation>, PolicyError> {
    let mut revoked = BTreeMap::new();
    for entry in entries {
        let from = entry.from.map(|time| time.0);
        let reason = entry.reason.0;
        let earlier = revoked.insert(entry.id, Revocation { reason, from });
        if earlier.is_some() {
            return Err(PolicyError::SameRevokedKey { id: entry.id });
        }
    }
    Ok(revoked)
}

/// An entry `[[reset]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reset {
    number: u64,
    application: String,
    channel: Option<String>,
    version: u64,
    serial: u64,
}

/// The table `[reset-clock]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResetClock {
    number: u64,
    to: DateTime,
}

/// The order about the floor of the clock.
pub(super) fn clock_reset(table: ResetClock) -> Result<ClockReset, PolicyError> {
    let ResetClock { number, to } = table;
    counts(number, || "`[reset-clock]`".to_owned())?;
    Ok(ClockReset { number, to: to.0 })
}

/// A host has followed the number 0 already, and other readers would round a very high one.
fn counts(number: u64, of: impl FnOnce() -> String) -> Result<(), PolicyError> {
    match number {
        0 => Err(PolicyError::ResetNumber { of: of() }),
        number if number > MAX_VERSION => Err(PolicyError::Version { version: number }),
        _ => Ok(()),
    }
}

/// Refuses limits that have no effect on a key with these roles. Each limit has its field and
/// whether it is there. A root signs policies, which are of no application and no target, and a
/// host that was off follows its old policies too. A release is for all targets.
pub(super) fn limits_fit(
    key: &str,
    roles: &Roles,
    limits: [(&'static str, bool); 5],
) -> Result<(), PolicyError> {
    let of_artifacts = roles.has(Role::Artifact) || roles.has(Role::Notary);
    let has_effect = |field| match field {
        "targets" => of_artifacts,
        _ => !roles.has(Role::Root),
    };
    let lost = limits
        .iter()
        .find(|(field, is_there)| *is_there && !has_effect(*field));
    match (lost, roles.first()) {
        (Some((field, _)), Some(role)) => Err(PolicyError::NoEffect {
            key: key.to_owned(),
            field,
            role: role.name(),
        }),
        _ => Ok(()),
    }
}

/// How many signers must have signed each statement. `wanted` are the numbers for releases,
/// timestamps, notaries and roots.
pub(super) fn demands(
    wanted: [Option<usize>; 4],
    keys: &[KeyRule],
) -> Result<Demands, PolicyError> {
    let [release, timestamp, notary, root] = wanted;
    let demand = |wanted: Option<usize>, role: Role| -> Result<Option<NonZeroUsize>, PolicyError> {
        let count = keys.iter().filter(|rule| rule.roles.has(role)).count();
        let of = format!("`{}`", role.name());
        wanted
            .map(|wanted| reachable(&of, wanted, count))
            .transpose()
    };
    if timestamp.is_some() && release.is_none() {
        return Err(PolicyError::TimestampAlone);
    }
    Ok(Demands {
        release: demand(release, Role::Release)?,
        timestamp: demand(timestamp, Role::Timestamp)?,
        notary: demand(notary, Role::Notary)?,
        root: demand(root, Role::Root)?,
    })
}

/// Refuses a mode for the check of a statement that is not demanded.
pub(super) fn modes_fit(
    modes: &BTreeMap<CheckName, Mode>,
    demands: &Demands,
) -> Result<(), PolicyError> {
    for (check, demand, demanded) in [
        (CheckName::Release, "release", demands.release),
        (CheckName::Freshness, "timestamp", demands.timestamp),
        (CheckName::Notary, "notary", demands.notary),
    ] {
        let mode = modes.get(&check);
        if demanded.is_none() && mode.is_some_and(|mode| *mode != Mode::Off) {
            return Err(PolicyError::RoleNotAsked { check, demand });
        }
    }
    Ok(())
}

/// The orders about the floors of applications.
pub(super) fn resets(entries: Vec<Reset>) -> Result<Vec<FloorReset>, PolicyError> {
    let mut resets: Vec<FloorReset> = Vec::new();
    for entry in entries {
        check_name(&entry.application)?;
        entry.channel.as_deref().map_or(Ok(()), check_name)?;
        for version in [entry.version, entry.serial] {
            if version > MAX_VERSION {
                return Err(PolicyError::Version { version });
            }
        }
        counts(entry.number, || {
            format!("`[[reset]]` of `{}`", entry.application)
        })?;
        let same = |it: &FloorReset| {
            (&it.application, &it.channel) == (&entry.application, &entry.channel)
        };
        if resets.iter().any(same) {
            return Err(PolicyError::SameReset {
                application: entry.application,
            });
        }
        resets.push(FloorReset {
            number: entry.number,
            application: entry.application,
            channel: entry.channel,
            version: entry.version,
            serial: entry.serial,
        });
    }
    Ok(resets)
}

#[cfg(test)]
mod tests {
    use edgec_artifact::PublicKey;

    use crate::policy::PolicyError;
    use crate::{Role, TrustPolicy};

    fn policy(head: &str, roles: &str) -> Result<TrustPolicy, PolicyError> {
        let key = |name: &str, key: &str, roles: &str| {
            format!(
                "[[key]]\nname = \"{name}\"\n{roles}\npem = \"-----BEGIN PUBLIC KEY-----\\n{key}\
                 \\n-----END PUBLIC KEY-----\\n\"\n"
            )
        };
        let one = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
        let two = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        TrustPolicy::from_toml(&format!(
            "threshold = 1\n{head}\n{}{}",
            key("ci", one, ""),
            key("other", two, &format!("roles = [{roles}]"))
        ))
    }

    #[test]
    fn a_key_counts_for_its_roles_only() {
        let lacking = policy("release = 1\ntimestamp = 1", "\"timestamp\"");
        assert!(matches!(lacking, Err(PolicyError::Threshold { .. })));
        let policy = policy("release = 1", "\"release\"").unwrap();
        let names = |role| -> Vec<_> { policy.keys_with(role).map(|key| &*key.name).collect() };
        assert_eq!(names(Role::Artifact), ["ci"]);
        assert_eq!(names(Role::Release), ["other"]);
        assert_eq!(policy.demanded(Role::Release), Some(1));
        assert_eq!(policy.demanded(Role::Notary), None);
        assert_eq!(policy.demanded(Role::Artifact), Some(1));
    }

    #[test]
    fn before_publication_a_policy_demands_the_artifact_alone() {
        let text = "root = 1\n[provenance]\n[checks]\nprovenance = \"warn\"";
        let strict = policy(text, "\"root\"").unwrap();
        let policy = strict.clone().before_publication();
        // Verdicts are remembered under the digest.
        assert_ne!(policy.digest(), strict.digest());
        assert_ne!(
            policy.clone().without_provenance().digest(),
            policy.digest()
        );
        assert!(policy.reads_provenance() && !policy.reads_log_proof());
        assert_eq!(policy.demanded(Role::Root), Some(1));
        assert!(!policy.without_provenance().reads_provenance());
        let policy = self::policy("release = 1", "\"release\"").unwrap();
        let policy = policy.before_publication();
        assert_eq!(policy.demanded(Role::Release), None);
        assert_eq!(policy.demanded(Role::Artifact), Some(1));
    }

    #[test]
    fn each_error_has_a_case() {
        for roles in ["\"timestamp\", \"artifact\"", "\"notary\", \"release\"", ""] {
            let error = policy("", roles);
            assert!(matches!(error, Err(PolicyError::Roles { .. })), "{roles}");
        }
        assert!(policy("", "\"artifact\", \"release\"").is_ok());
        assert!(matches!(
            policy("", "\"signer\""),
            Err(PolicyError::Toml(_))
        ));
        for (role, limit) in [
            ("\"root\"", "applications = [\"shop\"]"),
            ("\"root\"", "channels = [\"beta\"]"),
            ("\"root\"", "expires = 2099-01-01T00:00:00Z"),
            ("\"root\"", "not-before = 2026-01-01T00:00:00Z"),
            ("\"release\"", "targets = [\"x86_64\"]"),
            ("\"timestamp\"", "targets = [\"x86_64\"]"),
        ] {
            let limited = policy("", &format!("{role}]\n{limit}\n#"));
            let no_effect = matches!(limited, Err(PolicyError::NoEffect { .. }));
            assert!(no_effect, "{role} {limit}: {limited:?}");
        }
        let notary = policy("", "\"notary\"]\ntargets = [\"x86_64\"]\n#");
        assert!(notary.is_ok(), "{notary:?}");
        let alone = policy("timestamp = 1", "\"timestamp\"");
        assert!(matches!(alone, Err(PolicyError::TimestampAlone)));
        // A key for other statements does not reach the threshold of artifacts.
        let head = "[[scope]]\nthreshold = 2";
        let scope = policy(head, "\"release\"");
        assert!(matches!(scope, Err(PolicyError::Threshold { .. })));
        let scope = policy("[[scope]]\nthreshold = 1\nkeys = [\"other\"]", "\"root\"");
        assert!(matches!(scope, Err(PolicyError::UnknownKey { .. })));
        for check in ["release", "freshness", "notary"] {
            let mode = policy(&format!("[checks]\n{check} = \"warn\""), "\"release\"");
            assert!(
                matches!(mode, Err(PolicyError::RoleNotAsked { .. })),
                "{check}"
            );
            let mode = policy(&format!("[checks]\n{check} = \"off\""), "\"release\"");
            assert!(mode.is_ok(), "{check}");
        }
        let required = "[validity]\npolicy-expiry-required = true";
        let error = policy(required, "\"release\"");
        assert!(matches!(error, Err(PolicyError::NoExpiry)));
        assert!(
            policy(
                &format!("expires = 2099-01-01T00:00:00Z\n{required}"),
                "\"root\""
            )
            .is_ok()
        );
        let reset = "[[reset]]\nnumber = 1\napplication = \"shop\"\nversion = 3\nserial = 11\n";
        assert!(policy(reset, "\"root\"").is_ok());
        // A field that is left out must not set a floor to 0.
        for field in ["version = 3\n", "serial = 11\n"] {
            let without = policy(&reset.replace(field, ""), "\"root\"");
            assert!(matches!(without, Err(PolicyError::Toml(_))), "{field}");
        }
        let twice = policy(&format!("{reset}{reset}"), "\"root\"");
        assert!(matches!(twice, Err(PolicyError::SameReset { .. })));
        let clock = "[reset-clock]\nnumber = 0\nto = 2026-01-01T00:00:00Z\n";
        for never in [&reset.replace("number = 1", "number = 0"), clock] {
            let never = policy(never, "\"root\"");
            assert!(matches!(never, Err(PolicyError::ResetNumber { .. })));
        }
        let high = format!("number = {}", 1_u64 << 53);
        for reset in [
            reset.replace("number = 1", &high),
            clock.replace("number = 0", &high),
        ] {
            let high = policy(&reset, "\"root\"");
            assert!(matches!(high, Err(PolicyError::Version { .. })), "{reset}");
        }
        let id = "0".repeat(64);
        let revoked = format!("[[revoked-key]]\nid = '{id}'\nreason = 'x'\n");
        let weaker = format!("{revoked}{revoked}revoked-from = 2026-01-01T00:00:00Z\n");
        let weaker = policy(&weaker, "\"root\"");
        assert!(matches!(weaker, Err(PolicyError::SameRevokedKey { .. })));
        let bad = policy(&reset.replace("shop", "a*"), "\"root\"");
        assert!(matches!(bad, Err(PolicyError::Name(_))));
    }

    /// Only a root can lower floors.
    #[test]
    fn a_reset_needs_a_root() {
        let text = "[reset-clock]\nnumber = 1\nto = 2030-01-01T00:00:00Z\n[[reset]]\nnumber = 1\n\
            application = \"shop\"\nversion = 3\nserial = 11\n";
        let mut policy = policy(text, "\"root\"").unwrap();
        assert_eq!(policy.floor_reset("shop", None), None);
        assert_eq!(policy.clock_reset(), None);
        policy.signed_by = policy
            .keys_with(Role::Root)
            .flat_map(|key| key.required_keys().map(PublicKey::id))
            .collect();
        assert_eq!(
            policy.floor_reset("shop", None).map(|it| it.version),
            Some(3)
        );
        assert_eq!(policy.floor_reset("shop", Some("beta")), None);
        assert_eq!(policy.clock_reset().map(|it| it.number), Some(1));
    }
}
