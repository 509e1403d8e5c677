//! The roles of keys, revoked keys, and the statements that a policy demands.

use std::collections::BTreeMap;

use edgec_artifact::KeyId;
use serde::Deserialize;

use super::values::{DateTime, Line};
use crate::check::{CheckName, Mode};
use crate::policy::{KeyRule, PolicyError, Revocation, reachable};
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

/// How many signers must have signed each statement that is `wanted`.
pub(super) fn demands(
    wanted: impl IntoIterator<Item = (Role, Option<usize>)>,
    keys: &[KeyRule],
) -> Result<Demands, PolicyError> {
    let wanted = wanted.into_iter();
    let wanted = wanted.filter_map(|(role, wanted)| Some((role, wanted?)));
    let demands = wanted.map(|(role, wanted)| {
        let count = keys.iter().filter(|rule| rule.roles.has(role)).count();
        let threshold = reachable(&format!("`{}`", role.name()), wanted, count)?;
        Ok((role, threshold))
    });
    let demands: Demands = demands.collect::<Result<_, PolicyError>>()?;
    match demands.has(Role::Timestamp) && !demands.has(Role::Release) {
        true => Err(PolicyError::TimestampAlone),
        false => Ok(demands),
    }
}

/// Refuses a mode for the check of a statement that is not demanded.
pub(super) fn modes_fit(
    modes: &BTreeMap<CheckName, Mode>,
    demands: &Demands,
) -> Result<(), PolicyError> {
    for (check, role) in [
        (CheckName::Release, Role::Release),
        (CheckName::Freshness, Role::Timestamp),
        (CheckName::Notary, Role::Notary),
    ] {
        let mode = modes.get(&check);
        if !demands.has(role) && mode.is_some_and(|mode| *mode != Mode::Off) {
            let demand = role.name();
            return Err(PolicyError::RoleNotAsked { check, demand });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
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
        let id = "0".repeat(64);
        let revoked = format!("[[revoked-key]]\nid = '{id}'\nreason = 'x'\n");
        let weaker = format!("{revoked}{revoked}revoked-from = 2026-01-01T00:00:00Z\n");
        let weaker = policy(&weaker, "\"root\"");
        assert!(matches!(weaker, Err(PolicyError::SameRevokedKey { .. })));
    }
}
