//! `[store]`: the source of the artifacts.

use std::path::PathBuf;

use edgec_configuration::positive;
use serde::Deserialize;

use super::Period;

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

impl StoreConfig {
    /// The store in this folder, which is read again every second.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            refresh: refresh(),
        }
    }
}

fn refresh() -> Period {
    Period::secs(1)
}
