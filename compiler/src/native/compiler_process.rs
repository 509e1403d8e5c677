//! Compiles in a separate process.
//!
//! Cranelift's time and memory grow faster than its input. For example, 2,000 nested loops that
//! each keep a variable take gigabytes, from 20 KB of WebAssembly. No limit on the form of programs
//! covers every such case and accepts all real programs. So the process is limited instead. It also
//! strips and trims the image, because that decodes the compiler's output with the engine's types.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use edgec_targets::Target;
use serde::{Deserialize, Serialize};
use wasmparser::WasmFeatures;

use crate::image::strip;
use crate::native::kept_functions::{self, IMAGE};
use crate::native::precompile::{image_of, precompile_with};
use crate::worker::deadline::Deadline;
use crate::worker::parallel::{AtWork, map_at_once, workers_at_once};
use crate::worker::threads;
use crate::worker::wire::{Place, Reader, Writer};
use crate::worker::{self, StageError, Worker, WorkerError, WorkerStage};
use crate::{
    DebugSections, EngineProfile, NativeImage, PrecompileError, ProgramKind, ValidComponent,
};

/// The process that compiles: a program that calls [`compiler_worker`].
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

/// The head of an answer. The rest and the image follow.
#[derive(Serialize, Deserialize)]
pub(super) struct Head {
    compatibility_hash: [u8; 32],
    pub(super) stripping: Duration,
    sections: strip::Head,
    image: Place,
}

impl Head {
    /// The length of the image at the end of an answer, in bytes. `None` if it is not there.
    pub(super) fn image_len(&self) -> Option<u64> {
        match self.image {
            Place::Follow(length) => Some(length),
            Place::Input => None,
        }
    }
}

const SETTINGS: u8 = 1;
const REFUSED: u8 = 2;
const UNSTRIPPED: u8 = 3;

