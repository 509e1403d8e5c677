//! A worker that becomes the user's program: an external `wasm-opt`.
//!
//! It limits itself and puts up the walls as every worker does, and then executes the program. So
//! the streams, the exit code and the signal that ends it belong to the program.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::worker::said::NO_PROGRAM;
use crate::worker::walls;
use crate::worker::{self, WorkerLimits};

/// The worker process: reads its `WorkerLimits`, the program and the program's arguments, and
/// becomes that program.
///
/// # Errors
///
/// Why it did not become the program. Otherwise it does not return.
pub fn launcher_worker(arguments: impl IntoIterator<Item = OsString>) -> Result<(), String> {
    let mut arguments = arguments.into_iter();
    let limits = arguments.next();
    let limits = limits.and_then(|text| WorkerLimits::of(text.to_str()?));
    let (Some(limits), Some(program)) = (limits, arguments.next()) else {
        return Err(worker::usage());
    };
    let program = found(PathBuf::from(program));
    worker::begin_behind(limits, || walls::enter_around(&program))?;
    let mut command = Command::new(program);
    Err(become_program(command.args(arguments)))
}

/// The path of a name without a folder, which is in a folder of `PATH`. This searches before the
/// walls stand, and names the file that they must let through.
fn found(program: PathBuf) -> PathBuf {
    if program.parent() != Some(Path::new("")) {
        return program;
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders)
        .map(|folder| folder.join(&program))
        .find(|file| can_run(file));
    found.unwrap_or(program)
}

#[cfg(unix)]
fn can_run(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let found = file.metadata();
    found.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(unix)]
fn become_program(command: &mut Command) -> String {
    use std::os::unix::process::CommandExt as _;
    format!("{NO_PROGRAM}: {}", command.exec())
}

#[cfg(not(unix))]
fn can_run(file: &Path) -> bool {
    file.is_file()
}

#[cfg(not(unix))]
fn become_program(_: &mut Command) -> String {
    format!("{NO_PROGRAM}: this system does not let one take the place of another")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_as_it_is_and_a_name_is_looked_for() {
        for path in ["./sh", "/no/such", "a/b"] {
            assert_eq!(found(path.into()), Path::new(path));
        }
        assert_eq!(
            found("no-such-program".into()),
            Path::new("no-such-program")
        );
        #[cfg(unix)]
        assert!(found("sh".into()).ends_with("sh") && found("sh".into()).is_absolute());
    }

    #[test]
    fn other_arguments_are_refused() {
        for wrong in [&[][..], &["1000000000"], &["much", "/bin/true"]] {
            let wrong = wrong.iter().map(OsString::from);
            assert_eq!(launcher_worker(wrong), Err(worker::usage()));
        }
    }
}
