//! One build, in a process of its own.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use edgec_builder::WorkerProgram;

use super::key::Trusted;
use crate::failure::{Exit, Failure};

/// The code of a build that failed. Its process has printed why.
pub(super) const CODE: &str = "build-failed";

/// What all builds have in common.
pub(super) struct Builder {
    program: PathBuf,
    input: PathBuf,
    /// The options of every build.
    options: Vec<OsString>,
}

impl Builder {
    /// A builder of `input` for this machine. `more` are options of `edgec build` from the user;
    /// they come last, so that they win.
    pub(super) fn new(
        input: &Path,
        name: &str,
        trusted: &Trusted,
        more: &[String],
    ) -> Result<Self, Failure> {
        let program = WorkerProgram::this();
        let program = program.map_err(|error| Failure::environment("worker", &error))?;
        let fixed = ["--quiet", "--profile", "edge", "--target"];
        let mut options: Vec<OsString> = fixed.into_iter().map(OsString::from).collect();
        options.push(std::env::consts::ARCH.into());
        options.extend(["--name".into(), name.into()]);
        // No audit: this machine serves only the user's own programs, and only to itself.
        options.push("--no-self-audit".into());
        // A second `-O` would be an error.
        if !more.iter().any(|option| option.starts_with("-O")) {
            options.push("-O0".into());
        }
        options.extend(trusted.options());
        options.extend(more.iter().map(OsString::from));
        Ok(Self {
            program: program.path().to_owned(),
            input: input.to_owned(),
            options,
        })
    }

    /// Builds the file as it is now, as this version, into `artifact`. The process prints warnings
    /// and errors itself.
    pub(super) fn build(&self, version: u64, artifact: &Path) -> Result<(), Failure> {
        let mut command = Command::new(&self.program);
        command.arg("build").args(&self.options);
        command.arg("--app-version").arg(version.to_string());
        command.arg("--output").arg(artifact);
        // A name that begins with a dash is not an option.
        command.arg("--").arg(&self.input);
        command.stdin(Stdio::null());
        let ended = command.status();
        let ended = ended.map_err(|error| Failure::environment("worker", &error))?;
        let exit = match ended.code() {
            Some(0) => return Ok(()),
            Some(2) => Exit::Usage,
            Some(3) => Exit::Environment,
            _ => Exit::Rejected,
        };
        Err(Failure::new(exit, CODE, "the program was not built")
            .in_file(&self.input)
            .hint("the lines above say why"))
    }
}
