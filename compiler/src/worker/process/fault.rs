//! Whether the input or the machine is at fault when a process ends without success.
//!
//! Source: `signal(7)`, and the messages of Rust's and C++'s runtimes.

use std::process::ExitStatus;
#[cfg(unix)]
use std::thread;
use std::time::Duration;

use super::Ended;
use super::held::Held;
use crate::worker::limits;
use crate::worker::machine::{Limit, MachineError};
use crate::worker::said::{NO_PROGRAM, NO_WALLS};
use crate::worker::threads::{NO_MEMORY, NO_STACK, NO_START, NO_THREADS};

/// The beginnings of the messages with which Rust's and C++'s allocators end the process.
const OUT_OF_MEMORY: &[&str] = &[
    "memory allocation of",
    "terminate called after throwing an instance of 'std::bad_alloc'",
    // The runtime prints a mangled name if it gets no memory to make it readable.
    "terminate called after throwing an instance of 'St9bad_alloc'",
    "terminate called after throwing an instance of 'St12",
    "terminate called after throwing an instance of 'NSt",
    "terminate called after throwing an instance of 'N4wasm",
    "libc++abi: terminating due to uncaught exception of type std::bad_alloc",
    // From Binaryen's reader, whose exceptions are caught.
    "std::bad_alloc",
    // From a new thread of C++.
    "Fatal glibc error: failed to register TLS destructor: out of memory",
    "cannot allocate memory for thread-local data",
    NO_MEMORY,
];
/// The beginnings of the messages of a worker or of C++ if it could start no threads.
const NO_THREAD: &[&str] = &[
    NO_THREADS,
    "terminate called after throwing an instance of 'std::system_error'",
    "libc++abi: terminating due to uncaught exception of type std::__1::system_error",
    // Its threads run while the exception of one that did not start destroys them.
    "terminate called without an active exception",
];

/// Two threads throw, and the second one ends the process before the first one has said what.
const UNKNOWN: &[&str] = &["terminate called recursively"];

/// The beginnings of messages if the machine prevented the work of a process in another way.
const NO_WORK: &[&str] = &[
    // Binaryen cannot open its streams as files, because `/dev` lacks them.
    "Fatal: Failed opening '",
    NO_START,
    NO_PROGRAM,
    NO_WALLS,
    // C++ cannot use a file or a stream.
    "terminate called after throwing an instance of 'std::filesystem",
    "terminate called after throwing an instance of 'std::ios_base::failure",
    "libc++abi: terminating due to uncaught exception of type std::__1::__fs::filesystem",
    "libc++abi: terminating due to uncaught exception of type std::__1::ios_base::failure",
    // Printed by the command line if it cannot start a thread or handle signals before it is a
    // worker.
    "error[limit]: ",
    "error[signals]: ",
    "error[worker]: ",
];

/// Parts of messages if a process was refused something by its walls, or by the modes of files.
/// Another system may allow it to the same program, which may then return other bytes.
const REFUSED: &[&str] = &["ermission denied", "peration not permitted"];

/// The end of the message of Rust's runtime if a stack was too small.
const OVERFLOW: &str = "has overflowed its stack";

/// Whether a line says why a process ended itself by `SIGABRT`: an assertion, an exception or a
/// stack overflow. A lack of memory or threads does not count.
fn says_why(line: &str) -> bool {
    let line = line.trim();
    // C libraries print different text before and after the expression.
    (line.contains(": Assertion `") && line.ends_with("failed."))
        || line.starts_with("Assertion failed")
        || line.starts_with("UNREACHABLE executed")
        || line.starts_with("terminate called after throwing an instance of")
        || line.starts_with("libc++abi: terminating due to uncaught exception")
        || line.ends_with(OVERFLOW)
}

