//! Panics end in a failure like any other: with a name, an exit code, and the place for a report.
//!
//! A panic is a defect of edgec or of a tool below. `RUST_BACKTRACE` changes nothing of what is printed.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::sync::{Mutex, PoisonError};

use crate::failure::{Exit, Failure};

/// What the last panic said. The thread that panics may be another than the one that waits for it.
static LAST: Mutex<Option<String>> = Mutex::new(None);

/// From now on a panic prints nothing; [`guarded`] tells it.
pub(crate) fn install() {
    set_hook(Box::new(|panic| {
        let line = edgec_compiler::panic_line(panic);
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
    }));
}

/// Runs the work on one input. A panic is this input's failure, not the end of the run.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let last = LAST.lock().unwrap_or_else(PoisonError::into_inner).take();
        let last = last.unwrap_or_default();
        let message = format!("a tool gave up on this input, and nothing was written: {last}");
        Err(Failure::new(Exit::Rejected, "internal", message)
            .hint("this is a defect: please report it with the input"))
    })
}
