//! A program that exceeds a limit of edgec. `docs/limits.md` lists the limits.

/// Which limit a program is beyond, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Beyond {
    /// Which limit, and where the program passes it if that is known.
    pub(crate) message: String,
    /// What can be done about it.
    pub(crate) advice: &'static str,
}
