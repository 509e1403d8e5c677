//! The work of the process that reads inputs.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{Facts, SnapshotError};
use crate::input::text_place;
use crate::input::validate::Description;
use crate::wasm::finish::{self, finish};
use crate::wasm::optimize::{self, Parts, assemble, plan};
use crate::wasm::outline;
use crate::worker;
use crate::worker::wire::{Place, Reader, Writer};
use crate::{
    AdaptError, Adapted, InputError, KindChoice, Steps, ValidComponent, ValidateError, adapt, read,
    validate,
};

/// The first byte of an answer.
pub(super) const DONE: u8 = 0;
pub(super) const REFUSED: u8 = 1;

/// A task. The input follows.
#[derive(Serialize, Deserialize)]
pub(super) enum Task {
    /// Read and validate the input, and turn it into the requested kind, if there is one.
    Read(Option<KindChoice>),
    /// The same, and the steps before the optimizer.
    Prepare { asked: KindChoice, steps: Steps },
    /// Check that the input differs only in its state from a program of this length, which comes
    /// before the input. Then take the steps before the optimizer.
    Resume { program: u64, steps: Steps },
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
    Snapshot(SnapshotError),
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
    let program = match &task {
        Task::Resume { program, .. } => from.take(Place::Follow(*program)),
        _ => Some(Vec::new()),
    };
    let program = program.ok_or_else(worker::usage)?;
    let input = from.rest();
    let mut out = Writer::new(input);
    let (tag, answer) = match work(task, &program, input, &mut out) {
        Ok(head) => (DONE, out.message(&head)),
        Err(refusal) => (REFUSED, Writer::new(&[]).message(&refusal)),
    };
    Ok((tag, answer.map_err(|error| error.to_string())?))
}

fn work(task: Task, program: &[u8], input: &[u8], out: &mut Writer<'_>) -> Result<Head, Refusal> {
    match task {
        Task::Read(asked) => {
            let (component, facts) = read_program(input, asked)?;
            let (program, described) = component.into_description();
            Ok(Head::Read {
                described,
                program: out.put(program),
                facts,
            })
        }
        Task::Prepare { asked, steps } => {
            let (component, facts) = read_program(input, Some(asked))?;
            Ok(Head::Prepared(facts, ahead(component, &steps, out)))
        }
        Task::Resume { steps, .. } => {
            let component = snapshot(program, input).map_err(Refusal::Snapshot)?;
            Ok(Head::Resumed(ahead(component, &steps, out)))
        }
    }
}

fn read_program(
    bytes: &[u8],
    asked: Option<KindChoice>,
) -> Result<(ValidComponent, Facts), Refusal> {
    let input = read(bytes.to_vec()).map_err(|not| Refusal::Input(not.error))?;
    let from_text = input.is_from_text();
    let adapted = match asked {
        Some(asked) => adapt(input, asked),
        None => only_validated(validate(input.into_bytes())),
    };
    let adapted = adapted.map_err(|error| match from_text {
        true => Refusal::Program(in_text(error, bytes), from_text),
        false => Refusal::Program(error, from_text),
    })?;
    let Adapted {
        component,
        adapter,
        choice,
    } = adapted;
    let facts = Facts {
        from_text,
        adapter,
        choice,
        kind: component.kind(),
        length: component.bytes().len(),
        interface: component.interface(),
        resources: component.resources(),
    };
    Ok((component, facts))
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
    let finished = finish(assemble(parts), steps.order);
    let planning = begin.elapsed();
    AheadHead {
        next: NextHead::Compile(Box::new(finished.write(out))),
        planning,
    }
}
