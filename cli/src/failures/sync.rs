//! Failures of `sync`: its file, its state, and what it is made of.

use std::io;
use std::path::Path;

use edgec_files::FolderError;
use edgec_loader::store::PolicySourceError;
use edgec_sync::state::{OrderError, StateError};
use edgec_sync::{ConfigError, SyncError};

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
        SyncError::State(error) => state_file_failure(error),
        SyncError::Listen { .. } => Failure::environment(code, error)
            .hint("write another address in `status`, or end the process that listens there"),
        error => Failure::rejected(code, error).hint(DESCRIBED),
    }
}

/// Why the state cannot be read or written.
fn state_file_failure(error: &StateError) -> Failure {
    let hint = match error {
        StateError::Busy { .. } => "end that process, or give this one a store of its own",
        StateError::Damaged { .. } => {
            "remove the file: the newest release then counts as a new one"
        }
        _ => "the folder must belong to this user; --state names another one",
    };
    Failure::environment(error.code(), error).hint(hint)
}

/// Why no release of an application can be tried again.
pub(crate) fn order_failure(error: &OrderError, label: &str) -> Failure {
    match error {
        // Another state would be one without the verdict.
        OrderError::State(error @ StateError::Folder(FolderError::Owner { .. })) => {
            Failure::environment(error.code(), error)
                .hint("run it as the user that the state belongs to")
        }
        OrderError::State(error) => state_file_failure(error),
        error => Failure::rejected(error.code(), error)
            .about(label)
            .hint("the `bad` of an application in the status is what can be tried again"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_for_the_state_of_another_user_is_given_by_that_user() {
        let name = "sync".to_owned();
        let error = OrderError::State(FolderError::Owner { name, uid: 7 }.into());
        let failure = serde_json::to_value(order_failure(&error, "shop")).unwrap();
        let hint = "run it as the user that the state belongs to";
        assert_eq!(
            (&failure["code"], &failure["hint"]),
            (&"sync-state".into(), &hint.into())
        );
    }
}
