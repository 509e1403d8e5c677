//! Compiles in a separate process.
//!
//! Cranelift's time and memory grow faster than its input. For example, 2,000 nested loops that
//! each keep a variable take gigabytes, from 20 KB of WebAssembly. No limit on the form of programs
//! covers every such case and accepts all real programs. So the process is limited instead. It also
//! strips and trims the image, because that decodes the compiler's output with the engine's types.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use edgec_targets::Target;

use crate::native::compiler_worker::{
    CODE_OF, IMAGE_OF, REFUSED, SETTINGS, UNSTRIPPED, WITH_DATA, understand,
};
use crate::native::kept_functions::{self, IMAGE, MAX_ANSWER_LEN, without_pack};
use crate::native::precompile::image_of;
use crate::worker::deadline::Deadline;
use crate::worker::parallel::{AtWork, map_at_once, workers_at_once};
use crate::worker::{self, StageError, Worker, WorkerError, WorkerStage};
use crate::{DebugSections, EngineProfile, NativeImage, PrecompileError, ValidComponent};

/// The process that compiles: a program that calls [`crate::compiler_worker`].
#[derive(Clone, Debug)]
pub struct CompilerProcess {
    /// How the process is started. Its memory is for one program and target.
    pub worker: Worker,
    /// Whose compiled functions are kept for each other, if the worker's answers are kept: those of
    /// one application. A process that a hostile program has taken over could write any of them.
    pub functions: Option<String>,
}

/// Native code without the parts that only debugging needs.
#[derive(Debug)]
pub struct Stripped {
    /// The code.
    pub image: NativeImage,
    /// The parts that debugging needs.
    pub debug_sections: DebugSections,
    /// How long the process ran, apart from stripping and trimming.
    pub compiling: Duration,
    /// How long stripping and trimming took.
    pub stripping: Duration,
}

impl CompilerProcess {
    /// Compiles a program for one target and profile, as [`crate::precompile()`] does, and strips
    /// and trims the image, before `deadline`. `bare` is the same program without its data, if it
    /// is known. Then the compiler gets that one, if the worker's answers are kept, and another
    /// process adds the data.
    ///
    /// # Errors
    ///
    /// [`PrecompileError`].
    pub fn precompile(
        &self,
        program: &ValidComponent,
        bare: Option<&ValidComponent>,
        target: &'static Target,
        profile: EngineProfile,
        deadline: Deadline,
    ) -> Result<Stripped, PrecompileError> {
        let begin = Instant::now();
        let features = program.features().bits().to_string();
        let arguments = [target.id, profile.name(), program.kind().name(), &features];
        let question = self.worker.question_about(&arguments, program);
        let image = |answer| stripped(answer, program, target, profile);
        if let Some(Ok(mut known)) = question.recall().map(image) {
            known.compiling = begin.elapsed();
            return Ok(known);
        }
        let bare = bare.filter(|_| self.worker.answers.is_some());
        let whole = bare.and_then(|bare| self.with_data(program, bare, arguments, deadline));
        let answer = match whole {
            Some(answer) => answer,
            None => self
                .ask(program, arguments, IMAGE_OF, deadline)
                .map_err(|error| failed(error, target.id))?,
        };
        question.keep(&answer, IMAGE);
        let answer = match image(answer) {
            Ok(mut stripped) => {
                stripped.compiling = begin.elapsed().saturating_sub(stripped.stripping);
                return Ok(stripped);
            }
            Err(answer) => answer,
        };
        match answer.split_first() {
            Some((&SETTINGS, reason)) => {
                return Err(PrecompileError::Settings {
                    target: target.id,
                    reason: worker::text(reason),
                });
            }
            Some((&REFUSED, reason)) => {
                return Err(PrecompileError::Compile {
                    target: target.id,
                    reason: worker::text(reason),
                });
            }
            Some((&UNSTRIPPED, reason)) => {
                return Err(PrecompileError::Unstripped {
                    target: target.id,
                    reason: worker::text(reason),
                });
            }
            _ => {}
        }
        Err(failed(WorkerError::no_answer(&answer), target.id))
    }

    /// The answer to a question about a program.
    fn ask(
        &self,
        program: &ValidComponent,
        arguments: [&str; 4],
        task: &str,
        deadline: Deadline,
    ) -> Result<Vec<u8>, WorkerError> {
        let asked = [&arguments[..], &[task]].concat();
        let scope = self.functions.as_deref();
        kept_functions::ask(&self.worker, scope, &asked, program.bytes(), deadline)
    }

    /// The answer for a program, made of the code of the same program without its data. All
    /// programs that differ only in their data have the same code, so it may be kept. `None` if
    /// anything fails: then the whole program is compiled.
    fn with_data(
        &self,
        program: &ValidComponent,
        bare: &ValidComponent,
        arguments: [&str; 4],
        deadline: Deadline,
    ) -> Option<Vec<u8>> {
        let of_code = [&arguments[..], &[CODE_OF]].concat();
        let question = self.worker.question_about(&of_code, bare);
        let code = match question.recall() {
            Some(code) => code,
            None => {
                let code = self.ask(bare, arguments, CODE_OF, deadline).ok()?;
                question.keep(&code, IMAGE);
                code
            }
        };
        if code.first() != Some(&IMAGE) {
            return None;
        }
        let input = [program.bytes(), &code].concat();
        drop(code);
        let length = program.bytes().len().to_string();
        let asked = [&arguments[..], &[WITH_DATA, &length]].concat();
        let answer = self.worker.ask(&asked, &input, MAX_ANSWER_LEN, deadline);
        let (answer, _) = without_pack(answer.ok()?);
        (answer.first() == Some(&IMAGE)).then_some(answer)
    }

