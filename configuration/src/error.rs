//! What is wrong with a text, and where.

use std::ops::Range;

use crate::place::TextPlace;

/// A text that is not a configuration of its form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// The text is too long.
    #[error("the file has {length} bytes, and {limit} is the limit")]
    TooLong {
        /// Its length in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The text states no schema.
    #[error("the file does not state its schema: begin it with `schema = {expected}`")]
    NoSchema {
        /// The schema that this edgec reads.
        expected: u32,
    },
    /// The text has another schema.
    #[error("the file's schema is {found}, and this edgec reads {expected}")]
    OtherSchema {
        /// The schema that the text states.
        found: u32,
        /// The schema that this edgec reads.
        expected: u32,
    },
    /// The text is not TOML, or a value is not what its name takes.
    #[error("{what}")]
    Value {
        /// What is wrong, and what to write.
        what: String,
        /// The place. `None` if the parser does not know it.
        at: Option<TextPlace>,
    },
    /// A table has no such name.
    #[error("unknown name `{name}`{}", instead(nearest.as_deref(), known))]
    UnknownName {
        /// The unknown name.
        name: String,
        /// The names that the table has. Boxes keep errors small.
        known: Box<[String]>,
        /// The known name that was probably meant.
        nearest: Option<Box<str>>,
        /// The place of the name.
        at: Option<TextPlace>,
    },
    /// A table lacks a name.
    #[error("`{name}` is missing")]
    Missing {
        /// The missing name.
        name: String,
        /// The place of the table.
        at: Option<TextPlace>,
    },
}

/// What to write instead of an unknown name: the one that was probably meant, or else any.
fn instead(nearest: Option<&str>, known: &[String]) -> String {
    match (nearest, known) {
        (Some(nearest), _) => format!("; did you mean `{nearest}`?"),
        (None, []) => String::new(),
        (None, known) => format!("; this table has `{}`", known.join("`, `")),
    }
}

impl TextError {
    /// The error about a value that the parser has read. `what` says what to write.
    #[must_use]
    pub fn value(what: impl Into<String>, text: &str, span: &Range<usize>) -> Self {
        let (what, at) = (what.into(), TextPlace::of(text, span));
        Self::Value { what, at }
    }

    /// Where the error is, if that is known.
    #[must_use]
    pub fn place(&self) -> Option<&TextPlace> {
        match self {
            Self::Value { at, .. } | Self::UnknownName { at, .. } | Self::Missing { at, .. } => {
                at.as_ref()
            }
            Self::TooLong { .. } | Self::NoSchema { .. } | Self::OtherSchema { .. } => None,
        }
    }
}
