//! Runs the binary under `strace`: which system calls it makes, and what happens to its files if
//! the kernel refuses one, or if it is killed there.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::skipped;

/// One system call of a traced process.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// The number of this call among the thread's calls of that name, from 1, as `strace` counts.
    pub number: usize,
    /// Its arguments. Each descriptor is followed by the path of its file.
    pub arguments: String,
    /// The kernel's answer.
    pub answer: String,
}

impl Call {
    /// Whether the call succeeded.
    pub fn succeeded(&self) -> bool {
        !self.answer.starts_with('-')
    }

    /// The paths of the descriptors among the arguments.
    pub fn descriptors(&self) -> Vec<&str> {
        let parts = self.arguments.split('<').skip(1);
        parts
            .filter_map(|part| Some(part.split_once('>')?.0))
            .collect()
    }

    /// The strings among the arguments.
    pub fn strings(&self) -> Vec<&str> {
        self.arguments.split('"').skip(1).step_by(2).collect()
    }
}

/// What happens instead of a call.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// The process is killed.
    Kill,
    /// The call fails with this error, and does nothing.
    Error(&'static str),
}

/// Whether `strace` can be started and may trace. If not, says so.
///
/// # Panics
///
/// If not, and `EDGEC_REQUIRE_STRACE` is set.
pub fn strace_present() -> bool {
    let traced = Command::new("strace")
        .args(["-qq", "-e", "trace=none", "true"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !traced {
        let why = "strace is not installed, or may not trace";
        skipped("EDGEC_REQUIRE_STRACE", why);
    }
    traced
}

/// Runs a command to its end. Returns its calls among those in `names`, thread by thread, the first
/// thread first.
pub fn traced(command: &Command, names: &str) -> (Output, Vec<Call>) {
    let folder = tempfile::tempdir().unwrap();
    let output = under(command, &folder, &["-e", &format!("trace={names}")]);
    (output, calls(folder.path()))
}

/// Runs a command in which one call, or one in each thread, gets a fault. Returns whether the fault
/// happened.
pub fn faulty(command: &Command, call: &Call, fault: Fault) -> (Output, bool) {
    let Call { name, number, .. } = call;
    let what = match fault {
        Fault::Kill => "signal=KILL".to_owned(),
        Fault::Error(error) => format!("error={error}"),
    };
    let trace = format!("trace={name}");
    let inject = format!("inject={name}:{what}:when={number}");
    let folder = tempfile::tempdir().unwrap();
    let output = under(command, &folder, &["-e", &trace, "-e", &inject]);
    let injected = |call: &Call| call.answer.contains("(INJECTED)");
    let met = match fault {
        Fault::Kill => output.status.code().is_none(),
        Fault::Error(_) => calls(folder.path()).iter().any(injected),
    };
    (output, met)
}

/// Runs a command in which every call of this name gets this error.
pub fn without(command: &Command, name: &str, error: &str) -> Output {
    let trace = format!("trace={name}");
    let inject = format!("inject={name}:error={error}");
    let folder = tempfile::tempdir().unwrap();
    under(command, &folder, &["-e", &trace, "-e", &inject])
}

fn under(command: &Command, folder: &TempDir, arguments: &[&str]) -> Output {
    let mut strace = Command::new("strace");
    // A file for each thread, so that the calls of threads do not mix.
    strace.args(["-ff", "-y", "-qq", "-o"]);
    strace.arg(folder.path().join("log"));
    strace.args(arguments);
    strace.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        strace.current_dir(folder);
    }
    strace.output().unwrap()
}

fn calls(folder: &Path) -> Vec<Call> {
    let files = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    files.sort_by_key(|path| {
        let thread = path.extension().unwrap().to_str().unwrap();
        thread.parse::<u32>().unwrap()
    });
    let mut calls: Vec<Call> = Vec::new();
    for file in files {
        let first = calls.len();
        let text = std::fs::read(file).unwrap();
        for line in String::from_utf8_lossy(&text).lines() {
            let Some((name, rest)) = line.split_once('(') else {
                continue;
            };
            // `+++ exited`, `--- SIGCHLD`
            let Some((arguments, answer)) = rest.rsplit_once(" = ") else {
                continue;
            };
            let earlier = calls[first..].iter().filter(|call| call.name == name);
            calls.push(Call {
                number: earlier.count() + 1,
                name: name.to_owned(),
                arguments: arguments.to_owned(),
                answer: answer.to_owned(),
            });
        }
    }
    calls
}
