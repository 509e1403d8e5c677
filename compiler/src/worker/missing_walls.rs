//! Asks a worker which walls this machine lacks.

use std::ffi::OsString;
use std::time::Duration;

use crate::worker::answer::{answer, begin_with};
use crate::worker::ask::{Worker, WorkerError, text};
use crate::worker::deadline::Deadline;
use crate::worker::walls::names;

const MISSING: u8 = 0;
/// More than the names of all walls, in bytes.
const MOST_NAMED: u64 = 1024;
/// How long that may take.
const LONGEST: Duration = Duration::from_secs(10);

impl Worker {
    /// The names of the walls that workers lack on this machine, with commas; empty if they have
    /// all. This worker is one that calls [`walls_worker`].
    ///
    /// # Errors
    ///
    /// [`WorkerError`]: it could not say.
    pub fn missing_walls(&self) -> Result<String, WorkerError> {
        let deadline = Deadline::after(LONGEST);
        let answer = self.ask(&[], &[], MOST_NAMED, deadline)?;
        match answer.split_first() {
            Some((&MISSING, names)) => Ok(text(names)),
            _ => Err(WorkerError::no_answer(&answer)),
        }
    }
}

/// What the worker process does that [`Worker::missing_walls`] asks.
///
/// # Errors
///
/// What is wrong with the arguments or the streams: edgec did not start this process. Or walls are
/// missing that it needs.
pub fn walls_worker(arguments: impl IntoIterator<Item = OsString>) -> Result<(), String> {
    let missing = begin_with(arguments)?;
    answer(MISSING, &[names(&missing).as_bytes()])
}
