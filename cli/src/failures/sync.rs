//! Failures of `sync`: its file, its state, and what it is made of.

use std::io;
use std::path::Path;

use edgec_loader::store::PolicySourceError;
use edgec_sync::{ConfigError, SyncError, state::StateError};

use super::verifier::{policy_failure, state_failure};
use crate::failure::Failure;
use crate::place::Place;

/// Where the file is described.
const DESCRIBED: &str = "docs/sync.md describes the file";

/// Why a `FLEET.toml` cannot be used.
pub(crate) fn config_failure(error: &ConfigError, file: &Path) -> Failure {
    let failure = Failure::rejected(error.code(), error).quoting();
    let failure = failure.in_file(file).hint(DESCRIBED);
    match error.place() {
        Some(place) => failure.at(Place::in_text(place.line, place.column)),
        None => failure,
    }
}

/// Why a host cannot be kept current.
pub(crate) fn sync_failure(error: &SyncError) -> Failure {
    let code = error.code();
    match error {
        SyncError::State(error) => match error {
            StateError::Busy { .. } => Failure::environment(code, error)
                .hint("end that process, or give this one a store of its own"),
            StateError::Damaged { .. } => Failure::environment(code, error)
                .hint("remove the file: the newest release then counts as a new one"),
            error => Failure::environment(code, error)
                .hint("the folder must belong to this user; --state names another one"),
        },
        SyncError::Listen { .. } => Failure::environment(code, error)
            .hint("write another address in `status`, or end the process that listens there"),
        error => Failure::rejected(code, error).hint(DESCRIBED),
    }
}

/// Why there is no policy.
pub(crate) fn policy_source_failure(
    error: &PolicySourceError,
    file: &Path,
    state: Option<&Path>,
) -> Failure {
    match error {
        PolicySourceError::File(error) => policy_failure(error, file),
        PolicySourceError::State(error) => match state {
            Some(state) => state_failure(error, state).or_about(file.display()),
            None => Failure::rejected(error.code(), error).about(file.display()),
        },
        error => Failure::environment(error.code(), error).about(file.display()),
    }
}

/// Why signals cannot be handled.
pub(crate) fn signal_failure(error: &io::Error) -> Failure {
    Failure::environment("signals", error)
}
