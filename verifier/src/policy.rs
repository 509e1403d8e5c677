//! Whom a host trusts.
//!
//! A policy is a list of public keys and a threshold: how many different keys must have
//! signed. It is built from keys, or read from a TOML file (`docs/trust.md`):
//!
//! ```toml
//! threshold = 1
//!
//! [[key]]
//! name = "release"
//! pem = """
//! -----BEGIN PUBLIC KEY-----
//! MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
//! -----END PUBLIC KEY-----
//! """
//! ```

use std::num::NonZeroUsize;

use edgec_artifact::{KeyError, PublicKey};
use serde::Deserialize;

/// Whose signatures count, and how many of them it takes.
#[derive(Clone, Debug)]
pub struct TrustPolicy {
    keys: Vec<TrustedKey>,
    threshold: NonZeroUsize,
}

/// A public key that a policy trusts.
#[derive(Clone, Debug)]
pub struct TrustedKey {
    /// The name that reports use.
    pub name: String,
    /// The key.
    pub key: PublicKey,
}

/// Why there is no policy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Not TOML, or not a policy's TOML; the message says where.
    #[error("malformed trust policy: {0}")]
    Toml(String),
    /// A key in the file is unfit.
    #[error("trusted key `{name}` cannot be used")]
    Key {
        /// The key's name in the file.
        name: String,
        /// What is wrong with it.
        source: KeyError,
    },
    /// A key is listed twice, so that one signature might count twice.
    #[error("trusted keys `{first}` and `{second}` are the same key")]
    SameKey {
        /// The name of the first.
        first: String,
        /// The name of the second.
        second: String,
    },
    /// No set of signatures could ever be enough.
    #[error("the threshold is {threshold}, but {keys} keys are trusted")]
    Threshold {
        /// The threshold asked for.
        threshold: usize,
        /// How many keys there are.
        keys: usize,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    threshold: usize,
    #[serde(default)]
    key: Vec<KeyEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyEntry {
    name: String,
    pem: String,
}

impl TrustPolicy {
    /// A policy that wants signatures by `threshold` different ones of `keys`.
    ///
    /// # Errors
    ///
    /// [`PolicyError::SameKey`]; [`PolicyError::Threshold`] for zero and for more than
    /// there are keys.
    pub fn new(keys: Vec<TrustedKey>, threshold: usize) -> Result<Self, PolicyError> {
        for (index, first) in keys.iter().enumerate() {
            let again = keys.iter().skip(index + 1).find(|k| k.key == first.key);
            if let Some(second) = again {
                return Err(PolicyError::SameKey {
                    first: first.name.clone(),
                    second: second.name.clone(),
                });
            }
        }
        let fits = NonZeroUsize::new(threshold).filter(|_| threshold <= keys.len());
        let Some(threshold) = fits else {
            return Err(PolicyError::Threshold {
                threshold,
                keys: keys.len(),
            });
        };
        Ok(Self { keys, threshold })
    }

    /// Reads a policy file.
    ///
    /// # Errors
    ///
    /// [`PolicyError`].
    pub fn from_toml(text: &str) -> Result<Self, PolicyError> {
        let file: File =
            toml::from_str(text).map_err(|error| PolicyError::Toml(error.to_string()))?;
        let keys = file
            .key
            .into_iter()
            .map(|entry| match PublicKey::from_pem(&entry.pem) {
                Ok(key) => Ok(TrustedKey {
                    name: entry.name,
                    key,
                }),
                Err(source) => Err(PolicyError::Key {
                    name: entry.name,
                    source,
                }),
            })
            .collect::<Result<_, _>>()?;
        Self::new(keys, file.threshold)
    }

    /// The trusted keys, each once.
    pub fn keys(&self) -> &[TrustedKey] {
        &self.keys
    }

    /// How many different keys must have signed.
    pub fn threshold(&self) -> usize {
        self.threshold.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = "-----BEGIN PUBLIC KEY-----\\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\\n\
        -----END PUBLIC KEY-----\\n";

    fn policy(threshold: &str, keys: &[(&str, &str)]) -> Result<TrustPolicy, PolicyError> {
        let keys: String = keys
            .iter()
            .map(|(name, pem)| format!("[[key]]\nname = \"{name}\"\npem = \"{pem}\"\n"))
            .collect();
        TrustPolicy::from_toml(&format!("threshold = {threshold}\n{keys}"))
    }

    #[test]
    fn a_policy_is_keys_and_a_threshold() {
        let policy = policy("1", &[("ci", PEM)]).unwrap();
        assert_eq!((policy.keys().len(), policy.threshold()), (1, 1));
    }

    #[test]
    fn each_error_has_a_case() {
        let error = |threshold, keys: &[(&str, &str)]| policy(threshold, keys).unwrap_err();
        assert!(matches!(error("1", &[]), PolicyError::Threshold { .. }));
        assert!(matches!(
            error("0", &[("ci", PEM)]),
            PolicyError::Threshold { .. }
        ));
        assert!(matches!(error("-1", &[("ci", PEM)]), PolicyError::Toml(_)));
        assert!(matches!(
            error("2", &[("ci", PEM), ("also ci", PEM)]),
            PolicyError::SameKey { .. }
        ));
        assert!(matches!(
            error("1", &[("ci", "x")]),
            PolicyError::Key { .. }
        ));
        assert!(TrustPolicy::from_toml("threshold = 1\nmode = \"off\"").is_err());
    }
}
