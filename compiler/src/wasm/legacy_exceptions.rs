//! Translates exceptions from before the standard (`try`, `catch`, `delegate`) into standard ones
//! (`try_table`), with a `wasm-opt` that the user named.
//!
//! The bundled Binaryen cannot do it. There are three steps: [`find`] takes the core modules with
//! such exceptions out of a program, the optimizer translates each of them, and [`put_back`] makes
//! a program from the results and validates it. A build takes the first and the last step in a
//! process with limits (`front_end.rs`).
//!
//! Source: exception handling proposal, `legacy/Exceptions.md`; Binaryen, `TranslateEH.cpp`.

#[cfg(test)]
mod tests;

use std::ffi::OsString;

use serde::{Deserialize, Serialize};
use wasmparser::WasmFeatures;

use crate::input::features;
use crate::input::invalid::ValidateError;
use crate::input::validate::check_with_legacy_exceptions;
use crate::wasm::binaryen::{Attempt, Optimizer, Tool};
use crate::wasm::function_names::{named, numbered};
use crate::wasm::kept::Failure;
use crate::wasm::modules::{map_modules_in, modules_in};
use crate::wasm::optimize::is_note;
use crate::wasm::reads::{Reads, feature_arguments};
use crate::worker::deadline::{Deadline, Spent};
use crate::worker::machine::MachineError;
use crate::worker::parallel::{map_at_once, workers_at_once};
use crate::worker::wire::{Place, Reader, Writer};
use crate::{ProgramKind, validate};

/// The oldest version of Binaryen that translates them well. Before it, the pass was an experiment.
pub const OLDEST_TRANSLATOR: u32 = 118;

/// The pass, as `wasm-opt` names it.
const PASS: &str = "--translate-to-exnref";

/// A program whose legacy exceptions are to be translated.
#[derive(Debug)]
pub struct LegacyProgram {
    /// Whether the input was in the text format.
    pub(crate) from_text: bool,
    /// Its core modules with legacy exceptions, in file order.
    pub(crate) modules: Vec<LegacyModule>,
}

/// A core module with legacy exceptions.
#[derive(Debug)]
pub(crate) struct LegacyModule {
    /// Its number in the program, in file order.
    number: usize,
    /// The bytes that the optimizer gets.
    bytes: Vec<u8>,
    /// The features that it uses beside legacy exceptions.
    features: WasmFeatures,
}

/// A program's core modules with legacy exceptions, after the optimizer. They are not validated.
#[derive(Debug)]
pub struct Translated {
    /// Whether the input was in the text format.
    pub from_text: bool,
    /// The number of each module, in file order, and its new bytes.
    pub(crate) modules: Vec<(usize, Vec<u8>)>,
}

impl Translated {
    /// The numbers of the core modules that were translated, in file order.
    pub fn numbers(&self) -> Vec<usize> {
        self.modules.iter().map(|(number, _)| *number).collect()
    }
}

/// Why legacy exceptions were not translated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TranslateError {
    /// The program cannot translate them.
    #[error(
        "the program has legacy exceptions, and the optimizer's version is `{version}`, not \
         {OLDEST_TRANSLATOR} or later"
    )]
    Version {
        /// What it prints for `--version`.
        version: String,
    },
    /// It took too long, and was stopped.
    #[error("translating the legacy exceptions of core module {module} was stopped {spent}")]
    Timeout {
        /// The module's number, in file order.
        module: usize,
        /// The time that it took.
        spent: Spent,
        /// Whether this was the time limit of the whole program, and not that of the optimizer.
        whole: bool,
    },
    /// It exceeded the memory limit.
    #[error(
        "translating the legacy exceptions of core module {module} needs more than {mebibytes} MiB \
         of memory"
    )]
    Memory {
        /// The module's number, in file order.
        module: usize,
        /// The limit in MiB.
        mebibytes: u64,
    },
    /// It ended with an error or by a signal.
    #[error("the legacy exceptions of core module {module} were not translated: {message}")]
    Failed {
        /// The module's number, in file order.
        module: usize,
        /// What the optimizer reports.
        message: String,
    },
    /// The machine is at fault, not the program.
    #[error("the legacy exceptions of core module {module} were not translated")]
    Machine {
        /// The module's number, in file order.
        module: usize,
        /// The cause.
        source: MachineError,
    },
}

impl TranslateError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Version { .. } | Self::Failed { .. } => "legacy-exceptions",
            Self::Timeout { .. } => "optimize-timeout",
            Self::Memory { .. } => "optimize-memory",
            Self::Machine { source, .. } => source.code(),
        }
    }

    fn of(module: usize, attempt: Attempt, optimizer: &Optimizer) -> Self {
        match attempt {
            Attempt::Kept(failure) => Self::Failed {
                module,
                message: failure.to_string(),
            },
            Attempt::Crashed { status, message } => Self::Failed {
                module,
                message: Failure::Exit { status, message }.to_string(),
            },
            Attempt::Late { spent, whole } => Self::Timeout {
                module,
                spent,
                whole,
            },
            Attempt::OutOfMemory => Self::Memory {
                module,
                mebibytes: optimizer.memory >> 20,
            },
            Attempt::Machine(source) => Self::Machine { module, source },
        }
    }
}

