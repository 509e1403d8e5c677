//! Work in a separate process: bytes in, bytes out, with limits on time and memory.
//!
//! A hostile program can make the tools crash, hang and ask for all memory. If a tool has its own
//! process, the worst result is the end of that process. Its input is a file without a name, and
//! its answer comes through a pipe. So nothing is left behind however the process ends, and a full
//! disk does not cut an answer short.
//!
//! How a process ended says what is at fault. An exit code is about the input, unless the process
//! says that the machine kept it from its work. A signal that only other processes send, or a
//! limit, is about the machine, and is a [`MachineError`]. A crash without a message may be either.
//!
//! Source: `getrlimit(2)`, `prctl(2)`, `signal(7)`.

mod fault;
mod messages;

use std::ffi::OsStr;
use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use self::fault::judge;
use self::messages::Messages;
use crate::machine::{self, Limit, MachineError};
use crate::stuck::{self, Watch};
use crate::threads;

/// What a process may take.
pub(crate) struct Bounds {
    /// The longest answer, in bytes.
    pub(crate) answer: u64,
    /// The memory that it limits itself to, in bytes.
    pub(crate) memory: u64,
    /// When it is stopped.
    pub(crate) deadline: Instant,
    /// What it means if it sleeps for long.
    pub(crate) sleep: Sleep,
}

/// What it means if all threads of a process sleep for long.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sleep {
    /// Nothing: it waits for other processes, or runs a program that may sleep.
    Allowed,
    /// They wait for each other, without end.
    Stuck,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// With success; what it wrote to standard output.
    Done(Vec<u8>),
    /// It wrote more than it may.
    TooLong,
    /// By itself: with an error, or by an abort that it explained. The same input ends like this
    /// everywhere.
    Failed {
        /// The exit status or the signal.
        status: ExitStatus,
        /// The line of its messages that says why, or the first one.
        message: String,
    },
    /// By the signal of a crash that it did not explain. Other processes can send such a signal,
    /// and memory can be short, so it may end otherwise the next time.
    Crashed {
        /// The signal.
        status: ExitStatus,
        /// The first line that it wrote to standard error.
        message: String,
    },
    /// It needs more memory than it may have.
    OutOfMemory,
    /// It was stopped at the deadline.
    Late,
}

/// What glibc's allocator is told: to keep memory that is freed, to ask for much at once, and for
/// large pages. A process lives for one piece of work, and page faults took a sixth of its time.
/// This takes the place of tunables that the user has set.
///
/// Source: glibc manual, "Memory Allocation Tunables". Other C libraries do not read it.
const KEEP_MEMORY: &str = "glibc.malloc.trim_threshold=1073741824\
    :glibc.malloc.mmap_threshold=33554432:glibc.malloc.top_pad=4194304:glibc.malloc.hugetlb=1";

/// The variables of this process that a process gets: to find programs and libraries, and how many
/// threads to start.
const KEPT: [&str; 5] = [
    "PATH",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "SystemRoot",
    THREADS,
];

/// How many threads Rayon starts.
const THREADS: &str = "RAYON_NUM_THREADS";

/// A command whose process sees few variables: it works on hostile input, so it must not see the
/// user's secrets, and what it makes of its input must not depend on them.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    for name in KEPT {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    // Behind its walls it cannot ask what the container allows.
    if std::env::var_os(THREADS).is_none() {
        command.env(THREADS, threads::processors().to_string());
    }
    command.env("GLIBC_TUNABLES", KEEP_MEMORY);
    command
}

/// Runs a [`command`] on `input` until it ends, or until the deadline.
pub(crate) fn run(
    command: &mut Command,
    input: &[u8],
    bounds: &Bounds,
) -> Result<Ended, MachineError> {
    let stdin = machine::temporary_file(input)?;
    // Where threads are limited, a thread that started later could take the place of one that the
    // process has made sure of.
    let (stdout, output) = later();
    let (stderr, errors) = later();
    let answer = answer(output, bounds.answer)?;
    let messages = Messages::read(errors)?;
    let begin = Instant::now();
    let child = command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(MachineError::of_start)?;
    let mut watch = (bounds.sleep == Sleep::Stuck).then(|| Watch::new(child.id()));
    let mut running = Running(child);
    // A thread that has ended already needs no stream.
    let _ = running.0.stdout.take().map(|stream| stdout.send(stream));
    let _ = running.0.stderr.take().map(|stream| stderr.send(stream));
    drop((stdout, stderr));

    let (status, answer) = match running.wait(&answer, bounds, watch.as_mut())? {
        Waited::Ended(status, answer) => (status, answer),
        Waited::TooLong => return Ok(Ended::TooLong),
        Waited::Late => return Ok(Ended::Late),
        Waited::Stuck => return Err(without_progress(bounds.memory)),
    };
    match status.success() {
        true => Ok(Ended::Done(answer)),
        false => judge(status, &messages.text(), bounds.memory, begin.elapsed()),
    }
}

