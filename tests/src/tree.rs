//! The memory of a process and of all processes that it starts, measured from outside.
//!
//! A limit for each process says nothing about their sum. So this samples the sum every few
//! milliseconds. The sum consists of the memory of every process without a file behind it, and of
//! the largest part with a file behind it, because processes of one program share that. Peaks
//! between two samples are missed.
//!
//! Source: `proc_pid_status(5)`, `proc_pid_task(5)`.

use std::fs;
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::Duration;

const PERIOD: Duration = Duration::from_millis(2);

/// A command that ended.
pub struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// The peak memory of all its processes together, in bytes.
    pub peak: u64,
}

/// Runs a command to its end.
///
/// # Panics
///
/// If it cannot be started.
pub fn run(command: &mut Command) -> Ended {
    let mut child = command.spawn().expect("it can be started");
    let mut peak = 0;
    loop {
        peak = peak.max(memory(child.id()));
        if let Some(status) = child.try_wait().expect("a child") {
            return Ended { status, peak };
        }
        thread::sleep(PERIOD);
    }
}

/// The memory of a process and of all its descendants, in bytes.
fn memory(root: u32) -> u64 {
    let begun = command_line(root);
    let mut processes = vec![root];
    let (mut private, mut files, mut place) = (0, 0, 0);
    while let Some(&process) = processes.get(place) {
        place += 1;
        processes.extend(children(process));
        // A process that has not started its program yet still has the memory of its parent.
        if process == root || command_line(process) != begun {
            let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
            private += resident(&status, "RssAnon") + resident(&status, "RssShmem");
            files = resident(&status, "RssFile").max(files);
        }
    }
    private + files
}

/// The child processes of a process. Empty if it has ended.
fn children(process: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{process}/task"));
    let threads = threads.into_iter().flatten().flatten();
    let lists = threads.map(|thread| fs::read_to_string(thread.path().join("children")));
    let lists = lists.map(Result::unwrap_or_default);
    let mut all = Vec::new();
    for list in lists {
        all.extend(
            list.split_whitespace()
                .filter_map(|it| it.parse::<u32>().ok()),
        );
    }
    all
}

fn command_line(process: u32) -> Vec<u8> {
    fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default()
}

/// One kind of memory in the status of a process, in bytes. 0 if it has ended.
fn resident(status: &str, kind: &str) -> u64 {
    let kibibytes = status.lines().find_map(|line| {
        let rest = line.strip_prefix(kind)?.strip_prefix(':')?;
        rest.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    });
    kibibytes.unwrap_or(0) * 1024
}
