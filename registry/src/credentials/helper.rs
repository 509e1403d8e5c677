//! Programs that know logins: `docker-credential-NAME get` reads the registry's name and prints the
//! login.
//!
//! Source: README of `docker/docker-credential-helpers`, "Development".

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::Login;
use crate::RegistryError;

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
    let failed = |reason: String| RegistryError::Credentials {
        from: format!("`{program}`"),
        reason,
    };
    if name.is_empty() || !name.chars().all(is_letter) {
        return Err(RegistryError::Credentials {
            from: format!("`docker-credential-{}`", crate::checked::shown(name)),
            reason: "this is not the name of a helper".to_owned(),
        });
    }
    let mut child = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed(format!("cannot run it: {error}")))?;
    // A helper that ends before it reads gives an error here, and then its status says more.
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(server.as_bytes());
    }
    let stdout = child.stdout.take();
    let reader = thread::spawn(move || {
        let mut answer = Vec::new();
        let read = stdout.map(|it| it.take(MAX_ANSWER_LEN).read_to_end(&mut answer));
        read.transpose().map(|_| answer)
    });
    let status = wait(&mut child).map_err(failed)?;
    let answer = reader
        .join()
        .map_err(|_| failed("it cannot be read".to_owned()))?;
    let answer = answer.map_err(|error| failed(error.to_string()))?;
    if !status {
        // What it prints may have a secret, except for the one message that all helpers share.
        let text = String::from_utf8_lossy(&answer);
        return match text.trim() {
            "credentials not found in native keychain" => Ok(None),
            _ => Err(failed("it failed".to_owned())),
        };
    }
    let answer: Answer = serde_json::from_slice(&answer)
        .map_err(|_| failed("it does not print a login as JSON".to_owned()))?;
    Ok(match answer.username.as_str() {
        _ if answer.secret.is_empty() => None,
        "<token>" => Some(Login::Identity(answer.secret)),
        _ => Some(Login::Basic {
            name: answer.username,
            password: answer.secret,
        }),
    })
}

/// Whether the helper succeeded. A helper that hangs is ended.
fn wait(child: &mut Child) -> Result<bool, String> {
    let end = Instant::now() + MOST;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.success()),
            Ok(None) if Instant::now() < end => thread::sleep(Duration::from_millis(5)),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("it took longer than {} seconds", MOST.as_secs()));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}