/// The core modules with legacy exceptions.
///
/// # Errors
///
/// [`ValidateError`]: the program is invalid for another reason too.
pub(crate) fn find(bytes: &[u8], kind: ProgramKind) -> Result<Vec<LegacyModule>, ValidateError> {
    check_with_legacy_exceptions(bytes)?;
    let modules = modules_in(bytes, kind).into_iter().enumerate();
    let legacy = modules.filter_map(|(number, module)| {
        let features = features::beside_legacy_exceptions(module)?;
        // What could not be split into sections is not translated, and `put_back` refuses it.
        let (bytes, _) = numbered(module, is_note)?;
        Some(LegacyModule {
            number,
            bytes,
            features,
        })
    });
    Ok(legacy.collect())
}

/// The program with translated core modules. It is valid without legacy exceptions.
///
/// # Errors
///
/// [`ValidateError`]: the optimizer's output is not valid.
pub(crate) fn put_back(
    bytes: &[u8],
    kind: ProgramKind,
    translated: &[(usize, Vec<u8>)],
) -> Result<Vec<u8>, ValidateError> {
    let mut numbers = 0..;
    let whole = map_modules_in(bytes, kind, &mut |module| {
        let number = numbers.next()?;
        let (_, new) = translated.iter().find(|(of, _)| *of == number)?;
        let (_, names) = numbered(module, is_note)?;
        named(new, &names)
    });
    let whole = whole.unwrap_or_else(|| bytes.to_vec());
    Ok(validate(whole)?.into_bytes())
}

impl LegacyProgram {
    /// Translates each core module with `optimizer`; several at a time if they are small. All work
    /// must end before `deadline`.
    ///
    /// # Errors
    ///
    /// [`TranslateError`].
    pub fn translate(
        self,
        optimizer: &Optimizer,
        deadline: Deadline,
    ) -> Result<Translated, TranslateError> {
        if !can_translate(optimizer) {
            let version = optimizer.version.clone();
            return Err(TranslateError::Version { version });
        }
        let Self { from_text, modules } = self;
        let length = modules.iter().map(|module| module.bytes.len()).sum();
        let workers = workers_at_once(length, modules.len());
        let until = optimizer.until(deadline);
        let one = |_: usize, module: &LegacyModule| {
            let arguments = arguments(module.features)?;
            optimizer.work(&module.bytes, arguments, until)
        };
        let attempts = map_at_once(workers, &modules, one);
        let results = attempts.into_iter().zip(&modules).map(|(attempt, module)| {
            let number = module.number;
            // The optimizer's failures on other modules may have been the cause.
            let attempt = match attempt {
                Err(failed) if failed.may_end_otherwise() => one(number, module),
                attempt => attempt,
            };
            match attempt {
                Ok(bytes) => Ok((number, bytes)),
                Err(failed) => Err(TranslateError::of(number, failed, optimizer)),
            }
        });
        let modules: Result<Vec<_>, TranslateError> = results.collect();
        Ok(Translated {
            from_text,
            modules: modules?,
        })
    }
}

/// The arguments of `wasm-opt` for a module that uses these features beside legacy exceptions. The
/// result may also use references to exceptions, and blocks with several values.
fn arguments(features: WasmFeatures) -> Result<Vec<OsString>, Failure> {
    let new = WasmFeatures::EXCEPTIONS | WasmFeatures::REFERENCE_TYPES | WasmFeatures::MULTI_VALUE;
    let mut arguments = feature_arguments(features | new, Reads::Everything)?;
    arguments.extend([PASS, "-g"].map(OsString::from));
    Ok(arguments)
}

fn can_translate(optimizer: &Optimizer) -> bool {
    let number = version_number(&optimizer.version);
    optimizer.tool == Tool::WasmOpt && number.is_some_and(|number| number >= OLDEST_TRANSLATOR)
}

/// The number in `wasm-opt version 118 (version_118)`.
fn version_number(version: &str) -> Option<u32> {
    let (_, number) = version.split_once("version ")?;
    let end = number.find(|c: char| !c.is_ascii_digit());
    number.get(..end.unwrap_or(number.len()))?.parse().ok()
}

/// A core module, as the head of a message describes it. Its bytes follow.
#[derive(Serialize, Deserialize)]
pub(crate) struct LegacyHead {
    number: usize,
    bytes: Place,
    features: u64,
}

impl LegacyModule {
    pub(crate) fn write(self, out: &mut Writer<'_>) -> LegacyHead {
        LegacyHead {
            number: self.number,
            bytes: out.put(self.bytes),
            features: self.features.bits(),
        }
    }

    /// `None` if bytes are missing.
    pub(crate) fn read(head: &LegacyHead, from: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            number: head.number,
            bytes: from.take(head.bytes)?,
            features: WasmFeatures::from_bits_truncate(head.features),
        })
    }
}
