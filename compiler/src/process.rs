//! Work in a process of its own: bytes in, bytes out, bounded in time and memory.
//!
//! The tools below can crash, hang and ask for all the memory there is when a hostile program
//! is put to them. In a process of its own the worst of that is the end of the process. The
//! files between the processes have no names: nothing is left behind however either ends.
//!
//! Source: `getrlimit(2)`, `prctl(2)`.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Variables that hold secrets, besides those of edgec's own.
static HIDDEN: Mutex<BTreeSet<OsString>> = Mutex::new(BTreeSet::new());

/// Keeps a variable of the environment from every process that is started from now on: it holds a secret. So are
/// all whose names begin with `EDGEC_`.
pub fn hide_variable(name: impl Into<OsString>) {
    let mut hidden = HIDDEN.lock().unwrap_or_else(PoisonError::into_inner);
    hidden.insert(name.into());
}

/// What [`hide_variable`] was told.
pub fn hidden_variables() -> Vec<OsString> {
    let hidden = HIDDEN.lock().unwrap_or_else(PoisonError::into_inner);
    hidden.iter().cloned().collect()
}

/// How a process ended.
pub(crate) enum Ended {
    /// With success; what it wrote to standard output, from the start.
    Done(File),
    /// With an error or a signal.
    Failed {
        /// The exit status or the signal.
        status: ExitStatus,
        /// The first line that it wrote to standard error.
        message: String,
    },
    /// It was killed at the deadline.
    Killed,
}

/// Runs a command on `input` until it ends, or until `deadline`.
pub(crate) fn run(command: &mut Command, input: &[u8], deadline: Instant) -> io::Result<Ended> {
    let mut stdin = tempfile::tempfile()?;
    stdin.write_all(input)?;
    stdin.rewind()?;
    let mut output = tempfile::tempfile()?;
    let mut messages = tempfile::tempfile()?;
    // What a user told edgec in secret is not for whoever works on hostile input.
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"EDGEC_") {
            command.env_remove(name);
        }
    }
    for name in hidden_variables() {
        command.env_remove(name);
    }
    let mut child = command
        .stdin(stdin)
        .stdout(output.try_clone()?)
        .stderr(messages.try_clone()?)
        .spawn()?;
    let Some(status) = wait(&mut child, deadline)? else {
        return Ok(Ended::Killed);
    };
    if !status.success() {
        return Ok(Ended::Failed {
            status,
            message: first_line(&mut messages)?,
        });
    }
    output.rewind()?;
    Ok(Ended::Done(output))
}

/// Waits for the end of a process, or kills it: `None`.
fn wait(child: &mut Child, deadline: Instant) -> io::Result<Option<ExitStatus>> {
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        // Small programs take milliseconds; large ones do not mind a late look.
        let pause = begin.elapsed() / 16;
        std::thread::sleep(pause.clamp(Duration::from_micros(200), Duration::from_millis(20)));
    }
}

fn first_line(messages: &mut File) -> io::Result<String> {
    let mut bytes = Vec::new();
    messages.rewind()?;
    messages.take(4096).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().find(|line| !line.trim().is_empty());
    Ok(line.unwrap_or("no message").trim().to_owned())
}

/// What a worker process does first: it gives itself at most `memory` bytes, leaves no core
/// file, and ends when the process that started it does. Where the system has no such limit
/// (it is Linux that counts every private writable page), there is none.
pub(crate) fn confine(memory: u64) {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Resource, Rlimit, Signal, setrlimit};
        let limit = |resource, most| {
            let limit = Rlimit {
                current: Some(most),
                maximum: Some(most),
            };
            // A lower limit that is there already stays.
            let _ = setrlimit(resource, limit);
        };
        limit(Resource::Data, memory);
        limit(Resource::Core, 0);
        // Its files are of what it holds in memory.
        limit(Resource::Fsize, memory);
        // Nobody waits for the result of a build that was stopped.
        let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    }
    #[cfg(not(target_os = "linux"))]
    let _ = memory;
}
