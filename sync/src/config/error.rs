//! What is wrong with a configuration, and where.

use std::fmt;
use std::ops::Range;

use edgec_verifier::nearest_name;

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
            Self::Value { at, .. } | Self::SameName { at, .. } => at.as_ref(),
            _ => None,
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
        Some((_, "f64")) => "write a number without quotes, such as 1.5".to_owned(),
        Some((_, "a boolean")) => "write true or false".to_owned(),
        Some((found, "a sequence")) if found.starts_with("map") => {
            "write the name in double brackets, as in `[[application]]`: it is a list of tables"
                .to_owned()
        }
        Some((_, "a sequence")) => "write a list in brackets".to_owned(),
        Some((_, expected)) if expected.starts_with("struct ") => "write a table".to_owned(),
        Some((_, "socket address" | "an IPv4 or IPv6 socket address")) => ADDRESS.to_owned(),
        Some((_, expected)) => format!("write {expected}"),
        None if message == "invalid socket address syntax" => ADDRESS.to_owned(),
        None => match message.strip_prefix("unknown field ") {
            Some(rest) => unknown(rest),
            None => match message.strip_prefix("missing field ") {
                Some(name) => format!("{name} is missing"),
                None => message.to_owned(),
            },
        },
    }
}

const ADDRESS: &str = "write an IP address and a port, such as \"127.0.0.1:9600\"";

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
}

impl fmt::Display for TextPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl TextPlace {
    /// The place of these bytes in a text.
    pub(super) fn of(text: &str, span: &Range<usize>) -> Option<Self> {
        let before = text.get(..span.start)?;
        let begin = before.rfind('\n').map_or(0, |end| end + 1);
        let begun = before.get(begin..)?;
        Some(Self {
            line: before.matches('\n').count() + 1,
            column: begun.chars().count() + 1,
        })
    }
}
