//! Errors of a store.

use std::io;

use edgec_files::FolderError;
use edgec_verifier::{ClockBehind, NameError};

use super::rollback::RollbackRefusal;

/// What is wrong with a store, or why it cannot do what a caller asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// One of its files or folders cannot be read or written, is of another kind, or can be changed
    /// by other users.
    #[error(transparent)]
    Folder(FolderError),
    /// The folder does not exist. [`ArtifactStore::create`](super::ArtifactStore::create) makes a
    /// store.
    #[error("`{name}`: there is no store")]
    Absent {
        /// The folder.
        name: String,
    },
    /// The folder holds something else, or a store of another version of edgec.
    #[error("`{name}` is not a store of this version of edgec")]
    NotAStore {
        /// The folder.
        name: String,
    },
    /// A file is not as it was admitted. Admit the artifact again: that puts a good file in its
    /// place.
    #[error("`{name}` is damaged: {what}")]
    Damaged {
        /// The file.
        name: String,
        /// What is wrong with it.
        what: String,
    },
    /// `current` is not as it was written. So it is unknown which version loads take, but the
    /// versions are there. [`ArtifactStore::make_current`](super::ArtifactStore::make_current) puts
    /// a good file in its place.
    #[error("`{name}` is damaged: {what}")]
    Current {
        /// The file.
        name: String,
        /// What is wrong with it.
        what: String,
    },
    /// No artifact with this name was admitted. [`ArtifactStore::list`](super::ArtifactStore::list)
    /// lists what is there.
    #[error("the store has no {what}")]
    Unknown {
        /// The application, its channel and version.
        what: String,
    },
    /// Artifacts were admitted, but none of them fits this machine and engine.
    #[error("the store has {what} for {}, none of which fits this host", targets.join(", "))]
    NoFit {
        /// The application, its channel and version.
        what: String,
        /// The target and engine profile of each artifact.
        targets: Vec<String>,
    },
    /// The text is not a valid name of an application or channel.
    #[error(transparent)]
    Name(#[from] NameError),
    /// It is older than what the store has had, or may no longer run.
    #[error(transparent)]
    Rollback(#[from] RollbackRefusal),
    /// The clock shows a time that has certainly passed.
    #[error(transparent)]
    Clock(#[from] ClockBehind),
}

impl StoreError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Folder(error) => match error {
                FolderError::NotAFile { .. } => "not-a-file",
                FolderError::NotAFolder { .. } => "not-a-folder",
                FolderError::Linked { .. } => "store-link",
                FolderError::Owner { .. } => "store-owner",
                FolderError::Writable { .. } => "store-writable",
                _ => "io",
            },
            Self::Absent { .. } => "io",
            Self::NotAStore { .. } => "not-a-store",
            Self::Damaged { .. } => "store-damaged",
            Self::Current { .. } => "store-current",
            Self::Unknown { .. } => "store-unknown",
            Self::NoFit { .. } => "store-no-fit",
            Self::Name(_) => "name",
            Self::Rollback(refusal) => refusal.code(),
            Self::Clock(_) => "clock-behind",
        }
    }

    pub(crate) fn io(name: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Folder(FolderError::Io {
            name: name.into(),
            source: source.into(),
        })
    }

    pub(crate) fn damaged(name: String, what: impl ToString) -> Self {
        let what = what.to_string();
        Self::Damaged { name, what }
    }

    /// The same error about a file that should be there: its absence is damage.
    #[must_use]
    pub fn lost(self) -> Self {
        match self {
            Self::Folder(error) if error.is_absence() => {
                Self::damaged(error.name().to_owned(), "it is not there")
            }
            error => error,
        }
    }

    /// Whether the error is that something does not exist.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::Folder(error) if error.is_absence())
    }

    /// Whether the error is that users other than the owner and root can change something.
    pub fn is_exposure(&self) -> bool {
        matches!(
            self,
            Self::Folder(FolderError::Owner { .. } | FolderError::Writable { .. })
        )
    }

    /// Whether the file is there, but is not as the store wrote it. Only the owner could write to
    /// its folder, so a change may replace it with a good file.
    pub(crate) fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Damaged { .. }
                | Self::Current { .. }
                | Self::Folder(
                    FolderError::NotAFile { .. }
                        | FolderError::Linked { .. }
                        | FolderError::Owner { .. }
                        | FolderError::Writable { .. }
                )
        )
    }
}

impl From<FolderError> for StoreError {
    fn from(error: FolderError) -> Self {
        match error {
            FolderError::TooLong { name } => Self::damaged(name, "it is too long"),
            error => Self::Folder(error),
        }
    }
}
