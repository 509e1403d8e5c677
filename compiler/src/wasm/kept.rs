//! Why a core module, or one of its functions, is not optimized.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The version of the bundled Binaryen.
pub const BINARYEN_VERSION: &str = "116";

/// Why a module was not optimized. Each reason depends only on the input and the optimizer, so the
/// same build leaves out the same modules on every machine. None of them stops the build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The user asked for it.
    #[error("the user asked for it")]
    Spared,
    /// The module uses a feature that Binaryen 116 does not read.
    #[error("Binaryen {BINARYEN_VERSION} does not read {features}")]
    Unsupported {
        /// The names of the features.
        features: String,
    },
    /// The module is so long that the level would cost more than it gains.
    #[error("it is longer than {most} bytes, where -O1 gains nothing; -O2 and above optimize it")]
    Large {
        /// The maximum length of an optimized module, in bytes.
        most: usize,
    },
    /// The level would change little in the native code.
    #[error("-O1 would gain little; -O2 and above optimize it")]
    NoGain,
    /// The optimizer's result is longer than the module.
    #[error("the optimizer makes it longer: {before} bytes become {after}")]
    Longer {
        /// The module's length without names, in bytes.
        before: usize,
        /// The result's length without names, in bytes.
        after: usize,
    },
    /// A segment may be out of bounds, and Binaryen would remove the segment and its trap.
    #[error("active {kind} segment {index} may be out of bounds, and Binaryen would drop its trap")]
    MayTrap {
        /// `data` or `element`.
        kind: Cow<'static, str>,
        /// The segment's index.
        index: u32,
    },
    /// A function must be kept from Binaryen, and this is impossible for the function alone.
    #[error("function {function} has {reason}, and refers to segments or to functions as values")]
    Tied {
        /// The function's index.
        function: u32,
        /// Why the function must be kept from Binaryen.
        reason: Unfit,
    },
    /// The module itself uses the names under which edgec keeps items from Binaryen.
    #[error("it uses names that edgec needs to hide parts of it from Binaryen")]
    Names,
    /// The process ended with an error, or aborted and said why.
    #[error("the optimizer failed ({status}): {message}")]
    Exit {
        /// The exit status or the signal.
        status: String,
        /// The line of its messages that gives the reason, or the first line.
        message: String,
    },
    /// The result is not a valid module, or does not fit its component.
    #[error("the optimizer's output is not valid: {message}")]
    Invalid {
        /// The validator's message.
        message: String,
    },
}

/// Why a function is kept from Binaryen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Unfit {
    /// It has a block with parameters.
    BlockParameters,
    /// It has an instruction of relaxed SIMD.
    RelaxedSimd,
    /// It has an instruction that Binaryen 116 does not read.
    Unread,
    /// It is nested deeply, has a very long expression, or a large jump table in blocks that end
    /// together.
    Deep,
    /// It has very many local variables.
    ManyLocals,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = BINARYEN_VERSION;
        match self {
            Self::BlockParameters => {
                write!(
                    f,
                    "blocks with parameters, which Binaryen {version} misreads"
                )
            }
            Self::RelaxedSimd => write!(
                f,
                "relaxed SIMD, which Binaryen {version} computes unlike the CPU"
            ),
            Self::Unread => write!(
                f,
                "table.copy or table.fill, which Binaryen {version} does not read"
            ),
            Self::Deep => write!(
                f,
                "deep nesting, for which Binaryen {version} takes too long"
            ),
            Self::ManyLocals => write!(
                f,
                "many local variables, for which Binaryen {version} takes too long"
            ),
        }
    }
}
