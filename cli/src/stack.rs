//! The stack of the first thread is limited by the setting with which edgec was started (`ulimit
//! -s`). If it is small, edgec works on another thread, because an overflow would end the process
//! without a message from edgec.

use std::process::ExitCode;
use std::thread::Builder;

use crate::failures::machine::no_thread;
use crate::render::Format;

/// The size of the stack on which edgec works, in bytes: 8 MiB, as on most systems.
const SIZE: usize = 8 << 20;

/// Calls `work` on a stack of at least [`SIZE`] bytes.
pub(crate) fn with_room(work: fn() -> ExitCode) -> ExitCode {
    if is_large() {
        return work();
    }
    match Builder::new().stack_size(SIZE).spawn(work) {
        Ok(thread) => thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        Err(error) => no_thread(error).end(Format::Text),
    }
}

/// Whether the limit on the stack of the first thread is at least [`SIZE`].
#[cfg(unix)]
fn is_large() -> bool {
    use rustix::process::{Resource, getrlimit};
    let limit = getrlimit(Resource::Stack).current;
    limit.is_none_or(|bytes| bytes >= SIZE as u64)
}

/// There the linker decides, and its default of 1 MiB is too small for a debug build.
#[cfg(not(unix))]
fn is_large() -> bool {
    false
}