/// The error for a process that waits without end. Where memory is limited, that is the cause.
fn without_progress(memory: u64) -> MachineError {
    match machine::allows_less_memory_than(memory) {
        true => Limit::Memory.into(),
        false => MachineError::Stuck {
            seconds: stuck::PATIENCE.as_secs(),
        },
    }
}

/// A process that ends, at the latest, when this is dropped.
struct Running(Child);

enum Waited {
    Ended(ExitStatus, Vec<u8>),
    TooLong,
    Late,
    Stuck,
}

impl Running {
    fn wait(
        &mut self,
        answer: &Receiver<io::Result<Vec<u8>>>,
        bounds: &Bounds,
        mut watch: Option<&mut Watch>,
    ) -> Result<Waited, MachineError> {
        let mut since = Instant::now();
        let mut received: Option<Vec<u8>> = None;
        loop {
            let ended = self.0.try_wait().map_err(MachineError::of_start)?;
            if let (Some(status), Some(answer)) = (ended, received.take_if(|_| ended.is_some())) {
                return Ok(Waited::Ended(status, answer));
            }
            let left = bounds.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Waited::Late);
            }
            // After its end, another process may have its number.
            if ended.is_none() && watch.as_mut().is_some_and(|watch| watch.is_stuck()) {
                return Ok(Waited::Stuck);
            }
            // Small programs take milliseconds. For large ones, a late look costs little. From its
            // answer on, a process ends soon.
            let pause = since.elapsed() / 16;
            let pause = pause.clamp(Duration::from_micros(200), Duration::from_millis(20));
            let pause = pause.min(left);
            if received.is_some() {
                thread::sleep(pause);
                continue;
            }
            match answer.recv_timeout(pause) {
                Ok(bytes) => {
                    let bytes = bytes.map_err(MachineError::of_start)?;
                    if bytes.len() as u64 > bounds.answer {
                        return Ok(Waited::TooLong);
                    }
                    received = Some(bytes);
                    since = Instant::now();
                }
                Err(RecvTimeoutError::Timeout) => {}
                // The thread that reads it ended without an answer.
                Err(RecvTimeoutError::Disconnected) => received = Some(Vec::new()),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // If the process has ended already, this fails, which does no harm.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A stream that comes later, and by which it comes. It is empty if it never does.
fn later<S>() -> (Sender<S>, Later<S>) {
    let (sender, coming) = channel();
    let later = Later {
        coming,
        stream: None,
    };
    (sender, later)
}

struct Later<S> {
    coming: Receiver<S>,
    stream: Option<S>,
}

impl<S: Read> Read for Later<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stream.is_none() {
            self.stream = self.coming.recv().ok();
        }
        match &mut self.stream {
            Some(stream) => stream.read(buffer),
            None => Ok(0),
        }
    }
}

/// Reads an answer while it is written. Stops one byte after `most`: that byte shows that the
/// answer is too long.
fn answer(
    stream: impl Read + Send + 'static,
    most: u64,
) -> Result<Receiver<io::Result<Vec<u8>>>, MachineError> {
    let (sender, receiver) = channel();
    let read = move || {
        let mut bytes = Vec::new();
        let read = stream.take(most.saturating_add(1)).read_to_end(&mut bytes);
        // If the answer came too late, the receiver is gone.
        let _ = sender.send(read.map(|_| bytes));
    };
    let thread = thread::Builder::new().spawn(read);
    thread.map_err(MachineError::of_thread)?;
    Ok(receiver)
}

