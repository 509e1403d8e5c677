//! What a host tells about its work, one line each. The program that runs it decides where the
//! lines go.

/// How important a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Level {
    /// An operator must look at it.
    Error,
    /// It may become an error.
    Warn,
    /// Something has changed.
    Info,
}

impl Level {
    /// The name in a log.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
        }
    }
}

/// Takes the lines.
pub trait Report: Send + Sync {
    /// A line. `application` is the name of the application that it is about. The text may contain
    /// what a registry or a program said.
    fn line(&self, level: Level, application: Option<&str>, message: &str);
}

/// Takes the lines, and drops them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unreported;

impl Report for Unreported {
    fn line(&self, _: Level, _: Option<&str>, _: &str) {}
}
