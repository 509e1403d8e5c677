//! A program that says whether a release is healthy: exit code 0 within the time limit.

use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::{Probe, Reading, Subject};

/// How much of what the program writes is kept, in bytes.
const MAX_OUTPUT: u64 = 16 << 10;
/// How much of it is repeated, in characters.
const MAX_TEXT: usize = 200;
/// How often it is looked whether the program has ended.
const PERIOD: Duration = Duration::from_millis(10);
/// How long the end of its output may take after its end.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// A health command.
#[derive(Clone, Debug)]
pub struct CommandProbe {
    command: Vec<String>,
    timeout: Duration,
}

impl CommandProbe {
    /// The program and its arguments, with placeholders (`docs/sync.md`).
    #[must_use]
    pub fn new(command: Vec<String>, timeout: Duration) -> Self {
        Self { command, timeout }
    }
}

impl Probe for CommandProbe {
    fn read(&mut self, subject: &Subject) -> Reading {
        let words: Vec<String> = self.command.iter().map(|it| filled(it, subject)).collect();
        let Some((program, arguments)) = words.split_first() else {
            return Reading::Good(None);
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // What it starts ends with it.
            .process_group(0);
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => return Reading::Bad(format!("cannot start `{program}`: {error}")),
        };
        let output = output(&mut child);
        let ended = wait(&mut child, self.timeout);
        end(&mut child);
        let says = output.recv_timeout(LAST_WORDS).unwrap_or_default();
        let says = match says.is_empty() {
            true => String::new(),
            false => format!(": {says}"),
        };
        match ended {
            Some(status) if status.success() => Reading::Good(None),
            Some(status) => Reading::Bad(format!("`{program}` ended with {status}{says}")),
            None => {
                let limit = self.timeout;
                Reading::Bad(format!("`{program}` did not end within {limit:?}{says}"))
            }
        }
    }
}

/// A word with its placeholders filled in. There is no shell, so no value is read as more words.
fn filled(word: &str, subject: &Subject) -> String {
    let numbers = (subject.version.to_string(), subject.serial.to_string());
    let mut filled = String::new();
    let mut rest = word;
    while let Some((before, behind)) = rest.split_once('{') {
        filled.push_str(before);
        let known = behind.split_once('}').and_then(|(name, after)| {
            let value = match name {
                "application" => &subject.name,
                "channel" => subject.channel.as_deref().unwrap_or_default(),
                "version" => &numbers.0,
                "serial" => &numbers.1,
                "host" => &subject.host,
                _ => return None,
            };
            Some((value, after))
        });
        match known {
            Some((value, after)) => {
                filled.push_str(value);
                rest = after;
            }
            None => {
                filled.push('{');
                rest = behind;
            }
        }
    }
    filled.push_str(rest);
    filled
}

/// The last line that the program writes to standard error, as soon as all of it is written.
fn output(child: &mut Child) -> Receiver<String> {
    let (say, said) = channel();
    if let Some(stderr) = child.stderr.take() {
        // It ends with the pipe, which processes of another group could keep open.
        let reading = move || {
            let mut bytes = Vec::new();
            let mut stderr = stderr;
            let _ = (&mut stderr).take(MAX_OUTPUT).read_to_end(&mut bytes);
            let _ = say.send(last_line(&bytes));
            // Otherwise a program that writes much would end by SIGPIPE.
            let _ = std::io::copy(&mut stderr, &mut std::io::sink());
        };
        let _ = thread::Builder::new()
            .name("gate".to_owned())
            .spawn(reading);
    }
    said
}

/// The last line of a text that is not empty, short and without control characters.
fn last_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let last = text.lines().map(str::trim).rfind(|line| !line.is_empty());
    let shown = last.unwrap_or_default().chars().take(MAX_TEXT);
    shown
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// Waits for the end of a program. `None`: the time is over.
fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let begin = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if begin.elapsed() < limit => thread::sleep(PERIOD),
            _ => return None,
        }
    }
}

/// Ends the program, and what it has started.
fn end(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(group) = group {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject() -> Subject {
        Subject {
            name: "acme/shop".to_owned(),
            channel: Some("stable".to_owned()),
            label: "acme/shop@stable".to_owned(),
            version: 7,
            serial: 9,
            host: "pop-1".to_owned(),
        }
    }

    fn read(script: &str, timeout: Duration) -> Reading {
        let words = ["/bin/sh", "-c", script, "sh", "{application}", "{version}"];
        let words = words.iter().map(|it| (*it).to_owned()).collect();
        CommandProbe::new(words, timeout).read(&subject())
    }

    #[test]
    fn the_exit_code_decides() {
        let long = Duration::from_secs(60);
        let good = read("test \"$1 $2\" = \"acme/shop 7\"", long);
        assert_eq!(good, Reading::Good(None));
        let Reading::Bad(why) = read("echo first >&2; echo no >&2; exit 3", long) else {
            panic!("it is not good");
        };
        assert_eq!(why, "`/bin/sh` ended with exit status: 3: no");
        let words = vec!["/nonexistent".to_owned()];
        let Reading::Bad(why) = CommandProbe::new(words, long).read(&subject()) else {
            panic!("it cannot be good");
        };
        assert!(why.starts_with("cannot start `/nonexistent`: "), "{why}");
    }

    #[test]
    fn a_program_that_does_not_end_is_ended_with_what_it_started() {
        // What it has said is known only after all processes that could say more have ended.
        let script = "sleep 1000 & echo begun >&2; sleep 1000";
        // A busy machine may need more time for the first word.
        let is_ended = (0..8).any(|at| {
            let limit = Duration::from_millis(50 << at);
            let why = format!("`/bin/sh` did not end within {limit:?}: begun");
            read(script, limit) == Reading::Bad(why)
        });
        assert!(is_ended);
    }

    #[test]
    fn words_are_filled_in_once() {
        let filled = |word| filled(word, &subject());
        assert_eq!(filled("{host}/{serial}-{channel}"), "pop-1/9-stable");
        assert_eq!(filled("{other} {version {"), "{other} {version {");
        let mut own = subject();
        own.name = "{version}".to_owned();
        assert_eq!(super::filled("{application}", &own), "{version}");
    }
}
