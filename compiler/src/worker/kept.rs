//! Answers of workers that are kept for later builds.
//!
//! An answer follows from the worker's program, its arguments and its input. Nothing else reaches a
//! worker behind its walls, and neither time nor memory decides bytes. So the answer to the same
//! question can take the place of a process. Only answers that a stage accepts are kept: never an
//! error, which may be due to the machine.

use std::fmt;
use std::sync::{Arc, OnceLock};

use sha2::{Digest as _, Sha256};

use crate::ValidComponent;
use crate::worker::Worker;

/// A question to a worker: what decides its answer, apart from the worker's program.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Question<'q> {
    /// The worker's verb, such as `__precompile`.
    pub verb: &'q str,
    /// Its arguments, without its limits.
    pub arguments: &'q [&'q str],
    /// Its input.
    pub input: &'q [u8],
    /// Where the input's digest is kept, once it is known.
    digest: Option<&'q OnceLock<[u8; 32]>>,
}

impl<'q> Question<'q> {
    /// A question.
    pub const fn new(verb: &'q str, arguments: &'q [&'q str], input: &'q [u8]) -> Self {
        Self {
            verb,
            arguments,
            input,
            digest: None,
        }
    }

    /// The SHA-256 of the input.
    pub fn input_sha256(&self) -> [u8; 32] {
        let digest = || Sha256::digest(self.input).into();
        self.digest
            .map_or_else(digest, |known| *known.get_or_init(digest))
    }
}

/// A place where answers are kept. It must give an answer only to the question for which it was
/// kept, by a worker of the same program: a wrong answer may be foreign native code.
pub trait KeptAnswers: Send + Sync + fmt::Debug {
    /// The answer to a question, if it is kept.
    fn recall(&self, question: Question<'_>) -> Option<Vec<u8>>;

    /// Keeps an answer.
    fn keep(&self, question: Question<'_>, answer: &[u8]);
}

/// A question, and where answers to it may be kept.
pub(crate) struct Asked<'q> {
    answers: Option<&'q Arc<dyn KeptAnswers>>,
    question: Question<'q>,
    /// The digest of the input, unless the question has a place for it.
    digest: OnceLock<[u8; 32]>,
}

impl Worker {
    /// A question to this worker.
    pub(crate) fn question<'q>(&'q self, arguments: &'q [&'q str], input: &'q [u8]) -> Asked<'q> {
        let verb = self.arguments.first().and_then(|verb| verb.to_str());
        let question = Question::new(verb.unwrap_or_default(), arguments, input);
        Asked::new(self.answers.as_ref(), question)
    }

    /// A question to this worker about a program.
    pub(crate) fn question_about<'q>(
        &'q self,
        arguments: &'q [&'q str],
        program: &'q ValidComponent,
    ) -> Asked<'q> {
        let mut asked = self.question(arguments, program.bytes());
        asked.question.digest = Some(program.digest());
        asked
    }
}

impl<'q> Asked<'q> {
    /// A question whose answers are kept here.
    pub(crate) fn new(answers: Option<&'q Arc<dyn KeptAnswers>>, question: Question<'q>) -> Self {
        let digest = OnceLock::new();
        Self {
            answers,
            question,
            digest,
        }
    }

    fn question(&self) -> Question<'_> {
        let digest = self.question.digest.or(Some(&self.digest));
        Question {
            digest,
            ..self.question
        }
    }

    /// The answer, if it is kept.
    pub(crate) fn recall(&self) -> Option<Vec<u8>> {
        self.answers?.recall(self.question())
    }

    /// Keeps an answer.
    pub(crate) fn keep_whole(&self, answer: &[u8]) {
        if let Some(answers) = self.answers {
            answers.keep(self.question(), answer);
        }
    }

    /// Keeps an answer if it has this kind.
    pub(crate) fn keep(&self, answer: &[u8], kind: u8) {
        if answer.first() == Some(&kind) {
            self.keep_whole(answer);
        }
    }
}
