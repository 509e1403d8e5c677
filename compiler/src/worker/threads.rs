//! The threads of workers, and the memory for their stacks.
//!
//! The tools fail if a thread does not start. Rayon panics. Binaryen 116 waits without end: it
//! holds a lock while it waits for the threads that did start, and these wait for the lock. So a
//! worker first starts as many threads as its tool would, with stacks of the same size, all at the
//! same time.
//!
//! Source: `pthread_create(3)`, `getrlimit(2)`, `src/support/threads.cpp` of Binaryen.

use std::fmt::Display;
use std::num::NonZero;
use std::sync::OnceLock;
use std::thread::available_parallelism;

use crate::worker::limits::{allowed_memory, has_little_memory};

/// The beginning of a worker's message if it could not start threads.
pub(crate) const NO_THREADS: &str = "edgec: no threads to be had";
/// The beginning of the message if there was no memory for a thread's stack.
pub(crate) const NO_MEMORY: &str = "edgec: no memory for threads";

/// The variable for the number of Binaryen's threads. With 1, Binaryen starts none.
pub(crate) const OF_BINARYEN: &str = "BINARYEN_CORES";

/// The beginning of the message if the stack is limited to less than [`STACK_OF_BINARYEN`].
pub(crate) const NO_STACK: &str = "edgec: no room for the stack";

/// The beginning of the message if the worker could not start itself again.
pub(crate) const NO_START: &str = "edgec: cannot start again";

/// The default stack size of Rust's threads, in bytes.
const STACK: usize = 2 << 20;
/// The stack of each of Binaryen's threads, in bytes (8 MiB, as on most systems). It is the same on
/// every machine: a module that needs more is not optimized.
const STACK_OF_BINARYEN: usize = 8 << 20;

/// What glibc's allocator requests at once for each thread, in bytes (4 MiB): its `top_pad`, which
/// `process.rs` sets.
const TOP_PAD: usize = 4 << 20;

pub(crate) fn processors() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

/// Starts Rayon's threads. If the system cannot start them, Rayon would panic later.
pub(crate) fn gather() -> Result<(), String> {
    use std::error::Error as _;
    match rayon::ThreadPoolBuilder::new().build_global() {
        // If a pool already exists, it has its threads.
        Err(error) if error.source().is_some() => Err(refused(&error, STACK)),
        _ => Ok(()),
    }
}

/// Whether Rayon's threads could be started. Otherwise, work is done on one thread.
pub(crate) fn are_there() -> bool {
    static THERE: OnceLock<bool> = OnceLock::new();
    *THERE.get_or_init(|| gather().is_ok())
}

/// How many threads Binaryen may start if it may use `memory` bytes: one for each processor, or as
/// many as the user's variable allows. Their stacks, and the allocator's requests for them, take at
/// most a quarter of the memory. The number does not change Binaryen's result.
pub(crate) fn of_binaryen(memory: u64) -> usize {
    let asked = std::env::var(OF_BINARYEN).ok();
    let asked = asked.and_then(|text| text.trim().parse().ok());
    let fit = allowed_memory(memory) / 4 / (STACK_OF_BINARYEN + TOP_PAD) as u64;
    let fit = usize::try_from(fit).unwrap_or(usize::MAX);
    let most = asked.unwrap_or_else(processors);
    most.min(processors()).min(fit).max(1)
}

/// What the optimizer's worker does before Binaryen runs: it starts as many threads as Binaryen
/// will start, and ends them.
#[cfg(feature = "binaryen")]
pub(crate) fn try_those_of_binaryen() -> Result<(), String> {
    let told = std::env::var(OF_BINARYEN).ok();
    let told = told.and_then(|text| text.parse().ok());
    match told.unwrap_or_else(processors) {
        0 | 1 => Ok(()),
        // One more, because the system may still count a thread that has just ended.
        threads => try_to_start(threads.saturating_add(1), STACK_OF_BINARYEN),
    }
}

