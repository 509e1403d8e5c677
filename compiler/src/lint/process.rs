//! Runs the lint in a separate process. A hostile program can make the engine's front end build
//! memory images of gigabytes, and a hostile image can make its decoder ask for as much memory.

use std::ffi::OsString;

use super::{Finding, image, program};
use crate::worker::deadline::Deadline;
use crate::worker::kept::Asked;
use crate::worker::{self, ReadError, Worker};
use crate::{ProgramKind, ValidComponent};

/// The process that lints: a program that calls [`lint_worker`].
#[derive(Clone, Debug)]
pub struct LintProcess {
    /// How the process is started.
    pub worker: Worker,
}

/// The maximum length of an answer, in bytes (4 MiB). It has room for 1,000 core modules, which is
/// the maximum of a program, with all findings and the longest names for each.
const MAX_ANSWER_LEN: u64 = 4 << 20;

impl LintProcess {
    /// The findings for a program, with their causes.
    ///
    /// # Errors
    ///
    /// [`ReadError`].
    pub fn program(
        &self,
        program: &ValidComponent,
        deadline: Deadline,
    ) -> Result<Vec<Finding>, ReadError> {
        let arguments = ["program", program.kind().name()];
        let asked = self.worker.question_about(&arguments, program);
        self.run(&asked, &arguments, program.bytes(), deadline)
    }

    /// The findings for an image of this version, from the bytes of its section `.wasmtime.info`,
    /// which may be unverified.
    ///
    /// # Errors
    ///
    /// [`ReadError`].
    pub fn image(
        &self,
        info: &[u8],
        kind: ProgramKind,
        deadline: Deadline,
    ) -> Result<Vec<Finding>, ReadError> {
        let arguments = ["image", kind.name()];
        let asked = self.worker.question(&arguments, info);
        self.run(&asked, &arguments, info, deadline)
    }

    fn run(
        &self,
        question: &Asked<'_>,
        arguments: &[&str],
        input: &[u8],
        deadline: Deadline,
    ) -> Result<Vec<Finding>, ReadError> {
        if let Some(Ok(findings)) = question.recall().map(|kept| worker::read(&kept)) {
            return Ok(findings);
        }
        let answer = self
            .worker
            .ask(arguments, input, MAX_ANSWER_LEN, deadline)?;
        let findings = worker::read(&answer)?;
        question.keep_whole(&answer);
        Ok(findings)
    }
}

/// The worker process: reads the arguments of [`LintProcess`], and a program or the description of
/// an image from standard input, and answers on standard output.
///
/// # Errors
///
/// The arguments or the streams are invalid: edgec did not start this process.
pub fn lint_worker(arguments: impl IntoIterator<Item = OsString>) -> Result<(), String> {
    let [what, kind] = worker::arguments(arguments)?;
    let kind = ProgramKind::named(&kind).ok_or_else(worker::usage)?;
    let bytes = worker::input()?;
    let findings = match what.as_str() {
        "program" => program::lint(&bytes, kind),
        "image" => image::lint(&bytes, kind),
        _ => return Err(worker::usage()),
    };
    worker::answer_read(findings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::WorkerError;
    use crate::worker::tests::{long, script, short};

    fn run_until(worker: Worker, deadline: Deadline) -> ReadError {
        let process = LintProcess { worker };
        process
            .image(b"", ProgramKind::Module, deadline)
            .unwrap_err()
    }

    fn run(worker: Worker) -> ReadError {
        run_until(worker, long())
    }

    #[test]
    fn each_end_of_the_process_has_an_error() {
        let hang = run_until(script("sleep 600"), short());
        assert!(
            matches!(hang, ReadError::Worker(WorkerError::Timeout { .. })),
            "{hang}"
        );
        let full = run(script(
            "echo memory allocation of 9 bytes failed >&2; kill -ABRT $$",
        ));
        assert_eq!(full.to_string(), "it needs more than 1024 MiB of memory");
        let crash = run(script("echo oh no >&2; kill -SEGV $$"));
        assert!(crash.to_string().contains("SIGSEGV"), "{crash}");
        assert!(crash.to_string().contains("oh no"), "{crash}");
        for nothing in ["true", "printf '\\000\\377'", "echo '?'"] {
            let error = run(script(nothing));
            assert!(
                matches!(error, ReadError::Worker(WorkerError::Crash { .. })),
                "{error}"
            );
        }
        let refused = run(script("printf '\\001no'"));
        assert!(refused.to_string().ends_with(": no"), "{refused}");
        let disk = run(script("echo disk full >&2; exit 1"));
        assert!(
            matches!(disk, ReadError::Worker(WorkerError::Machine(_))),
            "{disk}"
        );
    }
}
