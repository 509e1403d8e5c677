//! Starts programs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Outcome;

/// Variables that would change the results of tests and scripts.
const UNWANTED: [&str; 6] = [
    "EDGEC_KEY",
    "EDGEC_PASSPHRASE",
    "EDGEC_PKCS11_PIN",
    "EDGEC_STORE",
    "EDGEC_TRUST_STATE",
    "SOURCE_DATE_EPOCH",
];

/// The root of the repository, which cargo names for this program.
pub(crate) fn repository() -> PathBuf {
    let compiled = || OsString::from(env!("CARGO_MANIFEST_DIR"));
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(compiled);
    let package = PathBuf::from(package);
    package.parent().map(Path::to_owned).unwrap_or_default()
}

/// A file of the repository.
///
/// # Errors
///
/// If the file cannot be read.
pub(crate) fn read(path: &str) -> Result<String, String> {
    std::fs::read_to_string(repository().join(path)).map_err(|error| format!("{path}: {error}"))
}

/// A program that runs in the root of the repository. A path is relative to the repository.
pub(crate) fn command(program: &str) -> Command {
    let mut command = match program.contains('/') {
        true => Command::new(repository().join(program)),
        false => Command::new(program),
    };
    command.current_dir(repository());
    for variable in UNWANTED {
        command.env_remove(variable);
    }
    command
}

/// The cargo that started this program.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = command(&cargo);
    command.args(arguments);
    command
}

/// Runs a command to its end.
///
/// # Errors
///
/// If it does not succeed.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let status = command.status();
    let status = status.map_err(|error| format!("{}: {error}", shown(command)))?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{}: {status}", shown(command))),
    }
}

/// Whether a command succeeds. It prints nothing, because it is allowed to fail.
pub(crate) fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let status = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// The folder in which cargo builds.
///
/// # Errors
///
/// If cargo does not name it.
pub(crate) fn target_folder() -> Result<PathBuf, String> {
    let mut metadata = cargo(&["metadata", "--no-deps", "--format-version", "1"]);
    let output = metadata
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("{}: {error}", shown(&metadata)))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let folder = text
        .split_once("\"target_directory\":\"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .map(|(folder, _)| PathBuf::from(folder.replace("\\\\", "\\")));
    folder.ok_or_else(|| format!("{} names no target folder", shown(&metadata)))
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}