/// Decides what is at fault for a process that ended without success.
pub(super) fn judge(
    status: ExitStatus,
    said: &str,
    memory: u64,
    held: Held,
    elapsed: Duration,
) -> Result<Ended, MachineError> {
    let line_of = |beginnings: &[&str]| {
        let mut lines = said.lines().map(str::trim_start);
        lines.find(|line| beginnings.iter().any(|begin| line.starts_with(begin)))
    };
    let says = |beginnings: &[&str]| line_of(beginnings).is_some();
    // Panics of Rust's standard library, on one line with their places.
    let panics = |with: &str| {
        let mut lines = said.lines();
        lines.any(|line| line.starts_with("panicked at std/") && line.contains(with))
    };
    let signal = signal(status);
    if let Some(signal) = signal.filter(|signal| !is_crash(*signal)) {
        return Err(outside(signal, elapsed));
    }
    let no_thread = says(NO_THREAD) || panics("failed to spawn thread");
    let is_silent_abort = signal.is_some_and(is_abort) && said.trim().is_empty();
    if says(OUT_OF_MEMORY)
        || (is_silent_abort && held.is_near(memory))
        || panics("failed to allocate an alternative stack")
        || ((no_thread || says(UNKNOWN)) && limits::has_little_memory(memory))
    {
        return match limits::allows_less_memory_than(memory) {
            true => Err(Limit::Memory.into()),
            false => Ok(Ended::OutOfMemory),
        };
    }
    if no_thread {
        return Err(Limit::Processes.into());
    }
    if says(&[NO_STACK]) {
        return Err(Limit::Stack.into());
    }
    let no_work = line_of(NO_WORK);
    if let Some(limit) = no_work.and_then(limit_of) {
        return Err(limit.into());
    }
    if let Some(missing) = no_work.and_then(|line| line.strip_prefix(NO_WALLS)) {
        let missing = missing.trim().to_owned();
        return Err(MachineError::Walls { missing });
    }
    let why = said.lines().find(|line| says_why(line));
    let first = || said.lines().find(|line| !line.trim().is_empty());
    let line = no_work.or(why).or_else(first);
    let message = match line.unwrap_or("no message").trim() {
        // Rust's message contains the number of the thread, which is different each time.
        line if line.ends_with(OVERFLOW) => "stack overflow",
        line => line,
    };
    let message = message.to_owned();
    let is_refused = REFUSED.iter().any(|refused| message.contains(refused));
    // The exit codes of a shell that did not find a program, or could not start it.
    if no_work.is_some() || is_refused || matches!(status.code(), Some(126 | 127)) {
        return Err(MachineError::Worker { message });
    }
    Ok(match signal {
        // Other processes can send these signals, too. Only the process's own message shows that it
        // caused the signal.
        Some(signal) if why.is_none() || !is_abort(signal) => Ended::Crashed { status, message },
        _ => Ended::Failed { status, message },
    })
}

/// The limit that the command line named before it was a worker.
fn limit_of(line: &str) -> Option<Limit> {
    let named = line.strip_prefix("error[limit]: ")?;
    let mut limits = Limit::ALL.into_iter();
    limits.find(|limit| named.contains(&limit.to_string()))
}

/// The signal that ended a process.
#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt as _;
    // A shell reports the signal that ended its child as an exit code: 128 plus the signal's
    // number.
    let of_shell = || {
        status
            .code()?
            .checked_sub(128)
            .filter(|n| (1..32).contains(n))
    };
    status.signal().or_else(of_shell)
}

/// Whether a crash of the process itself causes this signal.
#[cfg(unix)]
fn is_crash(number: i32) -> bool {
    use rustix::process::Signal;
    let own = [
        Signal::ILL,
        Signal::TRAP,
        Signal::ABORT,
        Signal::BUS,
        Signal::FPE,
        Signal::SEGV,
        Signal::SYS,
    ];
    own.map(Signal::as_raw).contains(&number)
}

#[cfg(unix)]
fn is_abort(number: i32) -> bool {
    number == rustix::process::Signal::ABORT.as_raw()
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> Option<i32> {
    None
}

#[cfg(not(unix))]
fn is_crash(_: i32) -> bool {
    false
}

#[cfg(not(unix))]
fn is_abort(_: i32) -> bool {
    false
}

/// The error for a signal from outside.
#[cfg(unix)]
fn outside(number: i32, elapsed: Duration) -> MachineError {
    use rustix::process::Signal;
    let is = |signal: Signal| signal.as_raw() == number;
    if is(Signal::XFSZ) {
        return Limit::FileSize.into();
    }
    // At the hard limit on CPU time, the system sends SIGKILL. On each processor, a process can
    // have used at most the elapsed time.
    let processors = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let most = elapsed.as_secs_f64() * processors as f64 + 1.0;
    let used_up = || limits::cpu_seconds().is_some_and(|limit| most >= limit as f64);
    if is(Signal::XCPU) || is(Signal::KILL) && used_up() {
        return Limit::CpuTime.into();
    }
    let names = [
        (Signal::HUP, "SIGHUP"),
        (Signal::INT, "SIGINT"),
        (Signal::QUIT, "SIGQUIT"),
        (Signal::KILL, "SIGKILL"),
        (Signal::PIPE, "SIGPIPE"),
        (Signal::ALARM, "SIGALRM"),
        (Signal::TERM, "SIGTERM"),
        (Signal::USR1, "SIGUSR1"),
        (Signal::USR2, "SIGUSR2"),
    ];
    let name = names.iter().find(|(signal, _)| is(*signal));
    let signal = name.map_or_else(
        || format!("signal {number}"),
        |(_, name)| (*name).to_owned(),
    );
    MachineError::Signal { signal }
}

#[cfg(not(unix))]
fn outside(number: i32, _: Duration) -> MachineError {
    MachineError::Signal {
        signal: format!("signal {number}"),
    }
}
