//! Turns panics into failures with a name, an exit code, and the place in the code for a report. A
//! panic is a defect of edgec or of a library. `RUST_BACKTRACE` does not change the output.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::sync::{Mutex, PoisonError};

use crate::failure::{Exit, Failure};

/// The message of the last panic. It is global, because another thread than the one that panics may
/// report it.
static LAST: Mutex<Option<String>> = Mutex::new(None);

/// From now on, a panic prints nothing; [`guarded`] reports it.
pub(crate) fn install() {
    set_hook(Box::new(|panic| {
        let line = edgec_compiler::panic_line(panic);
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
    }));
}

/// Works on one input. A panic is the failure of this input, and does not end the run.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let last = LAST.lock().unwrap_or_else(PoisonError::into_inner).take();
        let last = last.unwrap_or_default();
        let message = format!("a tool gave up on this input, and nothing was written: {last}");
        Err(Failure::new(Exit::Rejected, "internal", message)
            .hint("this is a defect: please report it with the input"))
    })
}
