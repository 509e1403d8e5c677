//! The steps between the optimizer and the compiler.

use serde::{Deserialize, Serialize};

/// The last steps of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastSteps {
    /// Whether functions are reordered, as [`crate::order()`] does.
    pub order: bool,
    /// Whether the program is also wanted without its data, for a compiler whose answers are kept.
    pub bare: bool,
}
