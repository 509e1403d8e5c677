//! Locks on open files, which the kernel releases when the last descriptor is closed.
//!
//! Source: `flock(2)`.

use std::fs::{File, TryLockError};
use std::io;

/// Whether a lock is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// All processes that take it as shared can hold it together.
    Shared,
    /// Only one process holds it.
    Exclusive,
}

/// Waits until this process holds the lock on a file.
///
/// # Errors
///
/// The system's error.
pub fn wait_for_lock(file: &File, hold: Hold) -> io::Result<()> {
    loop {
        let held = match hold {
            Hold::Shared => file.lock_shared(),
            Hold::Exclusive => file.lock(),
        };
        match held {
            // A signal interrupted the call.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            held => return held,
        }
    }
}

/// Takes the lock on a file, if it is free now. Otherwise returns `false`.
///
/// # Errors
///
/// The system's error.
pub fn try_lock(file: &File, hold: Hold) -> io::Result<bool> {
    let held = match hold {
        Hold::Shared => file.try_lock_shared(),
        Hold::Exclusive => file.try_lock(),
    };
    match held {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_locks_are_held_together_and_an_exclusive_one_alone() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let open = || File::open(file.path()).unwrap();
        let (one, other) = (open(), open());
        wait_for_lock(&one, Hold::Shared).unwrap();
        assert!(try_lock(&other, Hold::Shared).unwrap());
        let third = open();
        assert!(!try_lock(&third, Hold::Exclusive).unwrap());
        drop((one, other));
        wait_for_lock(&third, Hold::Exclusive).unwrap();
        assert!(!try_lock(&open(), Hold::Shared).unwrap());
    }
}
