//! What is wrong with a configuration, and where.

use std::fmt;
use std::ops::Range;

use edgec_loader::verifier::nearest_name;

/// A text that is not a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
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
    /// The text is not TOML, a name is unknown or missing, or a value is not what its name takes.
    #[error("{what}")]
    Value {
        /// What is wrong, and what to write.
        what: String,
        /// The place. `None` if the parser does not know it.
        at: Option<TextPlace>,
    },
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
            Self::Value { at, .. }
            | Self::SameName { at, .. }
            | Self::SameRoute { at, .. }
            | Self::NoStore { at, .. }
            | Self::Statements { at, .. }
            | Self::SyncWithoutStore { at } => at.as_ref(),
            Self::TooLong { .. }
            | Self::NoSchema { .. }
            | Self::OtherSchema { .. }
            | Self::NoApplication => None,
        }
    }

    /// The parser's error in the words of users.
    pub(super) fn of_parser(text: &str, error: &toml::de::Error) -> Self {
        let at = error.span().and_then(|span| TextPlace::of(text, &span));
        let what = what(error.message());
        Self::Value { what, at }
    }
}

/// Says what to write, instead of which types the parser knows.
fn what(message: &str) -> String {
    let begins = ["invalid type: ", "invalid value: "];
    let found = begins.iter().find_map(|begin| message.strip_prefix(begin));
    // This takes the last match, since a value may contain these words as well.
    let expected = found.and_then(|found| found.rsplit_once(", expected "));
    match expected {
        Some((_, "u64" | "u32" | "u16" | "usize")) => {
            "write a whole number, 0 or more, without quotes".to_owned()
        }
        Some((_, "a boolean")) => "write true or false".to_owned(),
        Some((found, "a sequence")) if found.starts_with("map") => {
            "write the name in double brackets, as in `[[application]]`: it is a list of tables"
                .to_owned()
        }
        Some((_, "a sequence")) => "write a list in brackets".to_owned(),
        Some((_, expected)) if expected.starts_with("struct ") => "write a table".to_owned(),
        Some((_, expected)) => format!("write {expected}"),
        None => match message.strip_prefix("unknown field ") {
            Some(rest) => unknown(rest),
            None => match message.strip_prefix("missing field ") {
                Some(name) => format!("{name} is missing"),
                None => message.to_owned(),
            },
        },
    }
}

/// What to write for an unknown name: the one that was probably meant, or else all known names. The
/// parser writes names in backticks, the unknown one first.
fn unknown(rest: &str) -> String {
    let mut names = rest.split('`').skip(1).step_by(2);
    let name = names.next().unwrap_or_default();
    let known: Vec<&str> = names.collect();
    match nearest_name(name, &known) {
        Some(meant) => format!("unknown name `{name}`; did you mean `{meant}`?"),
        None => format!("unknown name {rest}"),
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
