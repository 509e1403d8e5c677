//! Reads, validates and adapts an input in a separate process, and takes the steps before the
//! optimizer.
//!
//! This is the first work on a program that anyone may have written. The validator and the engine's
//! front end take time and memory that grow faster than the input. The text parser and the encoder
//! read the program too. So all of them run in a process with limits and walls, as the compiler
//! does. The same process prepares the program for the optimizer. If the optimizer gets no module,
//! it also takes the steps after the optimizer.

mod facts;
mod work;

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::facts::{Facts, Intake};
pub use self::work::front_end_worker;
use self::work::{AheadHead, DONE, Head, NextHead, REFUSED, Refusal, Task};
use crate::wasm::legacy_exceptions::{LegacyModule, LegacyProgram, Translated};
use crate::wasm::optimize::{Parts, Planned};
use crate::worker::deadline::Deadline;
use crate::worker::wire::{self, Reader};
use crate::worker::{StageError, Worker, WorkerError, WorkerStage};
use crate::{
    AdaptError, Finished, InputError, Steps, ValidComponent, ValidateError, Violations, WitError,
};

/// The process that reads inputs: a program that calls [`front_end_worker`].
#[derive(Clone, Debug)]
pub struct FrontEnd {
    /// How the process is started. Its memory is for one input.
    pub worker: Worker,
}

/// A program that was read in another process.
#[derive(Debug)]
pub struct FrontEndOutput {
    /// The valid program.
    pub component: ValidComponent,
    /// How it became a program, and what it needs.
    pub facts: Facts,
}

/// The remaining steps of a program before it is compiled.
#[derive(Debug)]
pub struct Ahead {
    /// What comes next.
    pub next: Next,
    /// How long it took to decide this.
    pub planning: Duration,
}

/// The next step of a program.
#[derive(Debug)]
pub enum Next {
    /// The optimizer gets some of the program's core modules.
    Optimize(Box<Planned>),
    /// The compiler gets the program.
    Compile(Box<Finished>),
}

/// Why an input gave no program.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrontEndError {
    /// The bytes are not a valid input.
    #[error(transparent)]
    Input(InputError),
    /// The input is not a valid program, or cannot become the requested kind.
    #[error("{error}")]
    Program {
        /// The reason.
        error: AdaptError,
        /// Whether the input was in the text format.
        from_text: bool,
    },
    /// The world that is demanded cannot be read.
    #[error(transparent)]
    World(WitError),
    /// The program breaks demands.
    #[error(transparent)]
    Gate(Violations),
    /// A snapshot is not the same program with a different state.
    #[error(transparent)]
    Snapshot(SnapshotError),
    /// The program is not valid after its legacy exceptions were translated.
    #[error("with its legacy exceptions translated, the program is not valid: {0}")]
    Translated(ValidateError),
    /// The process gave no answer.
    #[error(transparent)]
    Worker(#[from] StageError),
}

impl FrontEndError {
    /// Whether the input is a program that edgec could compile if its legacy exceptions were
    /// translated, as far as it was validated.
    pub fn is_about_legacy_exceptions(&self) -> bool {
        match self {
            Self::Program {
                error: AdaptError::Invalid(error),
                ..
            } => error.is_about_legacy_exceptions(),
            _ => false,
        }
    }

    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Input(_) => "not-wasm",
            Self::Program { error, .. } => error.code(),
            Self::World(error) => error.code(),
            Self::Gate(_) => "gate",
            Self::Snapshot(_) => "init",
            Self::Translated(_) => "legacy-exceptions",
            Self::Worker(error) => error.code(),
        }
    }
}

/// Why a component is not the same component with a different state.
#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// It is invalid.
    #[error("the pre-initialized component is not valid: {0}")]
    Invalid(ValidateError),
    /// It has a different interface, or was made in a different way.
    #[error("pre-initialization changed more than the component's state: its {what} differ")]
    Differs {
        /// The part that differs.
        what: Cow<'static, str>,
    },
}

/// An input that gave no program, and why.
#[derive(Debug)]
pub struct RefusedInput {
    /// The reason.
    pub error: Box<FrontEndError>,
    /// The bytes of the input.
    pub bytes: Vec<u8>,
}

