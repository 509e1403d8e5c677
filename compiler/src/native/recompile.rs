//! Compiles again what is kept, without anything that is kept, and compares.

use std::fmt;
use std::time::Duration;

use crate::PrecompileError;
use crate::native::compiler_process::{CompilerProcess, failed};
use crate::native::compiler_worker::{Head, IMAGE_OF};
use crate::native::function_pack::{FunctionKey, functions_in};
use crate::native::kept_functions::{self, IMAGE};
use crate::worker::deadline::Deadline;
use crate::worker::kept::Question;
use crate::worker::wire::Reader;
use crate::worker::{self, WorkerError};

/// What a compiler's process makes of a question today.
#[derive(Debug)]
pub struct Recompiled {
    answer: Vec<u8>,
    functions: Vec<u8>,
}

/// What is wrong with a kept image.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// It is no answer of the compiler's process.
    Malformed,
    /// The native code or the data beside it differ.
    Image {
        /// The place of the first different byte in the image.
        at: u64,
    },
    /// The image is the same, and what is told about it differs: the engine's hash or the
    /// sections for debugging.
    Description,
    /// The compiler does not compile the program, for this reason.
    Refused(String),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("it is no answer of the compiler"),
            Self::Image { at } => write!(f, "the image differs from byte {at} on"),
            Self::Description => f.write_str("the engine's hash or the debug sections differ"),
            Self::Refused(reason) => write!(f, "the compiler refuses the program: {reason}"),
        }
    }
}

impl CompilerProcess {
    /// Compiles what a question asks for, before `deadline`. Takes neither an answer nor functions
    /// that are kept, and keeps nothing.
    ///
    /// # Errors
    ///
    /// [`PrecompileError::Worker`] if the process gives no answer, or if the question is not one to
    /// a compiler's process.
    pub fn recompile(
        &self,
        question: Question<'_>,
        deadline: Deadline,
    ) -> Result<Recompiled, PrecompileError> {
        let named = question.arguments.first();
        let target = named.and_then(|name| edgec_targets::find(name).ok());
        let no_question = || failed(WorkerError::no_answer(b""), "an unknown target");
        let target = target.ok_or_else(no_question)?;
        let task: &[&str] = match question.arguments.len() {
            4 => &[IMAGE_OF],
            // The question names it.
            5 => &[],
            _ => return Err(no_question()),
        };
        let arguments = [question.arguments, task].concat();
        let mut worker = self.worker.clone();
        worker.answers = None;
        // An empty pack makes the process return all functions.
        let pack = Vec::new();
        let (answer, functions) =
            kept_functions::ask_with(&worker, &arguments, question.input, pack, deadline)
                .map_err(|error| failed(error, target.id))?;
        match answer.first() {
            Some(&kind) if kind == IMAGE && parts(&answer).is_none() => {
                Err(failed(WorkerError::no_answer(&answer), target.id))
            }
            Some(_) => Ok(Recompiled { answer, functions }),
            None => Err(failed(WorkerError::no_answer(&answer), target.id)),
        }
    }
}

impl Recompiled {
    /// How a kept answer to the same question differs. `None` if it does not. The time that the
    /// work took does not count.
    pub fn difference(&self, kept: &[u8]) -> Option<Difference> {
        let Some((description, image)) = parts(&self.answer) else {
            let reason = self.answer.get(1..).unwrap_or_default();
            return Some(Difference::Refused(worker::text(reason)));
        };
        let Some((other, kept)) = parts(kept) else {
            return Some(Difference::Malformed);
        };
        if image != kept {
            let same = image
                .iter()
                .zip(kept)
                .take_while(|(one, other)| one == other);
            let at = same.count() as u64;
            return Some(Difference::Image { at });
        }
        (description != other).then_some(Difference::Description)
    }

    /// The functions that were compiled, and what Cranelift calls each by.
    pub fn functions(&self) -> impl Iterator<Item = (FunctionKey, &[u8])> {
        functions_in(&self.functions)
    }
}

/// What an answer says about the image, without times, and the image.
fn parts(answer: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (&kind, rest) = answer.split_first()?;
    let (mut head, from) = Reader::new::<Head>(rest, &[])?;
    head.stripping = Duration::ZERO;
    let rest = from.rest();
    let image = usize::try_from(head.image_len()?).ok()?;
    let (sections, image) = rest.split_at_checked(rest.len().checked_sub(image)?)?;
    let mut description = postcard::to_allocvec(&head).ok()?;
    description.extend_from_slice(sections);
    (kind == IMAGE).then_some((description, image))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::compiler_worker::reply;
    use crate::worker::wire;
    use crate::{EngineProfile, precompile};

    /// An answer with an image, whose worker needed this time to strip it.
    fn answer(stripping: Duration) -> Vec<u8> {
        let text = r#"(module (func (export "f") (result i32) i32.const 7))"#;
        let program = crate::validate(wat::parse_str(text).unwrap()).unwrap();
        let target = edgec_targets::find("x86_64").unwrap();
        let mut image = precompile(&program, target, EngineProfile::Default).unwrap();
        let debug_sections = image.strip().unwrap();
        let parts = reply(image, &debug_sections, Duration::ZERO, Vec::new());
        let parts = parts.unwrap().concat();
        let (answer, _) = kept_functions::without_pack([&[IMAGE][..], &parts].concat());
        let (mut head, from) = Reader::new::<Head>(answer.get(1..).unwrap(), &[]).unwrap();
        head.stripping = stripping;
        let message = wire::message(&head, &[from.rest()]).unwrap();
        [&[IMAGE][..], &message].concat()
    }

    fn recompiled(answer: Vec<u8>) -> Recompiled {
        let functions = Vec::new();
        Recompiled { answer, functions }
    }

    #[test]
    fn every_byte_but_the_time_counts() {
        let [genuine, later] = [1, 2].map(|ms| answer(Duration::from_millis(ms)));
        assert_ne!(genuine, later);
        let own = recompiled(genuine.clone());
        assert_eq!(own.difference(&genuine), None);
        assert_eq!(own.difference(&later), None);
        let (mut image, mut description, mut malformed) = (0, 0, 0);
        for place in 0..genuine.len() {
            let mut changed = genuine.clone();
            *changed.get_mut(place).unwrap() ^= 1;
            match own.difference(&changed) {
                Some(Difference::Image { .. }) => image += 1,
                Some(Difference::Description) => description += 1,
                Some(Difference::Malformed) => malformed += 1,
                Some(Difference::Refused(_)) => panic!("{place}"),
                // The time is behind the kind, the length of the head, and the engine's hash.
                None => assert!((41..48).contains(&place), "{place}"),
            }
            let cut = genuine.get(..place).unwrap();
            assert!(own.difference(cut).is_some(), "{place}");
        }
        assert!(image > 0 && description > 0 && malformed > 0);
        let mut changed = genuine.clone();
        *changed.last_mut().unwrap() ^= 1;
        let (_, bytes) = parts(&genuine).unwrap();
        let at = bytes.len() as u64 - 1;
        assert_eq!(own.difference(&changed), Some(Difference::Image { at }));
    }

    #[test]
    fn a_program_that_is_refused_has_no_image() {
        let refused = recompiled(b"\x02too deep".to_vec());
        let says = Difference::Refused("too deep".to_owned());
        assert_eq!(refused.difference(&answer(Duration::ZERO)), Some(says));
    }
}
