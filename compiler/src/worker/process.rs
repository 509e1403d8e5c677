//! Work in a separate process: bytes in, bytes out, with limits on time and memory.
//!
//! A hostile program can make the tools crash, hang, or ask for all memory. If a tool has its own
//! process, the worst result is the end of that process. Its input is a file without a name, and
//! its answer comes through a pipe. So nothing remains however the process ends, and a full disk
//! does not cut an answer short.
//!
//! The way in which a process ends shows what is at fault. An exit code is about the input, unless
//! the process says that the machine prevented its work. A signal that only other processes send,
//! or a limit, is about the machine, and becomes a [`MachineError`]. A crash without a message may
//! be either.
//!
//! Source: `signal(7)`.

mod end;
mod fault;
mod held;
mod messages;
#[cfg(all(test, unix))]
mod tests;

use std::ffi::OsStr;
use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use self::end::End;
use self::fault::judge;
use self::held::Held;
use self::messages::Messages;
use crate::worker::limits;
use crate::worker::machine::{self, Limit, MachineError};
use crate::worker::stuck::{self, Watch};
use crate::worker::threads;

/// The limits of a process.
pub(crate) struct Bounds {
    /// The maximum length of the answer, in bytes.
    pub(crate) answer: u64,
    /// The memory limit that it sets itself, in bytes.
    pub(crate) memory: u64,
    /// When it is stopped.
    pub(crate) deadline: Instant,
    /// What a long sleep means.
    pub(crate) sleep: Sleep,
}

/// The time between two checks of a process: whether it is stuck, and how much memory it holds. The
/// wait ends at once when the process answers or ends.
const LOOK: Duration = Duration::from_millis(20);

impl Bounds {
    /// The time until the next check. `None` if the deadline has passed.
    fn pause(&self) -> Option<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        (!left.is_zero()).then(|| left.min(LOOK))
    }
}

/// What it means if all threads of a process sleep for a long time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sleep {
    /// Nothing: it waits for other processes, or runs a program that may sleep.
    Allowed,
    /// The threads wait for each other without end.
    Stuck,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Successfully, with this standard output.
    Done(Vec<u8>),
    /// Its output exceeded the limit.
    TooLong,
    /// By itself: with an error, or by an abort that its message explains. The same input ends like
    /// this on every machine.
    Failed {
        /// The exit status or the signal.
        status: ExitStatus,
        /// The line of its messages that gives the reason, or the first line.
        message: String,
    },
    /// By the signal of a crash without a message that explains it. Other processes can send such a
    /// signal, or memory can be short, so the next run may end differently.
    Crashed {
        /// The signal.
        status: ExitStatus,
        /// The first line that it wrote to standard error.
        message: String,
    },
    /// It exceeded its memory limit.
    OutOfMemory,
    /// It was stopped at the deadline.
    Late,
}

/// The variable for settings of glibc's allocator. Other C libraries do not read it.
///
/// Source: glibc manual, "Memory Allocation Tunables".
const TUNABLES: &str = "GLIBC_TUNABLES";

/// Keep memory that is freed, and request much at once. A process lives for one piece of work, and
/// page faults took a sixth of its time. This replaces tunables that the user has set.
const KEEP_MEMORY: &str = "glibc.malloc.trim_threshold=1073741824\
    :glibc.malloc.mmap_threshold=33554432:glibc.malloc.top_pad=4194304";

/// The same with large pages. To clear them takes a small program an eighth of its time.
const LARGE_PAGES: &str = "glibc.malloc.trim_threshold=1073741824\
    :glibc.malloc.mmap_threshold=33554432:glibc.malloc.top_pad=4194304:glibc.malloc.hugetlb=1";

/// The length of an input, in bytes, from which large pages save time.
const LARGE_INPUT: usize = 512 << 10;

/// The variables of this process that a worker gets: they say where to find programs and libraries,
/// and how many threads to start.
const KEPT: [&str; 5] = [
    "PATH",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "SystemRoot",
    THREADS,
];

/// The variable for the number of Rayon's threads.
const THREADS: &str = "RAYON_NUM_THREADS";

