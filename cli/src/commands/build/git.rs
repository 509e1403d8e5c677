//! Asks `git` for the newest tag of a pattern.
//!
//! `git` is the program on the path. It gets only the variables that it needs to start and to find
//! its configuration, because others say which repository it reads (`GIT_DIR`), or are secrets. It
//! has half a minute, and its answer has a bound: a repository may lie on a dead network drive.

use std::env;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use edgec_builder::project::version_in_tag;

use super::purpose::{Use, first_line};
use crate::failure::Failure;
use crate::failures::machine::no_thread;

/// How long `git` may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The most that is read of each of its streams, in bytes. A tag that is longer is no version.
const MAX_OUTPUT: u64 = 64 << 10;
/// The variables that `git` keeps: where programs are, and whose configuration it reads. That has
/// the folders of other users that this user trusts (`safe.directory`).
const KEPT: [&str; 3] = ["PATH", "HOME", "XDG_CONFIG_HOME"];

/// The part of the newest tag of this pattern that the `*` stands for, in the history of the commit
/// that the folder is at.
pub(super) fn newest_tag(pattern: &str, folder: &Path, purpose: Use) -> Result<String, Failure> {
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let told = ask(folder, pattern, purpose)?;
    let tag = told.output.trim();
    let text = version_in_tag(pattern, tag).filter(|_| told.status.success());
    text.map(str::to_owned).ok_or_else(|| {
        let said = first_line(&told.errors);
        let message = format!("no tag `{pattern}` was found: {said}");
        Failure::usage(purpose.code(), message)
            .about(folder.display())
            .hint(format!(
                "make one (`git tag`), or {};\n\
                 a CI system may fetch no tags: fetch them (`git fetch --tags --unshallow`)",
                purpose.instead()
            ))
    })
}

struct Told {
    status: ExitStatus,
    output: String,
    errors: String,
}

fn ask(folder: &Path, pattern: &str, purpose: Use) -> Result<Told, Failure> {
    let deadline = Instant::now() + TIMEOUT;
    let failed = |error: io::Error| {
        Failure::environment(purpose.code(), &error)
            .about("git")
            .hint("the project takes a text from a tag, so `git` must be on the path")
    };
    let kept = KEPT
        .into_iter()
        .filter_map(|name| Some((name, env::var_os(name)?)));
    let mut child = Command::new("git")
        // No program of the repository is started: its configuration may name one.
        .args(["-c", "core.fsmonitor=false", "-C"])
        .arg(folder)
        .args(["describe", "--tags", "--abbrev=0", "--match", pattern])
        .env_clear()
        .envs(kept)
        .env("LC_ALL", "C")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_OPTIONAL_LOCKS", "0")
        // A clone may lack objects, and would fetch them.
        .env("GIT_NO_LAZY_FETCH", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let streams = read(child.stdout.take()).and_then(|output| {
        let errors = read(child.stderr.take())?;
        Ok((output, errors))
    });
    let stop = |mut child: std::process::Child| child.kill().and_then(|()| child.wait());
    let (output, errors) = match streams {
        Ok(streams) => streams,
        Err(error) => {
            stop(child).map_err(failed)?;
            return Err(no_thread(error));
        }
    };
    let left = || deadline.saturating_duration_since(Instant::now());
    let texts = output.recv_timeout(left()).and_then(|output| {
        let errors = errors.recv_timeout(left())?;
        Ok((output, errors))
    });
    let Ok((output, errors)) = texts else {
        stop(child).map_err(failed)?;
        let message = format!("no answer within {} s", TIMEOUT.as_secs());
        let error = io::Error::new(io::ErrorKind::TimedOut, message);
        return Err(Failure::environment(purpose.code(), &error)
            .about("git")
            .hint(format!(
                "ask yourself: git describe --tags; or {}",
                purpose.instead()
            )));
    };
    // Both streams are at their end, or too long.
    let status = match child.try_wait().map_err(failed)? {
        Some(status) => status,
        None => wait_or_stop(child, deadline).map_err(failed)?,
    };
    Ok(Told {
        status,
        output,
        errors,
    })
}

/// Waits for the end of a process, and ends it at the deadline.
fn wait_or_stop(mut child: std::process::Child, deadline: Instant) -> io::Result<ExitStatus> {
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        thread::sleep(Duration::from_millis(2));
    }
    child.kill()?;
    child.wait()
}

/// Reads a stream of a process on a thread, up to the bound.
fn read(stream: Option<impl Read + Send + 'static>) -> io::Result<Receiver<String>> {
    let (sender, receiver) = mpsc::channel();
    let read = move || {
        let mut bytes = Vec::new();
        if let Some(stream) = stream {
            // What cannot be read is missing, and then no tag is found.
            let _ = stream.take(MAX_OUTPUT).read_to_end(&mut bytes);
        }
        // If the time is over, the receiver no longer exists.
        drop(sender.send(String::from_utf8_lossy(&bytes).into_owned()));
    };
    thread::Builder::new().spawn(read)?;
    Ok(receiver)
}
