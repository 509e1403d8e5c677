//! Why a program is refused, and where in it.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::index::beyond::Beyond;

/// Why a program is not valid.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum ValidateError {
    /// The specification, with the features that edgec supports, does not allow it.
    #[error("{message} {location}")]
    Invalid {
        /// What is wrong, in wasmparser's words.
        message: String,
        /// Where.
        location: Location,
        /// The feature that edgec does not support and with which it would be valid.
        unsupported_feature: Option<String>,
    },
    /// Valid, but the engine does not implement it. Beyond a limit of the validator, what follows
    /// was not checked.
    #[error("{message}")]
    Engine {
        /// What the engine lacks, and for a limit where the program is beyond it.
        message: String,
    },
    /// Beyond a limit of edgec's own (`docs/limits.md`). What follows was not checked.
    #[error("{message}")]
    Limit {
        /// Which limit, and where the program passes it if that is known.
        message: String,
        /// What can be done about it.
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

/// A place in a WebAssembly binary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// Bytes from the start of the file.
    pub offset: usize,
    /// The function that the place is in.
    pub function: Option<Function>,
}

/// A function of a core module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// Its index in the module's function index space.
    pub index: u32,
    /// Its name, when the module has a name section.
    pub name: Option<String>,
    /// Which core module of a component, counted from 0 in file order.
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
