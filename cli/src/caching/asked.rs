//! What a build asks of a shared cache.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::SharedArguments;

/// What the packs of a build in a shared cache are named by.
#[cfg_attr(
    not(feature = "shared-cache"),
    expect(dead_code, reason = "only a shared cache reads it")
)]
pub(crate) struct Inputs {
    /// The inputs.
    pub(crate) files: Vec<PathBuf>,
    /// The names of the applications.
    pub(crate) applications: Vec<String>,
    /// Targets and settings, in the order of the inputs.
    pub(crate) settings: Vec<String>,
}

/// What a build does with a shared cache.
#[cfg_attr(
    not(feature = "shared-cache"),
    expect(dead_code, reason = "only a shared cache reads it")
)]
pub(super) struct Use<'a> {
    pub(super) arguments: &'a SharedArguments,
    pub(super) deadline: Duration,
    pub(super) write_deadline: Duration,
    /// The key that signs what is written, if the build writes.
    pub(super) key: Option<&'a Path>,
    pub(super) scope: &'a str,
    pub(super) inputs: Inputs,
}
