//! Compiling in a process of its own.
//!
//! Cranelift's time and memory grow faster than its input: 2,000 nested loops that each keep
//! a variable, 20 KB of WebAssembly, take gigabytes. No limit on the program's form that
//! real programs keep covers every such form, so the process is limited instead.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use edgec_targets::Target;
use wasmparser::WasmFeatures;

use crate::process::{self, Ended, OUT_OF_MEMORY};
use crate::{EngineProfile, Kind, NativeImage, PrecompileError, ValidComponent, precompile};

/// How the process that compiles is started, and what it may use.
#[derive(Clone, Debug)]
pub struct CompilerProcess {
    /// The program: one that calls [`compiler_worker`].
    pub program: PathBuf,
    /// Arguments in front of those of the worker.
    pub arguments: Vec<OsString>,
    /// How long it may take for one program and target.
    pub timeout: Duration,
    /// How much memory it may use, in bytes (held on Linux only).
    pub memory: u64,
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
        let kind = match program.kind() {
            Kind::Component => "component",
            Kind::Module => "module",
        };
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .args([self.memory.to_string().as_str(), target.id, profile.name()])
            .arg(kind)
            .arg(program.features().bits().to_string());
        let deadline = Instant::now() + self.timeout;
        let ended = process::run(&mut command, program.bytes(), deadline);
        let answer = ended.and_then(|ended| match ended {
            Ended::Done(output) => {
                let mut answer = Vec::new();
                output.take(MAX_ANSWER_LEN).read_to_end(&mut answer)?;
                Ok(self.understand(&answer, program, target, profile))
            }
            Ended::Killed => Ok(Err(PrecompileError::Timeout {
                target: target.id,
                seconds: self.timeout.as_secs(),
            })),
            Ended::Failed { message, .. } if message.starts_with(OUT_OF_MEMORY) => {
                Ok(Err(PrecompileError::Memory {
                    target: target.id,
                    mebibytes: self.memory >> 20,
                }))
            }
            // What `compiler_worker` says; a panic or a signal ends the process otherwise.
            Ended::Failed { status, message } if status.code() == Some(1) => {
                Err(io::Error::other(message))
            }
            Ended::Failed { status, message } => Ok(Err(PrecompileError::Crash {
                target: target.id,
                status: status.to_string(),
                message,
            })),
        });
        answer.unwrap_or_else(|error| {
            Err(PrecompileError::Start {
                target: target.id,
                source: error,
            })
        })
    }

    fn understand(
        &self,
        answer: &[u8],
        program: &ValidComponent,
        target: &'static Target,
        profile: EngineProfile,
    ) -> Result<NativeImage, PrecompileError> {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        match answer.split_first() {
            Some((&IMAGE, rest)) => {
                if let Some((hash, image)) = rest.split_first_chunk() {
                    return Ok(NativeImage::new(
                        image.to_vec(),
                        program,
                        target,
                        profile,
                        *hash,
                    ));
                }
            }
            Some((&SETTINGS, reason)) => {
                return Err(PrecompileError::Settings {
                    target: target.id,
                    reason: text(reason),
                });
            }
            Some((&REFUSED, reason)) => {
                return Err(PrecompileError::Compile {
                    target: target.id,
                    reason: text(reason),
                });
            }
            _ => {}
        }
        Err(PrecompileError::Crash {
            target: target.id,
            status: "an answer that is none".to_owned(),
            message: format!("{} bytes", answer.len()),
        })
    }
}

/// What the worker process does: reads the arguments that [`CompilerProcess`] gives and a
/// program from standard input, and answers on standard output.
///
/// # Errors
///
/// What is wrong with the arguments or the streams: somebody else started it.
pub fn compiler_worker(arguments: impl IntoIterator<Item = OsString>) -> Result<(), String> {
    let usage = || "not started by edgec".to_owned();
    let arguments: Vec<String> = arguments
        .into_iter()
        .map(|argument| argument.into_string().map_err(|_| usage()))
        .collect::<Result<_, _>>()?;
    let [memory, target, profile, kind, features] = arguments.as_slice() else {
        return Err(usage());
    };
    process::confine(memory.parse().map_err(|_| usage())?);
    let target = edgec_targets::find(target).map_err(|error| error.to_string())?;
    let profile = EngineProfile::named(profile).ok_or_else(usage)?;
    let kind = match kind.as_str() {
        "component" => Kind::Component,
        "module" => Kind::Module,
        _ => return Err(usage()),
    };
    let features = features.parse().ok().and_then(WasmFeatures::from_bits);
    let features = features.ok_or_else(usage)?;
    let answer = || -> io::Result<()> {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes)?;
        // It was validated by whoever started this process; the engine does so again.
        let program = ValidComponent::from_parts(bytes, kind, features);
        let mut out = io::stdout().lock();
        match precompile(&program, target, profile) {
            Ok(image) => {
                out.write_all(&[IMAGE])?;
                out.write_all(&image.compatibility_hash())?;
                out.write_all(image.bytes())?;
            }
            Err(PrecompileError::Settings { reason, .. }) => {
                out.write_all(&[SETTINGS])?;
                out.write_all(reason.as_bytes())?;
            }
            Err(PrecompileError::Compile { reason, .. }) => {
                out.write_all(&[REFUSED])?;
                out.write_all(reason.as_bytes())?;
            }
            Err(other) => return Err(io::Error::other(other)),
        }
        out.flush()
    };
    answer().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str, timeout: Duration) -> PrecompileError {
        let process = CompilerProcess {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            timeout,
            memory: 1 << 30,
        };
        let program = crate::validate(wat::parse_str("(component)").unwrap()).unwrap();
        let target = edgec_targets::find("x86_64").unwrap();
        process
            .precompile(&program, target, EngineProfile::Default)
            .unwrap_err()
    }

    #[test]
    fn each_end_of_the_process_has_an_error() {
        let minute = Duration::from_secs(60);
        let hang = run("sleep 600", Duration::from_millis(50));
        assert!(matches!(hang, PrecompileError::Timeout { .. }), "{hang}");
        let full = run(
            "echo memory allocation of 9 bytes failed >&2; kill -ABRT $$",
            minute,
        );
        assert!(matches!(full, PrecompileError::Memory { .. }), "{full}");
        let crash = run("echo oh no >&2; kill -SEGV $$", minute);
        assert!(crash.to_string().contains("SIGSEGV"), "{crash}");
        assert!(crash.to_string().contains("oh no"), "{crash}");
        for nothing in ["true", "printf '\\0short'", "echo '?'"] {
            let error = run(nothing, minute);
            assert!(matches!(error, PrecompileError::Crash { .. }), "{error}");
        }
        let refused = run("printf '\\002no'", minute);
        assert!(refused.to_string().ends_with(": no"), "{refused}");
        let settings = run("printf '\\001no'", minute);
        assert!(matches!(settings, PrecompileError::Settings { .. }));
        let full = run("echo disk full >&2; exit 1", minute);
        assert!(matches!(full, PrecompileError::Start { .. }), "{full}");
        let missing = CompilerProcess {
            program: "/nonexistent".into(),
            arguments: vec![],
            timeout: minute,
            memory: 0,
        };
        let program = crate::validate(wat::parse_str("(component)").unwrap()).unwrap();
        let target = edgec_targets::find("x86_64").unwrap();
        let error = missing
            .precompile(&program, target, EngineProfile::Default)
            .unwrap_err();
        assert!(matches!(error, PrecompileError::Start { .. }), "{error}");
    }
}
