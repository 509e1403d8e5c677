//! Programs that know logins: `docker-credential-NAME get` reads the registry's name and prints the
//! login.
//!
//! Source: README of `docker/docker-credential-helpers`, "Development".

use std::io::{self, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;

use super::Login;
use crate::RegistryError;
use crate::checked::shown;

/// The longest time that a helper may take: some ask a service.
const MOST: Duration = Duration::from_secs(60);
/// The maximum length of its answer, in bytes.
const MAX_ANSWER_LEN: u64 = 1 << 20;
/// How much is kept of the end of what it says to people, in bytes.
const MAX_WORDS_LEN: usize = 4 << 10;
/// How long its last words may take after its end: a process that it has left behind may keep the
/// pipe open.
const LAST_WORDS: Duration = Duration::from_millis(200);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// The login that a helper has for a registry, if it has one.
pub(super) fn login(name: &str, server: &str) -> Result<Option<Login>, RegistryError> {
    let is_letter = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
    let program = format!("docker-credential-{name}");
    if name.is_empty() || !name.chars().all(is_letter) {
        return Err(RegistryError::Credentials {
            from: format!("`{}`", shown(&program)),
            reason: "this is not the name of a helper".to_owned(),
        });
    }
    ask(Command::new(&program), server, MOST).map_err(|reason| RegistryError::Credentials {
        from: format!("`{program}`"),
        reason,
    })
}

/// Runs a helper. An error says what failed. It has nothing of the standard output, which may have
/// a secret.
fn ask(mut helper: Command, server: &str, most: Duration) -> Result<Option<Login>, String> {
    let mut child = helper
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // What the helper starts can be ended together with it. In a group of its own it cannot
        // read from a terminal. It needs none: it reads the registry's name from the pipe.
        .process_group(0)
        .spawn()
        .map_err(|error| format!("cannot run it: {error}"))?;
    // A helper that ends before it reads gives an error here, and then its status says more.
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(server.as_bytes());
    }
    let answer = in_background(child.stdout.take(), |stdout| {
        let mut answer = Vec::new();
        let read = stdout.take(MAX_ANSWER_LEN).read_to_end(&mut answer);
        read.map(|_| answer)
    });
    let words = in_background(child.stderr.take(), last_line);
    let end = Instant::now() + most;
    // A process that the helper has left behind may keep the pipe open. As long as no one has
    // waited for the helper, no other group has its number.
    let Ok(answer) = answer.recv_timeout(most) else {
        end_group(&mut child);
        return Err(late(most));
    };
    let Some(has_succeeded) = wait(&mut child, end) else {
        end_group(&mut child);
        return Err(late(most));
    };
    let has_succeeded = has_succeeded.map_err(|error| error.to_string())?;
    let answer = answer.map_err(|error| error.to_string())?;
    if !has_succeeded {
        // What it prints may have a secret, except for the one message that all helpers share.
        let text = String::from_utf8_lossy(&answer);
        if text.trim() == "credentials not found in native keychain" {
            return Ok(None);
        }
        let words = words.recv_timeout(LAST_WORDS).unwrap_or_default();
        return Err(match words.as_str() {
            "" => "it failed".to_owned(),
            words => format!("it failed: {words}"),
        });
    }
    let answer: Answer = serde_json::from_slice(&answer)
        .map_err(|_| "it does not print a login as JSON".to_owned())?;
    Ok(match answer.username.as_str() {
        _ if answer.secret.is_empty() => None,
        "<token>" => Some(Login::Identity(answer.secret)),
        _ => Some(Login::Basic {
            name: answer.username,
            password: answer.secret,
        }),
    })
}

/// Reads a pipe of the helper while it runs.
fn in_background<P: Send + 'static, T: Send + 'static>(
    pipe: Option<P>,
    read: impl FnOnce(P) -> T + Send + 'static,
) -> Receiver<T> {
    let (say, said) = channel();
    if let Some(pipe) = pipe {
        thread::spawn(move || {
            let _ = say.send(read(pipe));
        });
    }
    said
}