/// Starts threads with stacks of `stack` bytes, all at the same time, and ends them.
#[cfg(feature = "binaryen")]
fn try_to_start(threads: usize, stack: usize) -> Result<(), String> {
    std::thread::scope(|scope| {
        // Each thread waits until its sender is dropped, at the end of this closure or at an error.
        let mut senders = Vec::new();
        for _ in 0..threads {
            let (sender, receiver) = std::sync::mpsc::channel::<()>();
            let builder = std::thread::Builder::new().stack_size(stack);
            let thread = builder.spawn_scoped(scope, move || receiver.recv());
            // The other threads still exist, with their stacks.
            thread.map_err(|error| refused(&error, stack))?;
            senders.push(sender);
        }
        Ok(())
    })
}

/// Starts this program again if threads of C++ would get smaller stacks than [`STACK_OF_BINARYEN`]:
/// their size is the limit on the stack when a program starts.
#[cfg(all(feature = "binaryen", target_os = "linux"))]
pub(crate) fn stacks_of_one_size() -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    use std::os::unix::process::CommandExt as _;

    let size = STACK_OF_BINARYEN as u64;
    let limit = getrlimit(Resource::Stack);
    if limit.current == Some(size) {
        return Ok(());
    }
    let wanted = Rlimit {
        current: Some(size),
        maximum: limit.maximum,
    };
    setrlimit(Resource::Stack, wanted).map_err(|error| format!("{NO_STACK}: {error}"))?;
    let program = std::env::current_exe().map_err(|error| format!("{NO_START}: {error}"))?;
    let arguments = std::env::args_os().skip(1);
    let error = std::process::Command::new(program).args(arguments).exec();
    Err(format!("{NO_START}: {error}"))
}

#[cfg(all(feature = "binaryen", not(target_os = "linux")))]
pub(crate) fn stacks_of_one_size() -> Result<(), String> {
    Ok(())
}

/// Calls `work` on a thread with a stack of [`STACK_OF_BINARYEN`] bytes. The free part of the first
/// thread's stack depends on the environment.
#[cfg(feature = "binaryen")]
pub(crate) fn with_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name("binaryen".to_owned());
        let thread = builder
            .stack_size(STACK_OF_BINARYEN)
            .spawn_scoped(scope, work)
            .map_err(|error| refused(&error, STACK_OF_BINARYEN))?;
        Ok(thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// The message for a thread that did not start.
fn refused(error: &dyn Display, stack: usize) -> String {
    let begin = if has_no_room_for(stack) {
        NO_MEMORY
    } else {
        NO_THREADS
    };
    format!("{begin}: {error}")
}

/// Whether there is no memory for another thread. The system reports this in the same way as a
/// limit on threads.
pub(crate) fn lacks_memory() -> bool {
    has_no_room_for(STACK)
}

fn has_no_room_for(stack: usize) -> bool {
    // A thread takes a little more than its stack.
    let mut room: Vec<u8> = Vec::new();
    let refused = room.try_reserve_exact(stack.saturating_add(1 << 20));
    // Without this, the compiler may remove an allocation that is not used.
    std::hint::black_box(&room);
    // Memory may be free again, because other threads have ended.
    refused.is_err() || has_little_memory(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_take_a_quarter_of_the_memory() {
        assert_eq!(of_binaryen(0), 1);
        let thread = (STACK_OF_BINARYEN + TOP_PAD) as u64;
        assert_eq!(of_binaryen(thread.saturating_mul(7)), 1);
        assert_eq!(of_binaryen(thread.saturating_mul(8)), processors().min(2));
        assert!(of_binaryen(u64::MAX) <= processors());
    }

    #[cfg(feature = "binaryen")]
    #[test]
    fn a_thread_that_does_not_start_is_told_with_its_cause() {
        assert_eq!(try_to_start(2, STACK), Ok(()));
        // More than any address space has.
        let error = try_to_start(1, usize::MAX >> 2).unwrap_err();
        assert!(error.starts_with(NO_MEMORY), "{error}");
        assert!(!lacks_memory());
        assert!(refused(&"why", STACK).starts_with(NO_THREADS));
    }
}
