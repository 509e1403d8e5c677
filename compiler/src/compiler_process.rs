//! Compiling in a process of its own.
//!
//! Cranelift's time and memory grow faster than its input: 2,000 nested loops that each keep
//! a variable, 20 KB of WebAssembly, take gigabytes. No limit on the program's form that
//! real programs keep covers every such form, so the process is limited instead.

use std::ffi::OsString;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use edgec_targets::Target;
use wasmparser::WasmFeatures;

use crate::parallel::{map_at_once, workers_at_once};
use crate::threads;
use crate::worker::{self, Worker, WorkerError};
use crate::{EngineProfile, Kind, NativeImage, PrecompileError, ValidComponent, precompile};

/// The process that compiles: a program that calls [`compiler_worker`].
#[derive(Clone, Debug)]
pub struct CompilerProcess {
    /// How it is started; its limits are for one program and target.
    pub worker: Worker,
}

/// More than any artifact may have, in bytes.
const MAX_ANSWER_LEN: u64 = 1 << 30;
const IMAGE: u8 = 0;
const SETTINGS: u8 = 1;
const REFUSED: u8 = 2;

impl CompilerProcess {
    /// Compiles a program for one target and profile, as [`precompile`] does.
    ///
    /// # Errors
    ///
    /// [`PrecompileError`].
    pub fn precompile(
        &self,
        program: &ValidComponent,
        target: &'static Target,
        profile: EngineProfile,
    ) -> Result<NativeImage, PrecompileError> {
        let features = program.features().bits().to_string();
        let arguments = [target.id, profile.name(), program.kind().name(), &features];
        let mut answer = self
            .worker
            .ask(&arguments, program.bytes(), MAX_ANSWER_LEN)
            .map_err(|error| failed(error, target.id))?;
        match answer.split_first() {
            Some((&IMAGE, rest)) => {
                if let Some((hash, _)) = rest.split_first_chunk::<32>() {
                    let hash = *hash;
                    // The image is what is left: no second copy of it is made.
                    answer.drain(..1 + hash.len());
                    return Ok(NativeImage::new(answer, program, target, profile, hash));
                }
            }
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
            _ => {}
        }
        Err(failed(WorkerError::no_answer(&answer), target.id))
    }

    /// Compiles a program for several targets, as [`precompile`](Self::precompile) does for one: a
    /// small program for several at a time. `progress` is called before each. The images, and what
    /// each took, are in the order of the targets.
    ///
    /// # Errors
    ///
    /// [`PrecompileError`], of the first target that has one.
    pub fn precompile_all(
        &self,
        program: &ValidComponent,
        targets: &[&'static Target],
        profile: EngineProfile,
        progress: impl Fn(&Target) + Sync + Send,
    ) -> Result<Vec<(NativeImage, Duration)>, PrecompileError> {
        let workers = workers_at_once(program.bytes().len(), targets.len());
        // All of them at a time have what one may have.
        let mut share = self.clone();
        share.worker.memory /= workers as u64;
        let timed = |compiler: &Self, target| {
            progress(target);
            let begin = Instant::now();
            let image = compiler.precompile(program, target, profile);
            image.map(|image| (image, begin.elapsed()))
        };
        let failed = AtomicBool::new(false);
        let images = map_at_once(workers, targets, |_, target| {
            // After a failure, the other images are not needed.
            if failed.load(Ordering::Relaxed) {
                return None;
            }
            let image = timed(&share, target);
            failed.fetch_or(image.is_err(), Ordering::Relaxed);
            Some(image)
        });
        let images = images.into_iter().zip(targets);
        let images = images.map(|(image, target)| match image {
            Some(Err(error)) if workers == 1 || error.is_of_the_program() => Err(error),
            Some(Ok(image)) => Ok(image),
            // It did not start, was killed, or lacked what the others used. Alone it has the whole
            // machine.
            Some(Err(_)) | None => timed(self, target),
        });
        images.collect()
    }
}

fn failed(error: WorkerError, target: &'static str) -> PrecompileError {
    match error {
        WorkerError::Timeout { seconds } => PrecompileError::Timeout { target, seconds },
        WorkerError::Memory { mebibytes } => PrecompileError::Memory { target, mebibytes },
        WorkerError::Crash { status, message } => PrecompileError::Crash {
            target,
            status,
            message,
        },
        WorkerError::Machine(source) => PrecompileError::Machine { target, source },
    }
}

/// What the worker process does: reads the arguments that [`CompilerProcess`] gives and a
/// program from standard input, and answers on standard output.
///
/// # Errors
///
/// What is wrong with the arguments or the streams: edgec did not start this process.
pub fn compiler_worker(arguments: impl IntoIterator<Item = OsString>) -> Result<(), String> {
    let [target, profile, kind, features] = worker::arguments(arguments)?;
    let target = edgec_targets::find(&target).map_err(|error| error.to_string())?;
    let profile = profile.parse().map_err(|_| worker::usage())?;
    let kind = Kind::named(&kind).ok_or_else(worker::usage)?;
    let features = features.parse().ok().and_then(WasmFeatures::from_bits);
    let features = features.ok_or_else(worker::usage)?;
    threads::gather()?;
    // The process that started this one has validated it; the engine does so again.
    let program = ValidComponent::from_parts(worker::input()?, kind, features);
    match precompile(&program, target, profile) {
        Ok(image) => worker::answer(IMAGE, &[&image.compatibility_hash(), image.bytes()]),
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
    use std::time::Duration;

    use super::*;
    use crate::worker::tests::script;

    fn run(worker: Worker) -> PrecompileError {
        let process = CompilerProcess { worker };
        let program = crate::validate(wat::parse_str("(component)").unwrap()).unwrap();
        let target = edgec_targets::find("x86_64").unwrap();
        process
            .precompile(&program, target, EngineProfile::Default)
            .unwrap_err()
    }

    #[test]
    fn each_end_of_the_process_has_an_error() {
        let hang = run(Worker {
            timeout: Duration::from_millis(50),
            ..script("sleep 600")
        });
        assert!(matches!(hang, PrecompileError::Timeout { .. }), "{hang}");
        let full = run(script(
            "echo memory allocation of 9 bytes failed >&2; kill -ABRT $$",
        ));
        assert!(matches!(full, PrecompileError::Memory { .. }), "{full}");
        let crash = run(script("echo oh no >&2; kill -SEGV $$"));
        assert!(crash.to_string().contains("SIGSEGV"), "{crash}");
        assert!(crash.to_string().contains("oh no"), "{crash}");
        for nothing in ["true", "printf '\\0short'", "echo '?'"] {
            let error = run(script(nothing));
            assert!(matches!(error, PrecompileError::Crash { .. }), "{error}");
        }
        let refused = run(script("printf '\\002no'"));
        assert!(refused.to_string().ends_with(": no"), "{refused}");
        let settings = run(script("printf '\\001no'"));
        assert!(matches!(settings, PrecompileError::Settings { .. }));
        let full = run(script("echo disk full >&2; exit 1"));
        assert!(matches!(full, PrecompileError::Machine { .. }), "{full}");
    }
}