/// The last line of a text that is not empty, cut, and harmless to a terminal.
fn last_line(mut text: impl Read) -> String {
    let mut tail = Vec::new();
    let mut piece = [0; 1024];
    loop {
        match text.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => tail.extend(piece.iter().take(length)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
        tail.drain(..tail.len().saturating_sub(MAX_WORDS_LEN));
    }
    let text = String::from_utf8_lossy(&tail);
    let mut lines = text.lines().map(shown).rev();
    lines.find(|line| !line.is_empty()).unwrap_or_default()
}

/// Ends the helper, and what it has started.
fn end_group(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// Whether the helper succeeded. `None`: it still runs when the time is over.
fn wait(child: &mut Child, end: Instant) -> Option<io::Result<bool>> {
    loop {
        match child.try_wait() {
            Ok(None) if Instant::now() < end => thread::sleep(Duration::from_millis(5)),
            Ok(None) => return None,
            Ok(Some(status)) => return Some(Ok(status.success())),
            Err(error) => return Some(Err(error)),
        }
    }
}

fn late(most: Duration) -> String {
    format!("it took longer than {} seconds", most.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks a helper that is this script.
    fn ask_script(script: &str) -> Result<Option<Login>, String> {
        let mut helper = Command::new("sh");
        helper.args(["-c", script]);
        ask(helper, "registry.example", Duration::from_secs(60))
    }

    fn is_same(found: Result<Option<Login>, String>, expected: Option<Login>) -> bool {
        found.is_ok_and(|it| it == expected)
    }

    #[test]
    fn a_helper_prints_the_login_for_the_registry_that_it_reads() {
        let script = r#"printf '{"ServerURL":"","Username":"%s","Secret":"%s"}' "$0" "$(cat)""#;
        let login = Login::Basic {
            name: "get".to_owned(),
            password: "registry.example".to_owned(),
        };
        assert!(is_same(ask_script(script), Some(login)));
        let script = r#"echo '{"Username":"<token>","Secret":"identity"}'"#;
        let login = Login::Identity("identity".to_owned());
        assert!(is_same(ask_script(script), Some(login)));
    }

    #[test]
    fn a_helper_without_the_login_is_no_failure() {
        let script = "echo 'credentials not found in native keychain'; exit 1";
        assert!(is_same(ask_script(script), None));
        assert!(is_same(
            ask_script(r#"echo '{"Username":"","Secret":""}'"#),
            None
        ));
    }

    #[test]
    fn a_failure_shows_nothing_of_what_the_helper_gives_to_programs() {
        for (script, part) in [
            ("echo hunter2; exit 1", "it failed"),
            ("echo hunter2; echo locked >&2; exit 1", "it failed: locked"),
            ("echo hunter2", "as JSON"),
            (r#"echo '{"Username":"hunter2"}'"#, "as JSON"),
        ] {
            let error = ask_script(script).err().unwrap();
            assert!(
                error.contains(part) && !error.contains("hunter2"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_failure_shows_the_last_line_that_the_helper_says_to_people() {
        let script = r"seq 1 9999 >&2; printf 'the key\033 is locked \n\n' >&2; exit 3";
        let error = ask_script(script).err().unwrap();
        assert_eq!(error, "it failed: the key is locked");
        let error = ask_script("printf %0500d 0 >&2; exit 1").err().unwrap();
        assert_eq!(error, format!("it failed: {}", "0".repeat(200)));
        // A process that it leaves behind keeps the pipe open.
        let error = ask_script("sleep 5 >&- & echo no >&2; exit 1")
            .err()
            .unwrap();
        assert!(error.starts_with("it failed"), "{error}");
    }

    /// The state of a process in one letter; none if it is gone.
    fn state(process: &str) -> Option<char> {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    }

    #[test]
    fn what_a_helper_has_started_ends_with_it() {
        for script in [
            "sleep 1000 & echo $! >&3; wait",
            // It ends, and what it has started keeps its output open.
            "sleep 1000 & echo $! >&3",
            // It closes its output, and goes on.
            "sleep 1000 >&- & echo $! >&3; exec >&-; wait",
        ] {
            let file = tempfile::NamedTempFile::new().unwrap();
            // A busy machine may need more time for the start.
            let started = (0..10).find_map(|at| {
                let mut helper = Command::new("sh");
                let script = format!("exec 3>'{}'; {script}", file.path().display());
                helper.args(["-c", &script]);
                let most = Duration::from_millis(50 << at);
                let error = ask(helper, "registry.example", most).err().unwrap();
                assert!(error.contains("it took longer than"), "{error}");
                let started = std::fs::read_to_string(file.path()).unwrap();
                started.ends_with('\n').then(|| started.trim().to_owned())
            });
            let started = started.unwrap();
            // The kernel ends it soon. No one may wait for it, so it may stay as a zombie.
            while state(&started).is_some_and(|it| it != 'Z' && it != 'X') {
                thread::sleep(Duration::from_millis(5));
            }
        }
    }

    #[test]
    fn a_helper_that_hangs_is_ended() {
        let mut helper = Command::new("sh");
        helper.args(["-c", "exec sleep 1000"]);
        let error = ask(helper, "registry.example", Duration::ZERO)
            .err()
            .unwrap();
        assert!(error.contains("longer than 0 seconds"), "{error}");
        // It ends, and a process that it has started keeps its output open.
        let mut helper = Command::new("sh");
        helper.args(["-c", "sleep 30 & exit 0"]);
        let error = ask(helper, "registry.example", Duration::from_secs(1));
        let error = error.err().unwrap();
        assert!(error.contains("longer than 1 seconds"), "{error}");
    }
}
