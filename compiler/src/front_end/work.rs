//! The work of the process that reads inputs.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{Facts, Intake, SnapshotError};
use crate::input::text_place;
use crate::input::valid_component::Description;
use crate::wasm::finish::{self, finish};
use crate::wasm::legacy_exceptions::{self, LegacyHead};
use crate::wasm::optimize::{self, Parts, assemble, plan};
use crate::wasm::outline;
use crate::worker;
use crate::worker::wire::{Place, Reader, Writer};
use crate::{
    AdaptError, Adapted, Gate, InputError, Steps, ValidComponent, ValidateError, Violations,
    WitError, adapt, adapt_with_wit, read, validate,
};

/// The first byte of an answer.
pub(super) const DONE: u8 = 0;
pub(super) const REFUSED: u8 = 1;

/// A task. The input follows.
#[derive(Serialize, Deserialize)]
pub(super) enum Task {
    /// Read and validate the input. Turn it into the requested kind and check what is demanded of
    /// it, if something is requested.
    Read(Option<Box<Intake>>),
    /// The same, and the steps before the optimizer.
    Prepare { intake: Box<Intake>, steps: Steps },
    /// Check that the input differs only in its state from a program of this length, which comes
    /// before the input. Then take the steps before the optimizer.
    Resume { program: u64, steps: Steps },
    /// Find the core modules with legacy exceptions.
    FindLegacy,
    /// Put core modules back that were translated: their numbers and lengths. Their bytes come
    /// before the input.
    PutBack { modules: Vec<(usize, u64)> },
}

/// The head of an answer. The answer's bytes follow.
#[derive(Serialize, Deserialize)]
pub(super) enum Head {
    Read {
        described: Description,
        program: Place,
        facts: Facts,
    },
    Prepared(Facts, AheadHead),
    Resumed(AheadHead),
    Legacy {
        from_text: bool,
        modules: Vec<LegacyHead>,
    },
    Translated(Place),
}

#[derive(Serialize, Deserialize)]
pub(super) struct AheadHead {
    pub(super) next: NextHead,
    pub(super) planning: Duration,
}

#[derive(Serialize, Deserialize)]
pub(super) enum NextHead {
    Optimize(optimize::Head),
    Compile(Box<finish::Head>),
}

/// An error in the answer of the process.
#[derive(Serialize, Deserialize)]
pub(super) enum Refusal {
    Input(InputError),
    Program(AdaptError, bool),
    World(WitError),
    Gate(Violations),
    Snapshot(SnapshotError),
    Translated(ValidateError),
}

/// The worker process: reads a task and an input from standard input, and answers on standard
/// output.
///
/// # Errors
///
/// The arguments or the streams are invalid: edgec did not start this process.
pub fn front_end_worker(arguments: impl IntoIterator<Item = OsString>) -> Result<(), String> {
    worker::answer::begin_with(arguments)?;
    let message = worker::input()?;
    let (tag, answer) = reply(&message)?;
    worker::answer(tag, &answer)
}

/// The parts of an answer.
pub(super) fn reply(message: &[u8]) -> Result<(u8, Vec<Vec<u8>>), String> {
    let (task, mut from) = Reader::new::<Task>(message, &[]).ok_or_else(worker::usage)?;
    let lengths: Vec<u64> = match &task {
        Task::Resume { program, .. } => vec![*program],
        Task::PutBack { modules } => modules.iter().map(|(_, length)| *length).collect(),
        _ => Vec::new(),
    };
    let lengths = lengths.into_iter();
    let before: Option<Vec<Vec<u8>>> = lengths
        .map(|length| from.take(Place::Follow(length)))
        .collect();
    let before = before.ok_or_else(worker::usage)?;
    let input = from.rest();
    let mut out = Writer::new(input);
    let (tag, answer) = match work(task, before, input, &mut out) {
        Ok(head) => (DONE, out.message(&head)),
        Err(refusal) => (REFUSED, Writer::new(&[]).message(&refusal)),
    };
    Ok((tag, answer.map_err(|error| error.to_string())?))
}