/// The maximum length of an answer, in bytes (2 GiB): longer than any program together with its
/// modules for the optimizer.
const MAX_ANSWER_LEN: u64 = 2 << 30;

impl FrontEnd {
    /// Reads an input and validates it, as [`crate::read`] and [`crate::validate()`] do.
    ///
    /// # Errors
    ///
    /// [`RefusedInput`].
    pub fn validate(
        &self,
        bytes: Vec<u8>,
        deadline: Deadline,
    ) -> Result<FrontEndOutput, RefusedInput> {
        self.read(bytes, &Task::Read(None), deadline, output)
    }

    /// Reads an input, validates it, and turns it into the requested kind, as [`crate::read`] and
    /// [`crate::adapt()`] do. Then checks what is demanded of it.
    ///
    /// # Errors
    ///
    /// [`RefusedInput`].
    pub fn adapt(
        &self,
        bytes: Vec<u8>,
        intake: Intake,
        deadline: Deadline,
    ) -> Result<FrontEndOutput, RefusedInput> {
        let task = Task::Read(Some(Box::new(intake)));
        self.read(bytes, &task, deadline, output)
    }

    /// Like [`adapt`](Self::adapt), but also takes the steps before the optimizer. If the optimizer
    /// gets no module, also takes the steps after it.
    ///
    /// # Errors
    ///
    /// [`RefusedInput`].
    pub fn prepare(
        &self,
        bytes: Vec<u8>,
        intake: Intake,
        steps: Steps,
        deadline: Deadline,
    ) -> Result<(Facts, Ahead), RefusedInput> {
        let intake = Box::new(intake);
        let task = Task::Prepare { intake, steps };
        self.read(bytes, &task, deadline, prepared)
    }

    /// Checks that a snapshot is valid, and that it differs from `program` only in its state. Takes
    /// the next steps, as [`prepare`](Self::prepare) does.
    ///
    /// # Errors
    ///
    /// [`FrontEndError`].
    #[cfg(feature = "precompile")]
    pub fn resume(
        &self,
        program: &ValidComponent,
        snapshot: &crate::Snapshot,
        steps: Steps,
        deadline: Deadline,
    ) -> Result<Ahead, FrontEndError> {
        let (program, snapshot) = (program.bytes(), snapshot.bytes());
        let task = Task::Resume {
            program: program.len() as u64,
            steps,
        };
        let parts = [program, snapshot];
        self.ask(&task, &parts, snapshot, deadline, resumed)
    }

    /// Takes the core modules with legacy exceptions out of an input.
    ///
    /// # Errors
    ///
    /// [`FrontEndError`]: the input is invalid for another reason too.
    pub fn find_legacy_exceptions(
        &self,
        bytes: &[u8],
        deadline: Deadline,
    ) -> Result<LegacyProgram, FrontEndError> {
        self.ask(&Task::FindLegacy, &[bytes], bytes, deadline, legacy)
    }

    /// The valid program of an input whose legacy exceptions were translated, in the binary format.
    ///
    /// # Errors
    ///
    /// [`FrontEndError`].
    pub fn put_back(
        &self,
        bytes: &[u8],
        translated: &Translated,
        deadline: Deadline,
    ) -> Result<Vec<u8>, FrontEndError> {
        let modules = translated.modules.iter();
        let lengths = modules.map(|(number, bytes)| (*number, bytes.len() as u64));
        let task = Task::PutBack {
            modules: lengths.collect(),
        };
        let before = translated.modules.iter().map(|(_, bytes)| bytes.as_slice());
        let parts: Vec<&[u8]> = before.chain([bytes]).collect();
        self.ask(&task, &parts, bytes, deadline, whole)
    }

