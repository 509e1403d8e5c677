//! `[poll]` and `[registry]`: how often references are looked at, and how registries are reached.

use std::path::PathBuf;

use edgec_configuration::positive;
use serde::Deserialize;

use super::Period;
use super::values::{Mirror, Share};

/// `[poll]`: how often a reference is looked at.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct PollConfig {
    /// The time between two looks at a reference.
    #[serde(deserialize_with = "positive")]
    pub interval: Period,
    /// By which part of itself the time varies, so that the hosts of a fleet do not ask together.
    pub jitter: Share,
    /// How many applications are worked on at one time.
    #[serde(deserialize_with = "concurrency")]
    pub concurrency: usize,
    /// The longest time between two looks after failures. The time doubles with each failure.
    #[serde(deserialize_with = "positive")]
    pub backoff: Period,
}

impl Default for PollConfig {
    fn default() -> Self {
        Self {
            interval: Period::secs(30),
            jitter: Share::new(0.2).unwrap_or(Share::ALL),
            concurrency: 4,
            backoff: Period::secs(600),
        }
    }
}

/// `[registry]`: how registries are reached.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct RegistryConfig {
    /// Whether registries are asked without TLS. Loopback addresses always are.
    pub plain_http: bool,
    /// Certificates of authorities in PEM, beside those of Mozilla.
    pub ca: Vec<PathBuf>,
    /// Pull-through caches, which are asked in this order before the registry that a reference
    /// names: `host` or `host:port`, perhaps with the first parts of a repository there.
    #[serde(deserialize_with = "mirrors")]
    pub mirrors: Vec<String>,
    /// Whether artifacts come as differences to what the store has, where there are some.
    pub differences: Option<bool>,
}

fn concurrency<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let number = u64::deserialize(deserializer)?;
    let number = usize::try_from(number).unwrap_or(usize::MAX);
    match number {
        1..=64 => Ok(number),
        _ => Err(serde::de::Error::custom("write a number from 1 to 64")),
    }
}

fn mirrors<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let mirrors = Vec::<Mirror>::deserialize(deserializer)?;
    Ok(mirrors.into_iter().map(|it| it.0).collect())
}
