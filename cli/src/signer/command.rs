//! A program that signs: `--signer 'COMMAND'`.
//!
//! The program reads the bytes to sign from its standard input, and writes 64 bytes, or their
//! base64, to its standard output. Its standard error goes to the user. The words of the command
//! are the program and its arguments. Quotes group words as in a shell; edgec does nothing else
//! that a shell does.

use std::io::{self, Read as _, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::signature::{not_a_signature, signature};
use edgec_artifact::Algorithm;

use crate::failure::{Exit, Failure};
use crate::failures::machine::no_thread;
use crate::secrets;

/// How long a program may take without `--signer-timeout`, in seconds: long enough for a person to
/// touch a token.
const DEFAULT_TIMEOUT: u64 = 60;
/// How much of the program's output is read, in bytes.
const MAX_OUTPUT: u64 = 8192;

/// A program, its arguments, and its time limit.
pub(super) struct CommandSigner {
    program: String,
    arguments: Vec<String>,
    timeout: u64,
}

impl CommandSigner {
    pub(super) fn new(line: &str, timeout: Option<u64>) -> Result<Self, Failure> {
        let mut words = shlex::split(line)
            .ok_or_else(|| {
                Failure::usage("signer", "a quotation mark is not closed").about("--signer")
            })?
            .into_iter();
        let program = words.next().filter(|program| !program.is_empty());
        let program = program
            .ok_or_else(|| Failure::usage("signer", "no program is named").about("--signer"))?;
        Ok(Self {
            program,
            arguments: words.collect(),
            timeout: timeout.unwrap_or(DEFAULT_TIMEOUT),
        })
    }

    /// The signature that the program returns. The caller checks which key made it.
    pub(super) fn sign(&self, message: &[u8], algorithm: Algorithm) -> Result<Vec<u8>, Failure> {
        let failed = |error: io::Error| Failure::environment("signer", &error).about(&self.program);
        let deadline = Instant::now() + Duration::from_secs(self.timeout);
        let mut command = Command::new(&self.program);
        let mut child = secrets::without_secrets(command.args(&self.arguments))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        // Writes and reads at the same time: a program may answer before it has read everything, or
        // never.
        let mut started = Ok(());
        if let Some(mut input) = child.stdin.take() {
            let message = message.to_vec();
            // If a program does not read everything, only its answer counts.
            let write = move || drop(input.write_all(&message));
            started = thread::Builder::new().spawn(write).map(drop);
        }
        let (sender, receiver) = mpsc::channel();
        if let Some(output) = child.stdout.take() {
            let read = move || {
                let mut bytes = Vec::new();
                let read = output.take(MAX_OUTPUT + 1).read_to_end(&mut bytes);
                // If the time is over, the receiver no longer exists.
                drop(sender.send(read.map(|_| bytes)));
            };
            started = started.and_then(|()| thread::Builder::new().spawn(read).map(drop));
        }
        if let Err(error) = started {
            stop(&mut child).map_err(failed)?;
            return Err(no_thread(error));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok(output) = receiver.recv_timeout(left) else {
            stop(&mut child).map_err(failed)?;
            return Err(self.too_slow());
        };
        let output = output.map_err(failed)?;
        if output.len() as u64 > MAX_OUTPUT {
            stop(&mut child).map_err(failed)?;
            let message = format!("more than {MAX_OUTPUT} bytes are not a signature");
            return Err(Failure::new(Exit::Rejected, "bad-signature", message).about(&self.program));
        }
        let Some(status) = wait(&mut child, deadline).map_err(failed)? else {
            return Err(self.too_slow());
        };
        if !status.success() {
            let error = io::Error::other(format!("the signer failed: {status}"));
            return Err(failed(error));
        }
        signature(&output, algorithm)
            .ok_or_else(|| not_a_signature(&output, algorithm).about(&self.program))
    }

    fn too_slow(&self) -> Failure {
        let message = format!("no signature within {} s", self.timeout);
        Failure::environment(
            "signer-timeout",
            &io::Error::new(io::ErrorKind::TimedOut, message),
        )
        .about(&self.program)
        .hint("--signer-timeout gives it more time")
    }
}

/// Waits for the end of a process. At the deadline, kills it and returns `None`. Does not kill
/// processes that the process itself started.
fn wait(child: &mut Child, deadline: Instant) -> io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            stop(child)?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(2));
    }
}

fn stop(child: &mut Child) -> io::Result<()> {
    child.kill()?;
    child.wait().map(drop)
}
