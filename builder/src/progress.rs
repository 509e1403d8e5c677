//! What a caller is told while a program is built.

use edgec_targets::Target;

/// A step of the work on one program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step<'a> {
    /// Reading, validating and adapting the input.
    Validating,
    /// Calling this export.
    Initializing(&'a str),
    /// Optimizing core modules, and putting the program together.
    Optimizing,
    /// Making the artifacts.
    Packaging,
}

/// What is told how far a build is. Every method does nothing unless it is written; `()` is
/// for callers that need no progress.
pub trait Progress: Sync {
    /// A step begins.
    fn step(&self, step: Step<'_>) {
        let _ = step;
    }

    /// The optimizer is at work on this core module, of so many bytes, perhaps on shorter ones
    /// beside it.
    fn optimizing(&self, module: usize, length: usize) {
        let _ = (module, length);
    }

    /// Compilers for these targets are at work. Each target is a step; a second attempt is the same
    /// step.
    fn compiling(&self, targets: &[&'static Target]) {
        let _ = targets;
    }
}

impl Progress for () {}
