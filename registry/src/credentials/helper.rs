//! Programs that know logins: `docker-credential-NAME get` reads the registry's name and prints the
//! login.
//!
//! Source: README of `docker/docker-credential-helpers`, "Development".

use std::io::{self, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::Login;
use crate::RegistryError;
use crate::checked::shown;

/// The longest time that a helper may take: some ask a service.
const MOST: Duration = Duration::from_secs(60);
/// The maximum length of its answer, in bytes.
const MAX_ANSWER_LEN: u64 = 1 << 20;

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

/// Runs a helper. An error says what failed, without any secret.
fn ask(mut helper: Command, server: &str, most: Duration) -> Result<Option<Login>, String> {
    let mut child = helper
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("cannot run it: {error}"))?;
    // A helper that ends before it reads gives an error here, and then its status says more.
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(server.as_bytes());
    }
    let stdout = child.stdout.take();
    let (say, said) = mpsc::channel();
    thread::spawn(move || {
        let mut answer = Vec::new();
        let read = match stdout {
            Some(stdout) => stdout.take(MAX_ANSWER_LEN).read_to_end(&mut answer),
            None => Ok(0),
        };
        let _ = say.send(read.map(|_| answer));
    });
    let end = Instant::now() + most;
    let has_succeeded = wait(&mut child, end).ok_or_else(|| late(most))?;
    let has_succeeded = has_succeeded.map_err(|error| error.to_string())?;
    // A process that the helper has left behind may keep the pipe open.
    let left = end.saturating_duration_since(Instant::now());
    let answer = said.recv_timeout(left).map_err(|_| late(most))?;
    let answer = answer.map_err(|error| error.to_string())?;
    if !has_succeeded {
        // What it prints may have a secret, except for the one message that all helpers share.
        let text = String::from_utf8_lossy(&answer);
        return match text.trim() {
            "credentials not found in native keychain" => Ok(None),
            _ => Err("it failed".to_owned()),
        };
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

/// Whether the helper succeeded. `None`: it hung, and was ended.
fn wait(child: &mut Child, end: Instant) -> Option<io::Result<bool>> {
    loop {
        match child.try_wait() {
            Ok(None) if Instant::now() < end => thread::sleep(Duration::from_millis(5)),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
            Ok(Some(status)) => return Some(Ok(status.success())),
            Err(error) => return Some(Err(error)),
        }
    }
}

fn late(most: Duration) -> String {
    format!("it took longer than {} seconds", most.as_secs())
}

#[cfg(all(test, unix))]
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
    fn a_failure_shows_nothing_of_what_the_helper_prints() {
        for (script, part) in [
            ("echo hunter2; exit 1", "it failed"),
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
