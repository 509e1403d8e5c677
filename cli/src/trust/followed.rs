//! Policies of verbs that run on: they read the file again.

use std::path::{Path, PathBuf};

use edgec_loader::store::{PolicyFile, PolicySource};

use super::read_roots;
use crate::failure::Failure;
use crate::failures::sync::policy_source_failure;

/// A policy in a file, which is read again for each release.
pub(crate) fn followed(
    path: &Path,
    roots: &[PathBuf],
    state: Option<PathBuf>,
) -> Result<PolicySource, Failure> {
    let file = PolicyFile::new(path).signed_by(read_roots(roots)?);
    let file = match &state {
        Some(state) => file.remembered_in(state),
        None => file,
    };
    let read = file.read();
    read.map_err(|error| policy_source_failure(&error, path, state.as_deref()))?;
    Ok(file.into())
}
