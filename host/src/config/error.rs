//! What is wrong with a configuration, and where.

use edgec_configuration::{TextError, TextPlace};

/// A text that is not a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The text does not have the form of a configuration, or a value is wrong.
    #[error(transparent)]
    Text(#[from] TextError),
    /// Two applications have the same name and channel.
    #[error("two applications have the name `{name}`: give one of them more hosts instead")]
    SameName {
        /// The name.
        name: String,
        /// The place of the second one.
        at: Option<TextPlace>,
    },
    /// Two applications have the same host and path.
    #[error("two applications answer for host {host} and path {path}")]
    SameRoute {
        /// The host.
        host: String,
        /// The path.
        path: String,
        /// The place of the second one.
        at: Option<TextPlace>,
    },
    /// An application comes from a store, and the file names none.
    #[error("`{name}` comes from a store, and the file names none: write `[store]`, with `path`")]
    NoStore {
        /// The application.
        name: String,
        /// Its place.
        at: Option<TextPlace>,
    },
    /// An application comes from a store, which has its own statements.
    #[error(
        "`{name}` comes from a store, which keeps its statements: take them with `edgec store`"
    )]
    Statements {
        /// The application.
        name: String,
        /// Its place.
        at: Option<TextPlace>,
    },
    /// `[sync]` keeps a store current, and the file names none.
    #[error(
        "`[sync]` keeps a store current, and the file names none: write `[store]`, with `path`"
    )]
    SyncWithoutStore {
        /// Its place.
        at: Option<TextPlace>,
    },
    /// There is no application.
    #[error("the file has no `[[application]]`")]
    NoApplication,
}

impl ConfigError {
    /// Where the error is, if that is known.
    pub fn place(&self) -> Option<&TextPlace> {
        match self {
            Self::Text(error) => error.place(),
            Self::SameName { at, .. }
            | Self::SameRoute { at, .. }
            | Self::NoStore { at, .. }
            | Self::Statements { at, .. }
            | Self::SyncWithoutStore { at } => at.as_ref(),
            Self::NoApplication => None,
        }
    }
}
