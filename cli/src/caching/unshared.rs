//! An edgec without shared caches, in place of `shared.rs`: naming one is an error.

use std::path::{Path, PathBuf};

use edgec_builder::cache::Cache;

use super::asked::Use;
use super::{SharedArguments, SharedReport, Surveyed};
use crate::failure::Failure;

/// There is no shared cache.
pub(crate) enum Shared {}

/// None can be named.
pub(super) enum Named {}

impl SharedArguments {
    pub(crate) fn checked_namespace(&self) -> Result<&str, Failure> {
        Ok(&self.cache_namespace)
    }
}

pub(super) fn named(_: &str, _: &Use<'_>) -> Result<Named, Failure> {
    Err(unsupported())
}

fn unsupported() -> Failure {
    Failure::usage(
        "cache-unsupported",
        "this edgec was built without shared caches",
    )
    .about("--cache")
    .hint("name a folder, or build edgec with its feature `shared-cache`")
}

impl Named {
    pub(super) fn behind(self, _: &Cache, _: Use<'_>) -> Shared {
        match self {}
    }
}

impl Shared {
    pub(crate) fn report(&self) -> SharedReport {
        match *self {}
    }

    pub(crate) fn finish(&self, _: &Cache) {
        match *self {}
    }
}

pub(crate) fn stats(_: &str, _: &SharedArguments) -> Result<(String, u64, u64), Failure> {
    Err(unsupported())
}

pub(crate) fn check(_: &str, _: &SharedArguments) -> Result<Surveyed, Failure> {
    Err(unsupported())
}

pub(super) fn files_read(_: &SharedArguments, _: Option<&Path>) -> Vec<PathBuf> {
    Vec::new()
}
