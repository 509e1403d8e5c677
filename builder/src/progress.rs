//! Reports the progress of a build to the caller.

use edgec_targets::Target;

/// A step of the work on one program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step<'a> {
    /// Reading, validating and adapting the input.
    Validating,
    /// Calling this export at build time.
    Initializing(&'a str),
    /// Optimizing core modules, and putting the program together.
    Optimizing,
    /// Making the artifacts.
    Packaging,
}

/// Gets reports on the progress of a build. By default, its methods do nothing; `()` is for callers
/// that need no progress.
pub trait Progress: Sync {
    /// A step begins.
    fn step(&self, step: Step<'_>) {
        let _ = step;
    }

    /// The optimizer works on this core module of `length` bytes. It may work on shorter ones at
    /// the same time.
    fn optimizing(&self, module: usize, length: usize) {
        let _ = (module, length);
    }

    /// Compilers work for these targets. Each target is a step; a second attempt is the same step.
    fn compiling(&self, targets: &[&'static Target]) {
        let _ = targets;
    }
}

impl Progress for () {}