impl CompilerProcess {
    /// Compiles a program for one target and profile, as [`crate::precompile()`] does, and strips
    /// and trims the image, before `deadline`.
    ///
    /// # Errors
    ///
    /// [`PrecompileError`].
    pub fn precompile(
        &self,
        program: &ValidComponent,
        target: &'static Target,
        profile: EngineProfile,
        deadline: Deadline,
    ) -> Result<Stripped, PrecompileError> {
        let begin = Instant::now();
        let features = program.features().bits().to_string();
        let arguments = [target.id, profile.name(), program.kind().name(), &features];
        let question = self.worker.question(&arguments, program.bytes());
        let image = |answer| stripped(answer, program, target, profile);
        if let Some(Ok(mut known)) = question.recall().map(image) {
            known.compiling = begin.elapsed();
            return Ok(known);
        }
        let scope = self.functions.as_deref();
        let answer = kept_functions::ask(&self.worker, scope, arguments, program.bytes(), deadline)
            .map_err(|error| failed(error, target.id))?;
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
                compiler.precompile(program, target, profile, deadline)
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

/// The head of an answer, the debug sections, and the length of the image after them.
fn understand(answer: &[u8]) -> Option<(Head, DebugSections, usize)> {
    let (head, mut from) = Reader::new::<Head>(answer, &[])?;
    let sections = DebugSections::read(&head.sections, &mut from)?;
    let length = from.rest().len();
    match head.image {
        Place::Follow(image) if image == length as u64 => Some((head, sections, length)),
        _ => None,
    }
}

/// The parts of the answer for an image, and the functions for the next compilation.
pub(super) fn reply(
    mut image: NativeImage,
    program: &ValidComponent,
    pack: Vec<u8>,
) -> Result<Vec<Vec<u8>>, String> {
    let begin = Instant::now();
    let debug_sections = image.strip().map_err(|error| error.to_string())?;
    image.trim(program).map_err(|error| error.to_string())?;
    let stripping = begin.elapsed();
    let mut out = Writer::new(&[]);
    let head = Head {
        compatibility_hash: image.compatibility_hash(),
        stripping,
        sections: debug_sections.write(&mut out),
        image: out.put(image.into_bytes()),
    };
    let message = out.message(&head).map_err(|error| error.to_string())?;
    Ok([kept_functions::in_answer(pack), message].concat())
}

/// The worker process: reads the arguments of [`CompilerProcess`], and a program from standard
/// input, and answers on standard output.
///
/// # Errors
///
/// The arguments or the streams are invalid: edgec did not start this process.
pub fn compiler_worker(arguments: impl IntoIterator<Item = OsString>) -> Result<(), String> {
    let [target, profile, kind, features, length] = worker::arguments(arguments)?;
    let target = edgec_targets::find(&target).map_err(|error| error.to_string())?;
    let profile = profile.parse().map_err(|_| worker::usage())?;
    let kind = ProgramKind::named(&kind).ok_or_else(worker::usage)?;
    let features = features.parse().ok().and_then(WasmFeatures::from_bits);
    let features = features.ok_or_else(worker::usage)?;
    threads::gather()?;
    // The process that started this one has validated the program. The engine validates it again.
    let (bytes, functions) = kept_functions::taken_apart(worker::input()?, &length)?;
    let program = ValidComponent::from_parts(bytes, kind, features);
    let compiled = precompile_with(&program, target, profile, functions.clone());
    let pack = functions.and_then(|functions| functions.write());
    match compiled {
        Ok(image) => match reply(image, &program, pack.unwrap_or_default()) {
            Ok(answer) => worker::answer(IMAGE, &answer),
            Err(reason) => worker::answer(UNSTRIPPED, &[reason.as_bytes()]),
        },
        Err(PrecompileError::Settings { reason, .. }) => {
            worker::answer(SETTINGS, &[reason.as_bytes()])
        }
        Err(PrecompileError::Compile { reason, .. }) => {
            worker::answer(REFUSED, &[reason.as_bytes()])
        }
        Err(other) => Err(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::precompile;
    use crate::worker::tests::{long, script, short};

    fn run_until(worker: Worker, deadline: Deadline) -> PrecompileError {
        let process = CompilerProcess {
            worker,
            functions: None,
        };
        let program = crate::validate(wat::parse_str("(component)").unwrap()).unwrap();
        let target = edgec_targets::find("x86_64").unwrap();
        process
            .precompile(&program, target, EngineProfile::Default, deadline)
            .unwrap_err()
    }

    fn run(worker: Worker) -> PrecompileError {
        run_until(worker, long())
    }

    /// Image and debug sections are the same as without a separate process.
    #[test]
    fn an_image_is_the_same_in_both_processes() {
        let text = r#"(module (func (export "f") (result i32) i32.const 7))"#;
        let program = crate::validate(wat::parse_str(text).unwrap()).unwrap();
        let target = edgec_targets::find("x86_64").unwrap();
        for profile in [EngineProfile::Default, EngineProfile::Edge] {
            let mut here = precompile(&program, target, profile).unwrap();
            let pack = b"functions".to_vec();
            let answer = reply(here.clone(), &program, pack.clone())
                .unwrap()
                .concat();
            let (answer, got) = kept_functions::without_pack([&[IMAGE][..], &answer].concat());
            assert_eq!(got, pack);
            let answer = answer.get(1..).unwrap();
            let (head, there, length) = understand(answer).unwrap();
            let sections = here.strip().unwrap();
            here.trim(&program).unwrap();
            assert_eq!(head.compatibility_hash, here.compatibility_hash());
            assert!(answer.ends_with(here.bytes()));
            assert_eq!(length, here.bytes().len());
            let written = |sections: &DebugSections| {
                let info = sections.debug_info(&crate::Names::default());
                info.unwrap().write()
            };
            assert_eq!(written(&there), written(&sections));
            // The answer is one byte shorter, or longer.
            assert!(understand(answer.get(..answer.len() - 1).unwrap()).is_none());
            assert!(understand(&[answer, b"x"].concat()).is_none());
        }
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