    fn read<T>(
        &self,
        bytes: Vec<u8>,
        task: &Task,
        deadline: Deadline,
        read: impl Fn(Head, &mut Reader<'_>) -> Option<T>,
    ) -> Result<T, RefusedInput> {
        let done = self.ask(task, &[&bytes], &bytes, deadline, read);
        done.map_err(|error| RefusedInput {
            error: Box::new(error),
            bytes,
        })
    }

    /// The answer to a task about these parts. The last part is `input`.
    fn ask<T>(
        &self,
        task: &Task,
        parts: &[&[u8]],
        input: &[u8],
        deadline: Deadline,
        read: impl Fn(Head, &mut Reader<'_>) -> Option<T>,
    ) -> Result<T, FrontEndError> {
        let message = wire::message(task, parts).map_err(WorkerError::from)?;
        let question = self.worker.question(&[], &message);
        let kept = question.recall();
        if let Some(Ok(known)) = kept.map(|kept| understand(&kept, input, &read)) {
            return Ok(known);
        }
        let answer = self.worker.ask(&[], &message, MAX_ANSWER_LEN, deadline)?;
        question.keep(&answer, DONE);
        drop(message);
        understand(&answer, input, &read)
    }
}

fn understand<T>(
    answer: &[u8],
    input: &[u8],
    read: &impl Fn(Head, &mut Reader<'_>) -> Option<T>,
) -> Result<T, FrontEndError> {
    let malformed = || FrontEndError::from(WorkerError::no_answer(answer));
    match answer.split_first() {
        Some((&DONE, rest)) => {
            let (head, mut from) = Reader::new(rest, input).ok_or_else(malformed)?;
            read(head, &mut from).ok_or_else(malformed)
        }
        Some((&REFUSED, rest)) => match Reader::new(rest, input) {
            Some((refusal, _)) => Err(refused(refusal)),
            None => Err(malformed()),
        },
        _ => Err(malformed()),
    }
}

fn refused(refusal: Refusal) -> FrontEndError {
    match refusal {
        Refusal::Input(error) => FrontEndError::Input(error),
        Refusal::Program(error, from_text) => FrontEndError::Program { error, from_text },
        Refusal::World(error) => FrontEndError::World(error),
        Refusal::Gate(found) => FrontEndError::Gate(found),
        Refusal::Snapshot(error) => FrontEndError::Snapshot(error),
        Refusal::Translated(error) => FrontEndError::Translated(error),
    }
}

/// `None` if the answer is of another kind, or bytes are missing. The same applies to the other
/// readers.
fn output(head: Head, from: &mut Reader<'_>) -> Option<FrontEndOutput> {
    let Head::Read {
        described,
        program,
        facts,
    } = head
    else {
        return None;
    };
    let component = ValidComponent::of_description(from.take(program)?, described);
    Some(FrontEndOutput { component, facts })
}

fn prepared(head: Head, from: &mut Reader<'_>) -> Option<(Facts, Ahead)> {
    match head {
        Head::Prepared(facts, ahead) => Some((facts, self::ahead(ahead, from)?)),
        _ => None,
    }
}

#[cfg(feature = "precompile")]
fn resumed(head: Head, from: &mut Reader<'_>) -> Option<Ahead> {
    match head {
        Head::Resumed(ahead) => self::ahead(ahead, from),
        _ => None,
    }
}

fn legacy(head: Head, from: &mut Reader<'_>) -> Option<LegacyProgram> {
    let Head::Legacy { from_text, modules } = head else {
        return None;
    };
    let modules = modules.iter().map(|head| LegacyModule::read(head, from));
    Some(LegacyProgram {
        from_text,
        modules: modules.collect::<Option<_>>()?,
    })
}

fn whole(head: Head, from: &mut Reader<'_>) -> Option<Vec<u8>> {
    match head {
        Head::Translated(place) => from.take(place),
        _ => None,
    }
}

fn ahead(head: AheadHead, from: &mut Reader<'_>) -> Option<Ahead> {
    let next = match head.next {
        NextHead::Optimize(parts) => Next::Optimize(Box::new(Planned(Parts::read(parts, from)?))),
        NextHead::Compile(finished) => Next::Compile(Box::new(Finished::read(*finished, from)?)),
    };
    Some(Ahead {
        next,
        planning: head.planning,
    })
}

impl From<WorkerError> for FrontEndError {
    fn from(error: WorkerError) -> Self {
        StageError::new(WorkerStage::Validate, error).into()
    }
}

#[cfg(test)]
mod tests;
