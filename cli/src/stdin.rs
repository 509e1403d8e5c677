//! Standard input: its name, and that it is read only once.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// The name that means standard input.
pub(crate) const STDIN: &str = "-";

/// Standard input, which can be read only once.
pub(crate) fn stdin_once() -> io::Result<io::StdinLock<'static>> {
    static READ: AtomicBool = AtomicBool::new(false);
    match READ.swap(true, Ordering::Relaxed) {
        true => Err(io::Error::other(ReadBefore)),
        false => Ok(io::stdin().lock()),
    }
}

/// Standard input is named for several purposes. Most verbs find this before they read anything.
#[derive(Debug)]
pub(crate) struct ReadBefore;

impl std::fmt::Display for ReadBefore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("standard input was read before: `-` is named twice")
    }
}

impl std::error::Error for ReadBefore {}