/// What a worker process does first: it limits itself to `memory` bytes, leaves no core file, and
/// ends when the process that started it does. [`crate::walls`] come after that. Only Linux has a
/// limit that counts every private writable page, so other systems have no limit.
pub(crate) fn limit(memory: u64) {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
        let at_most = |resource, most: u64| {
            // An existing lower limit stays.
            let most = getrlimit(resource)
                .maximum
                .map_or(most, |old| old.min(most));
            let limit = Rlimit {
                current: Some(most),
                maximum: Some(most),
            };
            let _ = setrlimit(resource, limit);
        };
        at_most(Resource::Data, memory);
        at_most(Resource::Core, 0);
        // It writes only what it holds in memory.
        at_most(Resource::Fsize, memory);
        // When a build is stopped, its workers have no purpose.
        let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    }
    #[cfg(not(target_os = "linux"))]
    let _ = memory;
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn shell(script: &str, bounds: Bounds) -> Result<Ended, MachineError> {
        run(command("/bin/sh").args(["-c", script]), b"input", &bounds)
    }

    fn bounds() -> Bounds {
        Bounds {
            answer: 100,
            memory: 1 << 30,
            deadline: Instant::now() + Duration::from_secs(60),
            sleep: Sleep::Allowed,
        }
    }

    #[test]
    fn a_signal_from_outside_is_not_the_inputs_fault() {
        for (signal, name) in [
            ("KILL", "SIGKILL"),
            ("TERM", "SIGTERM"),
            ("USR1", "SIGUSR1"),
        ] {
            let killed = shell(&format!("kill -{signal} $$"), bounds());
            let Err(MachineError::Signal { signal }) = killed else {
                panic!("{killed:?}");
            };
            assert_eq!(signal, name);
        }
        // How a shell reports its child's signal.
        let wrapped = shell("exit 137", bounds());
        assert!(matches!(wrapped, Err(MachineError::Signal { .. })));
        for signal in ["SEGV", "ABRT", "BUS", "ILL", "FPE", "TRAP"] {
            let crashed = shell(&format!("kill -{signal} $$"), bounds());
            assert!(matches!(crashed, Ok(Ended::Crashed { .. })), "{signal}");
        }
        let wrapped = shell("exit 139", bounds());
        assert!(matches!(wrapped, Ok(Ended::Crashed { .. })), "{wrapped:?}");
    }

    #[test]
    fn an_abort_that_is_explained_is_of_the_process_itself() {
        for why in [
            "wasm-opt: src/wasm.cpp:7: void f(): Assertion `x' failed.",
            "Assertion failed: (x), function f, file wasm.cpp, line 7.",
            "UNREACHABLE executed at wasm.cpp:7!",
            "terminate called after throwing an instance of 'std::runtime_error'",
            "thread 'main' (77) has overflowed its stack",
        ] {
            let said = format!("echo warning >&2; echo \"{}\" >&2", why.replace('`', "\\`"));
            let aborted = shell(&format!("{said}; kill -ABRT $$"), bounds());
            let Ok(Ended::Failed { message, .. }) = aborted else {
                panic!("{why}: {aborted:?}");
            };
            assert!(why.ends_with(&message) || message == "stack overflow");
            // Another signal is not what such a message announces.
            let other = shell(&format!("{said}; kill -SEGV $$"), bounds());
            assert!(matches!(other, Ok(Ended::Crashed { .. })), "{other:?}");
        }
        let other = shell("echo warning >&2; kill -ABRT $$", bounds());
        let Ok(Ended::Crashed { message, .. }) = other else {
            panic!("{other:?}");
        };
        assert_eq!(message, "warning");
    }

    #[test]
    fn limits_have_names() {
        let limit = |script: &str| match shell(script, bounds()) {
            Err(MachineError::Limit { limit }) => limit,
            other => panic!("{script}: {other:?}"),
        };
        assert_eq!(limit("kill -XFSZ $$"), Limit::FileSize);
        assert_eq!(limit("kill -XCPU $$"), Limit::CpuTime);
        let thread = "echo \"terminate called after throwing an instance of 'std::system_error'\" >&2; \
                      kill -ABRT $$";
        assert_eq!(limit(thread), Limit::Processes);
        let thread = "echo 'panicked at std/src/thread.rs:1: failed to spawn thread: error 11' >&2; \
                      exit 101";
        assert_eq!(limit(thread), Limit::Processes);
        for named in Limit::ALL {
            let error = MachineError::from(named);
            let script = format!("echo 'error[limit]: {error}' >&2; exit 3");
            assert_eq!(limit(&script), named);
        }
    }

    #[test]
    fn what_the_machine_lacks_is_not_the_inputs_fault() {
        for (script, says) in [
            (
                "echo \"Fatal: Failed opening '/dev/stdin'\" >&2; exit 1",
                "Failed opening '/dev/stdin'",
            ),
            ("no-such-program", "not found"),
            (
                "echo 'edgec: cannot start again: Text file busy' >&2; exit 1",
                "Text file busy",
            ),
            (
                "echo 'error[limit]: a limit of this machine was reached' >&2; exit 3",
                "a limit of this machine",
            ),
        ] {
            let lacks = shell(script, bounds());
            let Err(MachineError::Worker { message }) = lacks else {
                panic!("{script}: {lacks:?}");
            };
            assert!(message.contains(says), "{message}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_waits_without_end_is_stopped() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "exec sleep 600"]).stdin(Stdio::null());
        let child = command.stdout(Stdio::piped()).spawn().unwrap();
        let short = Duration::from_millis;
        let mut watch = Watch::with_patience(child.id(), short(500), short(50));
        let mut running = Running(child);
        let answer = answer(running.0.stdout.take().unwrap(), 100).unwrap();
        let waited = running.wait(&answer, &bounds(), Some(&mut watch));
        assert!(matches!(waited, Ok(Waited::Stuck)));
        // No limit is lower than 0.
        let error = without_progress(0).to_string();
        assert!(error.contains("no progress for 30 s"), "{error}");
    }

    #[test]
    fn want_of_memory_is_seen() {
        for says in [
            "memory allocation of 9 bytes failed",
            "terminate called after throwing an instance of 'std::bad_alloc'",
            "panicked at std/src/sys.rs:1: failed to allocate an alternative stack: error 12",
        ] {
            let full = shell(&format!("echo \"{says}\" >&2; kill -ABRT $$"), bounds());
            assert!(matches!(full, Ok(Ended::OutOfMemory)), "{full:?}");
        }
        // Threads do not start for want of memory for their stacks.
        let little = Bounds {
            memory: 64 << 20,
            ..bounds()
        };
        let thread = "terminate called after throwing an instance of 'std::system_error'";
        let thread = shell(&format!("echo \"{thread}\" >&2; kill -ABRT $$"), little);
        assert!(matches!(thread, Ok(Ended::OutOfMemory)), "{thread:?}");
        // Binaryen's reader throws an exception, which becomes a message.
        let caught = shell("echo std::bad_alloc >&2; exit 1", bounds());
        assert!(matches!(caught, Ok(Ended::OutOfMemory)), "{caught:?}");
    }

    #[test]
    fn an_answer_is_whole_or_none() {
        let done = shell("cat; printf more", bounds());
        assert!(matches!(done, Ok(Ended::Done(answer)) if answer == b"inputmore"));
        // The answer is too long: the process is stopped, though it goes on writing.
        let long = shell("while :; do echo 0123456789; done", bounds());
        assert!(matches!(long, Ok(Ended::TooLong)), "{long:?}");
        let late = Bounds {
            deadline: Instant::now() + Duration::from_millis(50),
            ..bounds()
        };
        let late = shell("cat; exec sleep 600", late);
        assert!(matches!(late, Ok(Ended::Late)), "{late:?}");
        // If the process closes standard output, its end is still waited for.
        let early = shell("cat; exec >&-; sleep 0.1; echo late >&2; exit 3", bounds());
        let Ok(Ended::Failed { message, .. }) = early else {
            panic!("{early:?}");
        };
        assert_eq!(message, "late");
    }

    #[test]
    fn much_that_is_said_stops_nothing() {
        let much = "i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789 >&2; \
                    i=$((i+1)); done; cat";
        let done = shell(much, bounds());
        assert!(matches!(done, Ok(Ended::Done(answer)) if answer == b"input"));
        // The last line says what is at fault, the first one is the message where none does.
        let full = "echo memory allocation of 9 bytes failed >&2; kill -ABRT $$";
        let full = shell(&format!("{much}; {full}"), bounds());
        assert!(matches!(full, Ok(Ended::OutOfMemory)), "{full:?}");
        let failed = shell(&format!("echo first >&2; {much} >&2; exit 3"), bounds());
        let Ok(Ended::Failed { message, .. }) = failed else {
            panic!("{failed:?}");
        };
        assert_eq!(message, "first");
    }
}
