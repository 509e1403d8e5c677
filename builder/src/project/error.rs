//! What is wrong with a project, and where.

use std::fmt;
use std::ops::Range;

/// A text that is not a project.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectError {
    /// The text is too long.
    #[error("the file has {length} bytes, and {limit} is the limit")]
    TooLong {
        /// Its length in bytes.
        length: usize,
        /// The limit, in bytes.
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
    #[error("unknown name `{name}`")]
    UnknownName {
        /// The unknown name.
        name: String,
        /// The names that the table has.
        known: Vec<String>,
        /// The known name that was probably meant.
        nearest: Option<String>,
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
            Self::Value { at, .. }
            | Self::UnknownName { at, .. }
            | Self::Missing { at, .. }
            | Self::SameName { at, .. }
            | Self::TwoChoices { at } => at.as_ref(),
            Self::TooLong { .. }
            | Self::NoSchema { .. }
            | Self::OtherSchema { .. }
            | Self::NoComponent => None,
        }
    }
}

/// A place in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TextPlace {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// The whole line.
    pub text: String,
}

impl fmt::Display for TextPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl TextPlace {
    /// The place of these bytes in a text.
    pub(super) fn of(text: &str, span: &Range<usize>) -> Option<Self> {
        let (before, behind) = text.split_at_checked(span.start)?;
        let begin = before.rfind('\n').map_or(0, |end| end + 1);
        let begun = before.get(begin..)?;
        let rest = behind.lines().next().unwrap_or_default();
        Some(Self {
            line: before.matches('\n').count() + 1,
            column: begun.chars().count() + 1,
            text: format!("{begun}{rest}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_counted_in_lines_and_characters() {
        let text = "a = 1\r\né = \"ä\" # x\nlast";
        let place = |word: &str| {
            let start = text.find(word).unwrap();
            TextPlace::of(text, &(start..start + word.len())).unwrap()
        };
        let found = place("\"ä\"");
        assert_eq!((found.line, found.column), (2, 5));
        assert_eq!(found.text, "é = \"ä\" # x");
        assert_eq!(found.to_string(), "2:5");
        assert_eq!((place("a").line, place("a").column), (1, 1));
        assert_eq!(place("a").text, "a = 1");
        assert_eq!(place("last").text, "last");
        let end = TextPlace::of(text, &(text.len()..text.len())).unwrap();
        assert_eq!((end.line, end.column), (3, 5));
        let second = text.find('ä').unwrap() + 1;
        assert_eq!(TextPlace::of(text, &(second..second)), None);
    }
}
