//! What can be wrong with a folder and with what is in it.

use std::io;
use std::path::Path;

use crate::new_folders::FOLDER_MODE;
use crate::way::WayError;

/// What is wrong with a folder, or with something in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// Something cannot be read or written.
    #[error("`{name}`")]
    Io {
        /// The file or folder.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// A symbolic link, a folder, a pipe, a device, where a file should be.
    #[error("`{name}` is not a regular file")]
    NotAFile {
        /// Its name.
        name: String,
    },
    /// Something else where a folder should be, or a link to one.
    #[error("`{name}` is not a folder")]
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
        /// The mode that it should have.
        expected: u32,
    },
    /// A file is longer than it may be.
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

    /// Whether it is that something is not there.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    pub(crate) fn io(name: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Io {
            name: name.into(),
            source: source.into(),
        }
    }

    /// What is wrong with the way to the folder at `path`.
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
