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
    #[error("two applications have the name `{name}`: remove one, or give it another channel")]
    SameName {
        /// The name, with the channel.
        name: String,
        /// The place of the second one.
        at: Option<TextPlace>,
    },
    /// There is no application.
    #[error("the file has no `[[application]]`: name at least one, with `name` and `reference`")]
    NoApplication,
    /// There are more applications than a host can have.
    #[error("the file has more than {most} applications: give some of them to another host")]
    TooManyApplications {
        /// The limit.
        most: usize,
    },
}

impl ConfigError {
    /// A short name for the error that does not change between releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        "sync-config"
    }

    /// Where the error is, if that is known.
    #[must_use]
    pub fn place(&self) -> Option<&TextPlace> {
        match self {
            Self::Text(error) => error.place(),
            Self::SameName { at, .. } => at.as_ref(),
            Self::NoApplication | Self::TooManyApplications { .. } => None,
        }
    }
}
