//! The processes that are started for what may crash or hang.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use edgec_compiler::{BINARYEN_VERSION, Optimizer, Reads, Worker};

use crate::failure::Failure;
use crate::{OPTIMIZER_WORKER, secrets};

/// The Binaryen in this program, in a process of its own, or the program that was named.
pub(crate) fn optimizer(
    program: Option<PathBuf>,
    timeout: Duration,
    memory: u64,
) -> Result<Optimizer, Failure> {
    let Some(program) = program else {
        return Ok(Optimizer {
            program: std::env::current_exe().map_err(|error| failure(&error))?,
            arguments: vec![OPTIMIZER_WORKER.into(), memory.to_string().into()],
            tool: "binaryen".to_owned(),
            version: BINARYEN_VERSION.to_owned(),
            timeout,
            reads: Reads::Binaryen116,
        });
    };
    let output = std::process::Command::new(&program)
        .arg("--version")
        .env_remove(secrets::PASSPHRASE_VARIABLE)
        .env_remove(secrets::PIN_VARIABLE)
        .output();
    let version = match output {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        Ok(output) => {
            let message = format!("`--version` ended with {}", output.status);
            let error = std::io::Error::other(message);
            return Err(Failure::environment("optimizer", &error).about(program.display()));
        }
        Err(error) => {
            return Err(Failure::environment("optimizer", &error).about(program.display()));
        }
    };
    Ok(Optimizer {
        program,
        arguments: Vec::new(),
        tool: "wasm-opt".to_owned(),
        version,
        timeout,
        reads: Reads::Everything,
    })
}

/// This program as a worker, by the verb that makes it one.
pub(crate) fn worker(verb: &str, timeout: Duration, memory: u64) -> io::Result<Worker> {
    Ok(Worker {
        program: std::env::current_exe()?,
        arguments: vec![verb.into()],
        timeout,
        memory,
    })
}

/// This program is not to be found.
pub(crate) fn failure(error: &io::Error) -> Failure {
    Failure::environment("worker", error)
}
