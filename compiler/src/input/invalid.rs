//! Why a program is refused, and where in the program.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::index::beyond::Beyond;
use crate::input::excerpt::{Excerpt, Instruction};
use crate::input::source_line::SourceLine;

/// Why a program is refused.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum ValidateError {
    /// The specification does not allow it, with the features that edgec supports.
    #[error("{message} {location}")]
    Invalid {
        /// The error, in wasmparser's words.
        message: String,
        /// The place.
        location: Box<Location>,
        /// A feature that edgec does not support, and with which the program would be valid.
        unsupported_feature: Option<String>,
    },
    /// The program is valid, but the engine does not implement it. If it exceeds a limit of the
    /// validator, the rest of it was not checked.
    #[error("{message}")]
    Engine {
        /// What the engine lacks. For a limit, also where the program exceeds it.
        message: String,
    },
    /// The program exceeds a limit of edgec (`docs/limits.md`). The rest of it was not checked.
    #[error("{message}")]
    Limit {
        /// Which limit, and where the program exceeds it, if that is known.
        message: String,
        /// What the user can do about it.
        advice: Cow<'static, str>,
    },
    /// The program is valid, but the engine is known to miscompile it.
    #[error("{message} ({id})")]
    Fault {
        /// The advisory about it.
        id: Cow<'static, str>,
        /// What goes wrong, and where in the program.
        message: String,
    },
}

/// The name of the feature of legacy exceptions.
const LEGACY_EXCEPTIONS: &str = "legacy_exceptions";

impl ValidateError {
    /// Whether the program would be valid if edgec supported legacy exceptions.
    pub fn is_about_legacy_exceptions(&self) -> bool {
        match self {
            Self::Invalid {
                unsupported_feature: Some(feature),
                ..
            } => feature == LEGACY_EXCEPTIONS,
            _ => false,
        }
    }

    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid {
                unsupported_feature: None,
                ..
            } => "invalid",
            _ if self.is_about_legacy_exceptions() => "legacy-exceptions",
            Self::Invalid { .. } | Self::Engine { .. } | Self::Limit { .. } => "unsupported",
            Self::Fault { .. } => "engine-fault",
        }
    }
}

/// A place in a WebAssembly binary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// Bytes from the start of the file.
    pub offset: usize,
    /// The function that contains the place.
    pub function: Option<Function>,
    /// The instruction at the place, if it is in code.
    pub instruction: Option<Instruction>,
    /// The code around the place, if it is in code.
    pub excerpt: Option<Excerpt>,
    /// The line of its source, if the program has debug information.
    pub source: Option<SourceLine>,
    /// The place in the text that the binary was made from, if it was a text and the place is in
    /// code.
    pub text: Option<TextPlace>,
}

/// A place in the text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextPlace {
    /// The line, counted from 1.
    pub line: usize,
    /// The column, counted from 1, in bytes.
    pub column: usize,
}

/// A function of a core module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// Its index in the module's function index space.
    pub index: u32,
    /// Its name, if the module has a name section.
    pub name: Option<String>,
    /// The number of the core module in a component, counted from 0 in file order.
    pub module: Option<u32>,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(at offset {:#x}", self.offset)?;
        if let Some(function) = &self.function {
            write!(f, ", in function {}", function.index)?;
            if let Some(name) = &function.name {
                write!(f, " `{name}`")?;
            }
            if let Some(module) = function.module {
                write!(f, " of core module {module}")?;
            }
        }
        write!(f, ")")
    }
}

impl From<Beyond> for ValidateError {
    fn from(beyond: Beyond) -> Self {
        Self::Limit {
            message: beyond.message,
            advice: Cow::Borrowed(beyond.advice),
        }
    }
}
