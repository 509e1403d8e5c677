//! Failures of loading, from files and from stores.

use std::io::ErrorKind;
use std::path::Path;

use edgec_loader::LoadError;
use edgec_loader::store::{FolderError, RollbackRefusal, StoreError};
use edgec_verifier::{ArtifactFileError, VerifyError};

use super::verifier::verify_failure;
use crate::failure::{Exit, Failure, chain};
use crate::file_kind::{Wanted, explain_file};
use crate::files::{self, NAME_THE_FILES, STDIN};

/// Why a file cannot be loaded. If it is not an artifact at all, the failure says what it is.
pub(crate) fn file_failure(error: &LoadError, path: &Path) -> Failure {
    let failure = load_failure(error).about(path.display());
    let map =
        "artifacts are mapped into memory, which takes a regular file: write it to a file first";
    match error {
        LoadError::File(ArtifactFileError::Io { source, .. })
            if source.kind() == ErrorKind::NotFound && path.as_os_str() == STDIN =>
        {
            let message = "an artifact cannot be read from standard input";
            let failure = Failure::new(Exit::Rejected, "not-a-file", message);
            let hint = "name the file, or write it to one first: artifacts are mapped into memory";
            failure.about(path.display()).hint(hint)
        }
        LoadError::File(ArtifactFileError::NotAFile) => match path.is_dir() {
            true => failure.hint(NAME_THE_FILES),
            false => failure.hint(map),
        },
        LoadError::Verify(VerifyError::Layout(_)) => explain_file(failure, path, Wanted::Artifact),
        _ => failure,
    }
}

pub(crate) fn load_failure(error: &LoadError) -> Failure {
    match error {
        LoadError::Verify(error) | LoadError::Unexpected(error) => verify_failure(error),
        LoadError::File(ArtifactFileError::Io { source: error, .. })
        | LoadError::Memory(error) => Failure::environment(
            "io",
            &std::io::Error::new(error.kind(), format!("cannot read: {error}")),
        ),
        LoadError::Store(error) => store_failure(error),
        LoadError::Mode(_) => Failure::rejected(error.code(), error)
            .hint("load it from a store (`edgec store add`); fs-verity is for a file system that has the feature"),
        LoadError::Unfit(_) | LoadError::NoneFits { .. } => Failure::rejected(error.code(), error)
            .hint("`edgec targets --host` says which targets run here"),
        LoadError::Link(_) => Failure::rejected(error.code(), error)
            .hint("`edgec check` says what the program needs, and `edgec explain link` what hosts offer"),
        _ => Failure::rejected(error.code(), error),
    }
}

/// What to do about something that is older than what a store has had.
fn rollback_remedy(refusal: &RollbackRefusal) -> Option<&'static str> {
    Some(match refusal {
        RollbackRefusal::Version { .. } | RollbackRefusal::Serial { .. } => {
            "fetch the newest release. If a number is too high by mistake, a policy that a root has \
             signed sets it again (`[[reset]]`, docs/releases-and-timestamps.md)"
        }
        RollbackRefusal::SameVersion { .. } => {
            "build it with a higher --app-version, or make a release with a higher --serial that \
             replaces the version"
        }
        RollbackRefusal::WithoutRelease { .. } => "name its release with --release",
        RollbackRefusal::SameSerial { .. } => "make the release again with a higher --serial",
        RollbackRefusal::BelowFloor { .. } => "deploy the newest release",
        _ => return None,
    })
}

/// What to do if no store exists.
const NO_STORE: &str = "`edgec store add` makes one in an empty folder; --store says where it is";

/// The failure with a hint.
pub(crate) fn store_failure(error: &StoreError) -> Failure {
    let exit = match error {
        StoreError::Folder(FolderError::Io { .. }) | StoreError::Absent { .. } => Exit::Environment,
        StoreError::Name(_) => Exit::Usage,
        _ => Exit::Rejected,
    };
    let failure = Failure::new(exit, error.code(), chain(error));
    match error {
        StoreError::Folder(FolderError::Io { source, .. }) => match files::remedy(source.kind()) {
            // This error may also come from reading.
            Some(remedy) if source.kind() != ErrorKind::PermissionDenied => failure.hint(remedy),
            _ => failure,
        },
        StoreError::Absent { .. } | StoreError::NotAStore { .. } => failure.hint(NO_STORE),
        StoreError::Folder(FolderError::Owner { .. }) => failure.hint("a store and the folders above it must belong to this user or to root"),
        StoreError::Folder(_) => {
            failure.hint("a user who can change a store decides what its hosts run: make a new one and add the artifacts again")
        }
        StoreError::Damaged { .. } => failure.hint("add the artifact again: that puts a good file in its place"),
        StoreError::Current { .. } => failure.hint("`edgec store use NAME --app-version N` puts a good file in its place, and so does adding the newest version again"),
        StoreError::Unknown { .. } => failure.hint("`edgec store ls` lists what is there"),
        StoreError::Rollback(refusal) => match rollback_remedy(refusal) {
            Some(remedy) => failure.hint(remedy),
            None => failure,
        },
        StoreError::Clock(_) => failure.hint("set the clock of this machine"),
        StoreError::NoFit { .. } => failure.hint("add an artifact for this CPU and engine profile"),
        _ => failure,
    }
}
