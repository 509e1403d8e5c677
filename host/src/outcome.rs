//! How a request ended.

use crate::Limit;

/// How a request ended, for metrics and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The program answered, and the client got all of it.
    Answered,
    /// A limit ended it.
    Limited(Limit),
    /// The program trapped.
    Trapped,
    /// The program ended without a whole response, or with an error of `wasi:http`.
    Unanswered,
    /// The application is not served: it was never loaded, or is not trusted any more.
    Withheld,
    /// The client's request cannot be passed to a program.
    Malformed,
    /// The client went away.
    Gone,
}

impl Outcome {
    /// A short name that does not change between releases.
    pub fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Limited(_) => "limited",
            Self::Trapped => "trapped",
            Self::Unanswered => "unanswered",
            Self::Withheld => "withheld",
            Self::Malformed => "malformed",
            Self::Gone => "gone",
        }
    }
}
