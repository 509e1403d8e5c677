//! What is wrong with a project, and where.

use edgec_configuration::{TextError, TextPlace};

/// A text that is not a project.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectError {
    /// The text does not have the form of a project, or a value is wrong.
    #[error(transparent)]
    Text(#[from] TextError),
    /// Two components have the same name.
    #[error("two components have the name `{name}`")]
    SameName {
        /// The name.
        name: String,
        /// The place of the second one.
        at: Option<TextPlace>,
    },
    /// A table names targets and a fleet.
    #[error("`fleet` chooses the targets, so `targets` cannot stand beside it")]
    TwoChoices {
        /// The place of the fleet.
        at: Option<TextPlace>,
    },
    /// There is no component.
    #[error("the file has no component")]
    NoComponent,
}

impl ProjectError {
    /// Where the error is, if that is known.
    pub fn place(&self) -> Option<&TextPlace> {
        match self {
            Self::Text(error) => error.place(),
            Self::SameName { at, .. } | Self::TwoChoices { at } => at.as_ref(),
            Self::NoComponent => None,
        }
    }
}