/// `before` has what comes before the input.
fn work(
    task: Task,
    before: Vec<Vec<u8>>,
    input: &[u8],
    out: &mut Writer<'_>,
) -> Result<Head, Refusal> {
    match task {
        Task::Read(intake) => {
            let (component, facts) = read_program(input, intake.as_deref())?;
            let (program, described) = component.into_description();
            Ok(Head::Read {
                described,
                program: out.put(program),
                facts,
            })
        }
        Task::Prepare { intake, steps } => {
            let (component, facts) = read_program(input, Some(&intake))?;
            Ok(Head::Prepared(facts, ahead(component, &steps, out)))
        }
        Task::Resume { steps, .. } => {
            let program = before.first().map_or(&[][..], Vec::as_slice);
            let component = snapshot(program, input).map_err(Refusal::Snapshot)?;
            Ok(Head::Resumed(ahead(component, &steps, out)))
        }
        Task::FindLegacy => {
            let program = read(input.to_vec()).map_err(|not| Refusal::Input(not.error))?;
            let from_text = program.is_from_text();
            let modules = legacy_exceptions::find(program.bytes(), program.kind())
                .map_err(|error| refused(error.into(), from_text, input))?;
            let modules = modules
                .into_iter()
                .map(|module| module.write(out))
                .collect();
            Ok(Head::Legacy { from_text, modules })
        }
        Task::PutBack { modules } => {
            let numbers = modules.into_iter().map(|(number, _)| number);
            let translated: Vec<(usize, Vec<u8>)> = numbers.zip(before).collect();
            let input = read(input.to_vec()).map_err(|not| Refusal::Input(not.error))?;
            let whole = legacy_exceptions::put_back(input.bytes(), input.kind(), &translated)
                .map_err(Refusal::Translated)?;
            Ok(Head::Translated(out.put(whole)))
        }
    }
}

fn read_program(bytes: &[u8], intake: Option<&Intake>) -> Result<(ValidComponent, Facts), Refusal> {
    let input = read(bytes.to_vec()).map_err(|not| Refusal::Input(not.error))?;
    let from_text = input.is_from_text();
    let adapted = match intake {
        Some(Intake {
            kind, wit: None, ..
        }) => adapt(input, *kind),
        Some(Intake {
            kind,
            wit: Some(wit),
            ..
        }) => adapt_with_wit(input, *kind, wit),
        None => only_validated(validate(input.into_bytes())),
    };
    let adapted = adapted.map_err(|error| refused(error, from_text, bytes))?;
    let Adapted {
        component,
        adapter,
        choice,
        added,
    } = adapted;
    let facts = Facts {
        from_text,
        adapter,
        choice,
        added,
        kind: component.kind(),
        length: component.bytes().len(),
        interface: component.interface(),
        resources: component.resources(),
    };
    if let Some(intake) = intake {
        check(&intake.gate, &component, &facts)?;
    }
    Ok((component, facts))
}

/// Refuses a program that breaks a demand.
fn check(gate: &Gate, program: &ValidComponent, facts: &Facts) -> Result<(), Refusal> {
    let found = gate.check(program, &facts.interface, &facts.resources);
    let found = found.map_err(Refusal::World)?;
    match found.is_empty() {
        true => Ok(()),
        false => Err(Refusal::Gate(found)),
    }
}

/// The refusal of an input with these bytes.
fn refused(error: AdaptError, from_text: bool, bytes: &[u8]) -> Refusal {
    match from_text {
        true => Refusal::Program(in_text(error, bytes), from_text),
        false => Refusal::Program(error, from_text),
    }
}

/// The error with its place in the text.
fn in_text(mut error: AdaptError, text: &[u8]) -> AdaptError {
    if let AdaptError::Invalid(ValidateError::Invalid { location, .. }) = &mut error {
        let module = location.function.as_ref().and_then(|it| it.module);
        let at = location.instruction;
        location.text = at.and_then(|at| text_place::find(text, module, at));
    }
    error
}

fn only_validated(program: Result<ValidComponent, ValidateError>) -> Result<Adapted, AdaptError> {
    Ok(Adapted {
        component: program?,
        adapter: None,
        choice: None,
        added: None,
    })
}

fn snapshot(program: &[u8], snapshot: &[u8]) -> Result<ValidComponent, SnapshotError> {
    let valid = validate(snapshot.to_vec()).map_err(SnapshotError::Invalid)?;
    match outline::difference(program, snapshot) {
        Some(what) => Err(SnapshotError::Differs { what: what.into() }),
        None => Ok(valid),
    }
}

/// Takes the steps before the optimizer, or all steps before the compiler if the optimizer gets no
/// module.
fn ahead(program: ValidComponent, steps: &Steps, out: &mut Writer<'_>) -> AheadHead {
    let begin = Instant::now();
    let parts: Parts = plan(program, steps);
    if parts.has_any() {
        let planning = begin.elapsed();
        return AheadHead {
            next: NextHead::Optimize(parts.write(out)),
            planning,
        };
    }
    let finished = finish(assemble(parts), steps.last);
    let planning = begin.elapsed();
    AheadHead {
        next: NextHead::Compile(Box::new(finished.write(out))),
        planning,
    }
}
