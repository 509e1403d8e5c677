//! An edgec without shared caches, in place of `shared.rs`: naming one is an error.

use std::path::{Path, PathBuf};
use std::time::Duration;

use edgec_builder::cache::Cache;

use super::{Inputs, SharedArguments, SharedReport, Surveyed};
use crate::failure::Failure;

/// There is no shared cache.
pub(crate) enum Shared {}

/// What a build would do with a shared cache.
pub(super) struct Use<'a> {
    pub(super) arguments: &'a SharedArguments,
    pub(super) deadline: Duration,
    pub(super) write_deadline: Duration,
    pub(super) key: Option<&'a Path>,
    pub(super) scope: &'a str,
    pub(super) inputs: Inputs,
}

/// None can be named.
pub(super) enum Named {}

impl SharedArguments {
    pub(super) fn checked_namespace(&self) -> Result<&str, Failure> {
        Ok(&self.cache_namespace)
    }
}

pub(super) fn named(_: &str, asked: &Use<'_>) -> Result<Named, Failure> {
    let Use {
        arguments: _,
        deadline: _,
        write_deadline: _,
        key: _,
        scope: _,
        inputs: Inputs { .. },
    } = asked;
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
