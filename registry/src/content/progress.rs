//! What a push or a pull does, for those who wait for it.

/// Is told what happens. Calls come from several threads.
pub trait Progress: Sync {
    /// A step begins, such as `compressing x86_64`. It says what is done, without a full stop.
    fn step(&self, what: &str);

    /// So many bytes were sent or fetched.
    fn moved(&self, bytes: u64);
}

/// Shows nothing.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::exhaustive_structs, reason = "it has no content")]
pub struct Unseen;

impl Progress for Unseen {
    fn step(&self, _: &str) {}

    fn moved(&self, _: u64) {}
}
