//! The table `[provenance]` of a policy.

use std::collections::BTreeSet;

use edgec_targets::nearest_alike;
use serde::Deserialize;

use super::keys::is_empty;
use crate::pattern::Pattern;
use crate::policy::{PolicyError, ProvenanceRules};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    builder: Option<Vec<Pattern>>,
    source: Option<Vec<Pattern>>,
    keys: Option<BTreeSet<String>>,
    #[serde(default)]
    sbom: bool,
}

impl Table {
    /// The rules. `names` are the names of all trusted keys.
    pub(super) fn rules(self, names: &BTreeSet<&str>) -> Result<ProvenanceRules, PolicyError> {
        for (list, is_empty) in [
            ("builder", is_empty(&self.builder)),
            ("source", is_empty(&self.source)),
            ("keys", self.keys.as_ref().is_some_and(BTreeSet::is_empty)),
        ] {
            if is_empty {
                return Err(PolicyError::EmptyList {
                    of: "`provenance`".to_owned(),
                    list,
                });
            }
        }
        let mut keys = self.keys.iter().flatten();
        if let Some(key) = keys.find(|key| !names.contains(key.as_str())) {
            return Err(PolicyError::UnknownKey {
                scope: "`provenance`".to_owned(),
                key: key.clone(),
                nearest: nearest_alike(key, names.iter().copied()).map(str::to_owned),
            });
        }
        Ok(ProvenanceRules {
            builders: self.builder,
            sources: self.source,
            keys: self.keys,
            sbom: self.sbom,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::TrustPolicy;
    use crate::policy::PolicyError;

    fn policy(text: &str) -> Result<TrustPolicy, PolicyError> {
        let pem = "-----BEGIN PUBLIC KEY-----\\n\
            MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\\n\
            -----END PUBLIC KEY-----\\n";
        TrustPolicy::from_toml(&format!(
            "threshold = 1\n[[key]]\nname = \"ci\"\npem = \"{pem}\"\n{text}"
        ))
    }

    #[test]
    fn each_error_has_a_case() {
        for list in ["builder", "source", "keys"] {
            let error = policy(&format!("[provenance]\n{list} = []")).map(|_| ());
            assert!(
                matches!(error, Err(PolicyError::EmptyList { .. })),
                "{list}"
            );
        }
        let unknown = policy("[provenance]\nkeys = [\"other\"]").map(|_| ());
        assert!(matches!(unknown, Err(PolicyError::UnknownKey { .. })));
        let more = policy("[provenance]\nrevision = [\"x\"]").map(|_| ());
        assert!(matches!(more, Err(PolicyError::Toml(_))));
        for mode in ["enforce", "warn"] {
            let mode = policy(&format!("[checks]\nprovenance = \"{mode}\"")).map(|_| ());
            assert!(matches!(mode, Err(PolicyError::ProvenanceNotAsked)));
        }
        for text in [
            "[provenance]",
            "[provenance]\nsbom = true",
            "[provenance]\nsbom = false",
            "[provenance]\nbuilder = [\"*\"]\nsource = [\"https://a/*\"]\nkeys = [\"ci\"]",
            "[provenance]\n[checks]\nprovenance = \"warn\"",
            "[checks]\nprovenance = \"off\"",
        ] {
            assert!(policy(text).is_ok(), "{text}");
        }
    }
}
