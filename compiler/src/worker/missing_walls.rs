//! Asks a worker which walls are missing on this machine.

use std::ffi::OsString;
use std::time::Duration;

use crate::worker::answer::{answer, begin_with};
use crate::worker::ask::{Worker, WorkerError, text};
use crate::worker::deadline::Deadline;
use crate::worker::walls::names;

const MISSING: u8 = 0;
/// The maximum length of the answer, in bytes: longer than the names of all walls.
const MOST_NAMED: u64 = 1024;
/// The time limit.
const LONGEST: Duration = Duration::from_secs(10);

impl Worker {
    /// The names of the walls that workers lack on this machine, separated by commas. Empty if they
    /// have all. The worker's program must call [`walls_worker`].
    ///
    /// # Errors
    ///
    /// [`WorkerError`]: the worker gave no answer.
    pub fn missing_walls(&self) -> Result<String, WorkerError> {
        let deadline = Deadline::after(LONGEST);
        let answer = self.ask(&[], &[], MOST_NAMED, deadline)?;
        match answer.split_first() {
            Some((&MISSING, names)) => Ok(text(names)),
            _ => Err(WorkerError::no_answer(&answer)),
        }
    }
}

/// The worker process of [`Worker::missing_walls`].
///
/// # Errors
///
/// The arguments or the streams are invalid: edgec did not start this process. Or the worker needs
/// walls that are missing.
pub fn walls_worker(arguments: impl IntoIterator<Item = OsString>) -> Result<(), String> {
    let missing = begin_with(arguments)?;
    answer(MISSING, &[names(&missing).as_bytes()])
}
