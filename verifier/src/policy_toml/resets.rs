//! A root's orders about floors.

use edgec_artifact::{MAX_VERSION, check_name};
use serde::Deserialize;

use super::values::DateTime;
use crate::clock_floor::ClockReset;
use crate::policy::{FloorReset, PolicyError};

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

    /// A policy of a signer and a root.
    fn policy(text: &str) -> Result<TrustPolicy, PolicyError> {
        let key = |name: &str, role: &str, key: &str| {
            format!(
                "[[key]]\nname = \"{name}\"\nroles = [\"{role}\"]\n\
                 pem = \"-----BEGIN PUBLIC KEY-----\\n{key}\\n-----END PUBLIC KEY-----\\n\"\n"
            )
        };
        let one = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
        let two = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        TrustPolicy::from_toml(&format!(
            "threshold = 1\n{text}\n{}{}",
            key("ci", "artifact", one),
            key("other", "root", two)
        ))
    }

    #[test]
    fn each_error_has_a_case() {
        let reset = "[[reset]]\nnumber = 1\napplication = \"shop\"\nversion = 3\nserial = 11\n";
        assert!(policy(reset).is_ok());
        // A field that is left out must not set a floor to 0.
        for field in ["version = 3\n", "serial = 11\n"] {
            let without = policy(&reset.replace(field, ""));
            assert!(matches!(without, Err(PolicyError::Toml(_))), "{field}");
        }
        let twice = policy(&format!("{reset}{reset}"));
        assert!(matches!(twice, Err(PolicyError::SameReset { .. })));
        let clock = "[reset-clock]\nnumber = 0\nto = 2026-01-01T00:00:00Z\n";
        for never in [&reset.replace("number = 1", "number = 0"), clock] {
            let never = policy(never);
            assert!(matches!(never, Err(PolicyError::ResetNumber { .. })));
        }
        let high = format!("number = {}", 1_u64 << 53);
        for reset in [
            reset.replace("number = 1", &high),
            clock.replace("number = 0", &high),
        ] {
            let high = policy(&reset);
            assert!(matches!(high, Err(PolicyError::Version { .. })), "{reset}");
        }
        let bad = policy(&reset.replace("shop", "a*"));
        assert!(matches!(bad, Err(PolicyError::Name(_))));
    }

    /// Only a root can lower floors.
    #[test]
    fn a_reset_needs_a_root() {
        let text = "[reset-clock]\nnumber = 1\nto = 2030-01-01T00:00:00Z\n[[reset]]\nnumber = 1\n\
            application = \"shop\"\nversion = 3\nserial = 11\n";
        let mut policy = policy(text).unwrap();
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
