//! `[store]` and `[policy]`: the source of the artifacts, and what decides about them.

use std::path::PathBuf;

use serde::Deserialize;

use super::bounds::positive;
use super::values::Period;

/// `[store]`: the store that `edgec store add` fills.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct StoreConfig {
    /// Its folder.
    pub path: PathBuf,
    /// How often the store and the policy are read again.
    #[serde(default = "refresh", deserialize_with = "positive")]
    pub refresh: Period,
}

/// `[policy]`: the trust policy (`docs/policy.md`). It is read again at each refresh.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct PolicyConfig {
    /// The file.
    pub file: PathBuf,
    /// Public keys, each of which must have signed the policy.
    #[serde(default)]
    pub roots: Vec<PathBuf>,
    /// The file that remembers the newest policy, so that an older one is refused after a restart.
    pub state: Option<PathBuf>,
}

impl StoreConfig {
    /// The store in this folder, which is read again every second.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            refresh: refresh(),
        }
    }
}

impl PolicyConfig {
    /// The policy in this file.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self {
            file: file.into(),
            roots: Vec::new(),
            state: None,
        }
    }
}

fn refresh() -> Period {
    Period::secs(1)
}