/// A command whose process gets few variables. It works on hostile input, so it must not see the
/// user's secrets, and its results must not depend on them.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    for name in KEPT {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    // Behind its walls, the process cannot find out what the container allows.
    if std::env::var_os(THREADS).is_none() {
        command.env(THREADS, threads::processors().to_string());
    }
    command
}

/// Runs a [`command`] on `input` until it ends, or until the deadline.
pub(crate) fn run(
    command: &mut Command,
    input: &[u8],
    bounds: &Bounds,
) -> Result<Ended, MachineError> {
    let stdin = machine::temporary_file(input)?;
    command.env(
        TUNABLES,
        match input.len() {
            ..LARGE_INPUT => KEEP_MEMORY,
            _ => LARGE_PAGES,
        },
    );
    // Threads may be limited, and the process has tested that it can start its own. A thread here
    // that started later could take the place of one of them.
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
    // A thread that has already ended needs no stream.
    let _ = running.0.stdout.take().map(|stream| stdout.send(stream));
    let _ = running.0.stderr.take().map(|stream| stderr.send(stream));
    drop((stdout, stderr));

    let (status, answer, held) = match running.wait(&answer, bounds, watch.as_mut())? {
        Waited::Ended(status, answer, held) => (status, answer, held),
        Waited::TooLong => return Ok(Ended::TooLong),
        Waited::Late => return Ok(Ended::Late),
        Waited::Stuck => return Err(without_progress(bounds.memory)),
    };
    match status.success() {
        true => Ok(Ended::Done(answer)),
        false => judge(
            status,
            &messages.text(),
            bounds.memory,
            held,
            begin.elapsed(),
        ),
    }
}

/// The error for a process that waits without end. If memory is limited, this is the cause.
fn without_progress(memory: u64) -> MachineError {
    match limits::allows_less_memory_than(memory) {
        true => Limit::Memory.into(),
        false => MachineError::Stuck {
            seconds: stuck::PATIENCE.as_secs(),
        },
    }
}

/// A process that is killed when this is dropped, unless it has ended.
struct Running(Child);

enum Waited {
    Ended(ExitStatus, Vec<u8>, Held),
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
        // A process keeps its process ID until `try_wait` has collected its exit status.
        let mut is_stuck = || watch.as_mut().is_some_and(|watch| watch.is_stuck());
        let mut held = Held::default();
        let answer = loop {
            let Some(pause) = bounds.pause() else {
                return Ok(Waited::Late);
            };
            if is_stuck() {
                return Ok(Waited::Stuck);
            }
            match answer.recv_timeout(pause) {
                Ok(bytes) => break bytes.map_err(MachineError::of_start)?,
                // A process that answers at once was not near its limit.
                Err(RecvTimeoutError::Timeout) => held.check(self.0.id()),
                // The thread that reads the answer ended without one.
                Err(RecvTimeoutError::Disconnected) => break Vec::new(),
            }
        };
        if answer.len() as u64 > bounds.answer {
            return Ok(Waited::TooLong);
        }
        let end = End::of(&self.0);
        loop {
            if let Some(status) = self.0.try_wait().map_err(MachineError::of_start)? {
                return Ok(Waited::Ended(status, answer, held));
            }
            let Some(pause) = bounds.pause() else {
                return Ok(Waited::Late);
            };
            if is_stuck() {
                return Ok(Waited::Stuck);
            }
            end.wait(pause);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // If the process has already ended, this fails, which does no harm.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A stream that will come later, and the sender for it. It is empty if none comes.
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

/// Reads an answer while it is written. Stops one byte after `most`, because that byte shows that
/// the answer is too long.
fn answer(
    stream: impl Read + Send + 'static,
    most: u64,
) -> Result<Receiver<io::Result<Vec<u8>>>, MachineError> {
    let (sender, receiver) = channel();
    let read = move || {
        let mut bytes = Vec::new();
        let read = stream.take(most.saturating_add(1)).read_to_end(&mut bytes);
        // If the answer came too late, the receiver no longer exists.
        let _ = sender.send(read.map(|_| bytes));
    };
    let thread = thread::Builder::new().spawn(read);
    thread.map_err(MachineError::of_thread)?;
    Ok(receiver)
}
