//! Puts a program together from the optimizer's results, in a separate process.
//!
//! For a hostile program, the optimizer's result is hostile too. Validating the result, putting it
//! back into its component and validating the component takes time and memory that grow faster than
//! its length.

use std::ffi::OsString;

use serde::{Deserialize, Serialize};

use crate::wasm::finish::{self, finish};
use crate::wasm::last_steps::LastSteps;
use crate::wasm::optimize::{self, Parts, assemble};
use crate::worker::deadline::Deadline;
use crate::worker::wire::{Reader, Writer};
use crate::worker::{self, StageError, Worker, WorkerError, WorkerStage};
use crate::{Finished, Returned};

/// The process that puts programs together: a program that calls [`assembler_worker`].
#[derive(Clone, Debug)]
pub struct Assembler {
    /// How the process is started. Its memory is for one program.
    pub worker: Worker,
}

/// The maximum length of an answer, in bytes (2 GiB): longer than any program, with and without
/// names.
const MAX_ANSWER_LEN: u64 = 2 << 30;
const DONE: u8 = 0;

/// A task. The bytes follow.
#[derive(Serialize, Deserialize)]
struct Task {
    parts: optimize::Head,
    last: LastSteps,
}

impl Assembler {
    /// Puts a program together, and takes its last steps. Results of the optimizer that are invalid
    /// are not used.
    ///
    /// # Errors
    ///
    /// [`StageError`].
    pub fn assemble(
        &self,
        returned: Returned,
        last: LastSteps,
        deadline: Deadline,
    ) -> Result<Finished, StageError> {
        let Returned(parts) = returned;
        let mut out = Writer::new(&[]);
        let parts = parts.write(&mut out);
        let message = out.message(&Task { parts, last });
        let failed = |error: WorkerError| StageError::new(WorkerStage::Assemble, error);
        let message = message.map_err(|error| failed(error.into()))?.concat();
        let question = self.worker.question(&[], &message);
        if let Some(finished) = question.recall().and_then(|kept| understand(&kept)) {
            return Ok(finished);
        }
        let answer = self.worker.ask(&[], &message, MAX_ANSWER_LEN, deadline);
        let answer = answer.map_err(failed)?;
        question.keep(&answer, DONE);
        drop(message);
        understand(&answer).ok_or_else(|| failed(WorkerError::no_answer(&answer)))
    }
}

fn understand(answer: &[u8]) -> Option<Finished> {
    match answer.split_first() {
        Some((&DONE, rest)) => {
            let (head, mut from) = Reader::new(rest, &[])?;
            Finished::read(head, &mut from)
        }
        _ => None,
    }
}

/// The worker process: reads a program and the optimizer's results from standard input, and answers
/// on standard output.
///
/// # Errors
///
/// The arguments or the streams are invalid: edgec did not start this process.
pub fn assembler_worker(arguments: impl IntoIterator<Item = OsString>) -> Result<(), String> {
    worker::answer::begin_with(arguments)?;
    worker::answer(DONE, &reply(&worker::input()?)?)
}

/// The parts of an answer.
fn reply(message: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let (task, mut from) = Reader::new::<Task>(message, &[]).ok_or_else(worker::usage)?;
    let parts = Parts::read(task.parts, &mut from).ok_or_else(worker::usage)?;
    let finished = finish(assemble(parts), task.last);
    let mut out = Writer::new(&[]);
    let head: finish::Head = finished.write(&mut out);
    out.message(&head).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::wasm::optimize::plan;
    use crate::worker::tests::{long, script, short};
    use crate::{Flatten, Level, ModuleOutcome, PruneImports, Reads, Steps, validate};

    const LAST: LastSteps = LastSteps {
        order: false,
        bare: true,
    };
    const TEXT: &str = r#"(component (import "unused" (func))
        (core module (func $named)) (core module))"#;

    /// A program for which the optimizer returns `output` instead of its first module, and the
    /// second module unchanged.
    fn returned(output: &[u8]) -> Returned {
        let program = validate(wat::parse_str(TEXT).unwrap()).unwrap();
        let steps = Steps {
            level: Level::O2,
            flatten: Flatten::Merge,
            prune_imports: PruneImports::Unused,
            reads: Reads::Binaryen116,
            spared: BTreeSet::new(),
            last: LAST,
        };
        let mut parts = plan(program, &steps);
        let first = parts.modules.first_mut().unwrap();
        first.as_mut().unwrap().bytes = output.to_vec();
        Returned(parts)
    }

    fn through_processes(returned: Returned) -> Finished {
        let mut out = Writer::new(&[]);
        let parts = returned.0.write(&mut out);
        let message = out.message(&Task { parts, last: LAST });
        let answer = reply(&message.unwrap().concat()).unwrap().concat();
        understand(&[vec![DONE], answer].concat()).unwrap()
    }

    /// The process gives the same answer as this process.
    #[test]
    fn a_program_is_the_same_in_both_processes() {
        let empty = wat::parse_str("(module)").unwrap();
        let longer = format!("(module (func {}))", "nop ".repeat(100));
        let longer = wat::parse_str(longer).unwrap();
        for output in [&empty[..], &longer, b"", b"rubbish"] {
            let here = assemble(returned(output).0);
            let here = finish(here, LAST);
            let there = through_processes(returned(output));
            let (one, other) = (&here.optimized, &there.optimized);
            assert_eq!(one.component.bytes(), other.component.bytes());
            assert_eq!(one.component.features(), other.component.features());
            assert_eq!(one.modules, other.modules);
            assert_eq!(one.shared, other.shared);
            assert_eq!(one.flattened, other.flattened);
            assert_eq!(one.imports_removed, BTreeSet::from(["unused".to_owned()]));
            assert_eq!(one.imports_removed, other.imports_removed);
            assert_eq!(one.not_pruned, other.not_pruned);
            assert_eq!(here.interface, there.interface);
            assert_eq!(here.resources, there.resources);
            assert_eq!(here.named.is_some(), there.named.is_some());
            let kept = matches!(one.modules.first().unwrap().outcome, ModuleOutcome::Kept(_));
            assert_eq!(kept, output != empty);
        }
    }

    #[test]
    fn each_end_of_the_process_has_an_error() {
        let run_until = |text: &str, deadline| {
            let assembler = Assembler {
                worker: script(text),
            };
            let failed = assembler.assemble(returned(b""), LAST, deadline);
            failed.unwrap_err()
        };
        let run = |text: &str| run_until(text, long());
        let full = run("echo memory allocation of 9 bytes failed >&2; kill -ABRT $$");
        assert!(matches!(
            full.error,
            WorkerError::Memory { mebibytes: 1024 }
        ));
        let crash = run("echo oh no >&2; kill -SEGV $$");
        assert!(crash.to_string().contains("oh no"), "{crash}");
        for nothing in ["true", "printf '\\000'", "printf '\\001'", "echo '?'"] {
            let error = run(nothing);
            assert!(matches!(error.error, WorkerError::Crash { .. }), "{error}");
        }
        let disk = run("echo disk full >&2; exit 1");
        assert!(matches!(disk.error, WorkerError::Machine(_)), "{disk}");
        let hang = run_until("sleep 600", short());
        assert!(matches!(hang.error, WorkerError::Timeout { .. }), "{hang}");
    }
}