    /// Compiles a program for several targets, as [`precompile`](Self::precompile) does for one.
    /// For a small program, compiles for several targets at a time. Calls `progress` with all
    /// current targets whenever these change. The images have the order of the targets.
    ///
    /// # Errors
    ///
    /// The [`PrecompileError`] of the first target that failed.
    pub fn precompile_all(
        &self,
        program: &ValidComponent,
        bare: Option<&ValidComponent>,
        targets: &[&'static Target],
        profile: EngineProfile,
        deadline: Deadline,
        progress: impl Fn(&[&'static Target]) + Sync + Send,
    ) -> Result<Vec<Stripped>, PrecompileError> {
        let workers = workers_at_once(program.bytes().len(), targets.len());
        // All of them together get the memory of one.
        let mut share = self.clone();
        share.worker.memory /= workers as u64;
        let at_work = AtWork::new(|numbers: &BTreeSet<usize>| {
            let named = numbers.iter().filter_map(|number| targets.get(*number));
            let named: Vec<&'static Target> = named.copied().collect();
            progress(&named);
        });
        let one = |compiler: &Self, number: usize, target: &'static Target| {
            at_work.during(number, || {
                compiler.precompile(program, bare, target, profile, deadline)
            })
        };
        let failed = AtomicBool::new(false);
        let images = map_at_once(workers, targets, |number, target| {
            // After a failure, no more images are needed.
            if failed.load(Ordering::Relaxed) {
                return None;
            }
            let image = one(&share, number, target);
            failed.fetch_or(image.is_err(), Ordering::Relaxed);
            Some(image)
        });
        let images = images.into_iter().zip(targets).enumerate();
        let images = images.map(|(number, (image, target))| match image {
            Some(Err(error)) if workers == 1 || error.is_final() => Err(error),
            Some(Ok(image)) => Ok(image),
            // It did not start, was killed, or lacked what the others used. Now it runs alone, with
            // the whole machine.
            Some(Err(_)) | None => one(self, number, target),
        });
        images.collect()
    }
}

pub(super) fn failed(error: WorkerError, target: &'static str) -> PrecompileError {
    StageError::new(WorkerStage::Compile { target }, error).into()
}

/// The image in an answer, without the time that it took. Otherwise the answer, unchanged.
fn stripped(
    mut answer: Vec<u8>,
    program: &ValidComponent,
    target: &'static Target,
    profile: EngineProfile,
) -> Result<Stripped, Vec<u8>> {
    let Some((&IMAGE, rest)) = answer.split_first() else {
        return Err(answer);
    };
    let Some((head, debug_sections, length)) = understand(rest) else {
        return Err(answer);
    };
    // The image remains in the same buffer, so there is no second copy of it.
    answer.drain(..answer.len().saturating_sub(length));
    let hash = head.compatibility_hash;
    Ok(Stripped {
        image: image_of(answer, program, target, profile, hash),
        debug_sections,
        compiling: Duration::ZERO,
        stripping: head.stripping,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::tests::{long, script, short};

    fn run_until(worker: Worker, deadline: Deadline) -> PrecompileError {
        let process = CompilerProcess {
            worker,
            functions: None,
        };
        let program = crate::validate(wat::parse_str("(component)").unwrap()).unwrap();
        let target = edgec_targets::find("x86_64").unwrap();
        process
            .precompile(&program, None, target, EngineProfile::Default, deadline)
            .unwrap_err()
    }

    fn run(worker: Worker) -> PrecompileError {
        run_until(worker, long())
    }

    #[test]
    fn each_end_of_the_process_has_an_error() {
        let worker_error = |error: PrecompileError| match error {
            PrecompileError::Worker(StageError { error, .. }) => error,
            error => panic!("{error}"),
        };
        let hang = run_until(script("sleep 600"), short());
        assert!(hang.is_final());
        let hang = worker_error(hang);
        assert!(matches!(hang, WorkerError::Timeout { .. }), "{hang}");
        let full = run(script(
            "echo memory allocation of 9 bytes failed >&2; kill -ABRT $$",
        ));
        assert!(!full.is_final());
        let says = "compiling this program for `x86_64` needs more than 1024 MiB of memory";
        assert_eq!(full.to_string(), says);
        let crash = run(script("echo oh no >&2; kill -SEGV $$"));
        assert!(crash.to_string().contains("SIGSEGV"), "{crash}");
        assert!(crash.to_string().contains("oh no"), "{crash}");
        for nothing in ["true", "printf '\\0short'", "echo '?'"] {
            let error = worker_error(run(script(nothing)));
            assert!(matches!(error, WorkerError::Crash { .. }), "{error}");
        }
        let refused = run(script("printf '\\002no'"));
        assert!(refused.to_string().ends_with(": no"), "{refused}");
        let unstripped = run(script("printf '\\003no'"));
        assert!(unstripped.to_string().ends_with(": no"), "{unstripped}");
        let settings = run(script("printf '\\001no'"));
        assert!(matches!(settings, PrecompileError::Settings { .. }));
        let full = worker_error(run(script("echo disk full >&2; exit 1")));
        assert!(matches!(full, WorkerError::Machine(_)), "{full}");
    }
}
