//! Errors about a folder and the files in it.

use std::io;
use std::path::Path;

use crate::new_folders::FOLDER_MODE;
use crate::way::WayError;

/// Why a folder, or something in it, is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// A file or folder cannot be read or written.
    #[error("`{name}`")]
    Io {
        /// The file or folder.
        name: String,
        /// The system's error.
        source: io::Error,
    },
    /// There is a symbolic link, a folder, a pipe or a device instead of a file.
    #[error("`{name}` is not a regular file")]
    NotAFile {
        /// Its name.
        name: String,
    },
    /// There is a link to a folder, or something else, instead of a folder.
    #[error("`{name}` is not a folder")]
    NotAFolder {
        /// Its name.
        name: String,
    },
    /// The file has a second name, through which it could be changed.
    #[error("`{name}` has another name (a hard link)")]
    Linked {
        /// Its name.
        name: String,
    },
    /// The file or folder belongs to another user.
    #[error("`{name}` belongs to another user ({uid})")]
    Owner {
        /// The file or folder.
        name: String,
        /// The owner.
        uid: u32,
    },
    /// The mode lets too many users write. No user may write a finished file, and only its owner
    /// may write a folder or open a lock file.
    #[error(
        "`{name}` has mode {mode:04o}, {expected:04o} is expected: more users may write it \
         than should"
    )]
    Writable {
        /// The file or folder.
        name: String,
        /// Its mode.
        mode: u32,
        /// The mode that it should have.
        expected: u32,
    },
    /// The file is longer than its limit.
    #[error("`{name}` is too long")]
    TooLong {
        /// The file.
        name: String,
    },
}

impl FolderError {
    /// The file or folder, for messages.
    pub fn name(&self) -> &str {
        match self {
            Self::Io { name, .. }
            | Self::NotAFile { name }
            | Self::NotAFolder { name }
            | Self::Linked { name }
            | Self::Owner { name, .. }
            | Self::Writable { name, .. }
            | Self::TooLong { name } => name,
        }
    }

    /// Whether the error says that the file or folder does not exist.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    pub(crate) fn io(name: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Io {
            name: name.into(),
            source: source.into(),
        }
    }

    /// The error for a path to a folder that is not safe.
    pub(crate) fn of_way(path: &Path, error: WayError) -> Self {
        let name = |at: &Path| at.display().to_string();
        match error {
            WayError::Io { at, source } => Self::io(name(&at), source),
            WayError::Owner { at, uid } => Self::Owner {
                name: name(&at),
                uid,
            },
            WayError::Writable { at, mode } => Self::Writable {
                name: name(&at),
                mode,
                expected: FOLDER_MODE,
            },
            error @ WayError::List { .. } => Self::io(name(path), io::Error::other(error)),
        }
    }
}
