//! What can be wrong with a store.

use std::io;

use edgec_files::FolderError;
use edgec_verifier::NameError;

/// What is wrong with a store, or with a wish to it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Something in it cannot be read or written.
    #[error("`{name}`")]
    Io {
        /// The file or folder.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// There is no folder of that name.
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
    /// A symbolic link, a folder, a pipe, a device, where a file should be.
    #[error("`{name}` is not a regular file")]
    NotAFile {
        /// Its name.
        name: String,
    },
    /// Something else where a folder should be, or a link to one.
    #[error("`{name}` is not a folder of the store's own")]
    NotAFolder {
        /// Its name.
        name: String,
    },
    /// A file with a second name, through which it could be changed.
    #[error("`{name}` has another name (a hard link)")]
    Linked {
        /// Its name.
        name: String,
    },
    /// A file or folder of another user.
    #[error("`{name}` belongs to another user ({uid})")]
    Owner {
        /// The file or folder.
        name: String,
        /// Whose it is.
        uid: u32,
    },
    /// Its mode lets too many users write it. No user may write a finished file, and only its owner
    /// may write a folder or a file that is there to be locked.
    #[error(
        "`{name}` has mode {mode:04o}, {expected:04o} is expected: too many users may write it"
    )]
    Writable {
        /// The file or folder.
        name: String,
        /// Its mode.
        mode: u32,
        /// The mode that the store gives it.
        expected: u32,
    },
    /// What is there is not what was admitted.
    #[error("`{name}` is damaged: {what}")]
    Damaged {
        /// The file.
        name: String,
        /// What is wrong with it.
        what: String,
    },
    /// `current` is not as it was written: which version loads take is not known, the versions are
    /// there.
    #[error("`{name}` is damaged: {what}")]
    Current {
        /// The file.
        name: String,
        /// What is wrong with it.
        what: String,
    },
    /// Nothing of that name was admitted.
    #[error("the store has no {what}")]
    Unknown {
        /// The application, its channel and version.
        what: String,
    },
    /// Artifacts were admitted, and none is for this machine and engine.
    #[error("the store has {what} for {}, none of which fits this host", targets.join(", "))]
    NoFit {
        /// The application, its channel and version.
        what: String,
        /// Target and engine profile of each.
        targets: Vec<String>,
    },
    /// No name of an application or channel.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl StoreError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } | Self::Absent { .. } => "io",
            Self::NotAStore { .. } => "not-a-store",
            Self::NotAFile { .. } => "not-a-file",
            Self::NotAFolder { .. } => "not-a-folder",
            Self::Linked { .. } => "store-link",
            Self::Owner { .. } => "store-owner",
            Self::Writable { .. } => "store-writable",
            Self::Damaged { .. } => "store-damaged",
            Self::Current { .. } => "store-current",
            Self::Unknown { .. } => "store-unknown",
            Self::NoFit { .. } => "store-no-fit",
            Self::Name(_) => "name",
        }
    }

    pub(crate) fn io(name: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Io {
            name: name.into(),
            source: source.into(),
        }
    }

    pub(crate) fn damaged(name: String, what: impl ToString) -> Self {
        let what = what.to_string();
        Self::Damaged { name, what }
    }

    /// That something is not there, which should be.
    #[must_use]
    pub fn lost(self) -> Self {
        match self {
            Self::Io { name, source } if source.kind() == io::ErrorKind::NotFound => {
                Self::damaged(name, "it is not there")
            }
            error => error,
        }
    }

    /// Whether it is that something is not there.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Whether it is that users other than the owner and root can change something.
    pub fn is_exposure(&self) -> bool {
        matches!(self, Self::Owner { .. } | Self::Writable { .. })
    }

    /// Whether the file is there, but is not as the store wrote it. Only the owner could write to
    /// its folder, so a change may put a good file in its place.
    pub(crate) fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Damaged { .. }
                | Self::Current { .. }
                | Self::NotAFile { .. }
                | Self::Linked { .. }
                | Self::Owner { .. }
                | Self::Writable { .. }
        )
    }
}

impl From<FolderError> for StoreError {
    fn from(error: FolderError) -> Self {
        match error {
            FolderError::Io { name, source } => Self::Io { name, source },
            FolderError::NotAFile { name } => Self::NotAFile { name },
            FolderError::NotAFolder { name } => Self::NotAFolder { name },
            FolderError::Linked { name } => Self::Linked { name },
            FolderError::Owner { name, uid } => Self::Owner { name, uid },
            FolderError::Writable {
                name,
                mode,
                expected,
            } => Self::Writable {
                name,
                mode,
                expected,
            },
            FolderError::TooLong { name } => Self::damaged(name, "it is too long"),
            error => Self::io(error.name().to_owned(), io::Error::other(error)),
        }
    }
}
