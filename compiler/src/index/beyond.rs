//! A program that exceeds a limit of edgec. `docs/limits.md` lists the limits.

/// The limit that a program exceeds, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Beyond {
    /// Which limit, and where the program exceeds it, if that is known.
    pub(crate) message: String,
    /// What the user can do about it.
    pub(crate) advice: &'static str,
}
