//! `[sync]`: the `FLEET.toml` that keeps the store of this host current. The program around the
//! host follows it.

use std::path::PathBuf;

use serde::Deserialize;

/// `[sync]`: what keeps the store current (`docs/sync.md`).
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct SyncConfig {
    /// The `FLEET.toml`.
    pub fleet: PathBuf,
    /// The name of this host in the fleet. `None`: that of the file, or of the machine.
    pub name: Option<String>,
    /// The folder of the state. `None`: that of the file, or `sync` in the store.
    pub state: Option<PathBuf>,
}
