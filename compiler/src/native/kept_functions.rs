//! How a compiler's process gets the functions of earlier compilations, and returns new ones.
//!
//! ```text
//! input:  program │ functions                 the length of the program is an argument
//! answer: kind 1 │ length of the functions 8, little-endian │ functions │ head and image
//! ```

use std::sync::Arc;

use crate::native::function_pack::FunctionPack;
use crate::worker::deadline::Deadline;
use crate::worker::kept::{Asked, Question};
use crate::worker::{self, Worker, WorkerError};

/// The maximum length of an answer, in bytes (2 GiB): longer than any artifact together with its
/// functions.
pub(super) const MAX_ANSWER_LEN: u64 = 2 << 30;
/// The kind of an answer with an image.
pub(super) const IMAGE: u8 = 0;
/// The kind of the question for the functions of an application.
const FUNCTIONS: &str = "functions";
/// The argument of a worker that gets no functions.
const WITHOUT_PACK: &str = "none";

/// The answer of a compiler's process, without the functions that it adds to the pack. `scope` says
/// whose functions it gets, if it gets any.
pub(super) fn ask(
    worker: &Worker,
    scope: Option<&str>,
    arguments: &[&str],
    program: &[u8],
    deadline: Deadline,
) -> Result<Vec<u8>, WorkerError> {
    let Some(scope) = scope else {
        let asked = [arguments, &[WITHOUT_PACK]].concat();
        let answer = worker.ask(&asked, program, MAX_ANSWER_LEN, deadline)?;
        return Ok(without_pack(answer).0);
    };
    // The target and the profile.
    let of_application = [arguments.get(..2).unwrap_or_default(), &[scope]].concat();
    let question = Question::new(FUNCTIONS, &of_application, &[]);
    let functions = Asked::new(worker.answers.as_ref(), question);
    let pack = functions.recall().unwrap_or_default();
    let (answer, pack) = ask_with(worker, arguments, program, pack, deadline)?;
    if !pack.is_empty() {
        functions.keep_whole(&pack);
    }
    Ok(answer)
}

/// The answer of a compiler's process that gets these functions, and the new functions as a pack,
/// which is empty if there are none.
pub(super) fn ask_with(
    worker: &Worker,
    arguments: &[&str],
    program: &[u8],
    pack: Vec<u8>,
    deadline: Deadline,
) -> Result<(Vec<u8>, Vec<u8>), WorkerError> {
    let length = program.len().to_string();
    let asked = [arguments, &[&length]].concat();
    let input = [program, &pack].concat();
    drop(pack);
    let answer = worker.ask(&asked, &input, MAX_ANSWER_LEN, deadline)?;
    Ok(without_pack(answer))
}

/// The program and the functions in a worker's input, and where new functions go. `length` is the
/// worker's argument.
///
/// # Errors
///
/// The argument is invalid: edgec did not start this process.
pub(super) fn taken_apart(
    input: Vec<u8>,
    length: &str,
) -> Result<(Vec<u8>, Option<Arc<FunctionPack>>), String> {
    if length == WITHOUT_PACK {
        return Ok((input, None));
    }
    let (program, pack) = split(input, length)?;
    Ok((program, Some(Arc::new(FunctionPack::read(pack)))))
}

/// The first bytes of an input, as many as an argument says, and the others.
///
/// # Errors
///
/// The argument is invalid: edgec did not start this process.
pub(super) fn split(mut input: Vec<u8>, length: &str) -> Result<(Vec<u8>, Vec<u8>), String> {
    let length = length.parse::<usize>().map_err(|_| worker::usage())?;
    let length = Some(length).filter(|length| *length <= input.len());
    let rest = input.split_off(length.ok_or_else(worker::usage)?);
    Ok((input, rest))
}

/// The part of an answer with functions.
pub(super) fn in_answer(pack: Vec<u8>) -> Vec<Vec<u8>> {
    vec![(pack.len() as u64).to_le_bytes().to_vec(), pack]
}

/// An answer without the functions in it, and these functions.
pub(super) fn without_pack(mut answer: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
    let length = match answer.split_first() {
        Some((&IMAGE, rest)) => rest.first_chunk::<8>().map(|it| u64::from_le_bytes(*it)),
        _ => None,
    };
    let end = length.and_then(|length| usize::try_from(length).ok()?.checked_add(9));
    match end {
        Some(end) if end <= answer.len() => {
            let pack = answer.drain(1..end).skip(8).collect();
            (answer, pack)
        }
        _ => (answer, Vec::new()),
    }
}
