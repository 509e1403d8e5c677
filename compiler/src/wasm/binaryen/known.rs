//! Results of the optimizer that are kept for later builds.
//!
//! The contents of data segments are left out of the question and of the answer where that is
//! possible, because they do not matter (`data_apart.rs`).

use std::ffi::OsString;
use std::sync::Arc;

use crate::wasm::data_apart::Bare;
use crate::worker::kept::{Asked, KeptAnswers, Question};

/// The kind of a question about a whole module, and about a module without its data.
const WHOLE: &str = "optimize";
const BARE: &str = "optimize-bare";

/// A module for the optimizer, and where its result may be kept.
pub(super) struct Known<'m> {
    answers: Option<&'m Arc<dyn KeptAnswers>>,
    module: &'m [u8],
    arguments: Vec<&'m str>,
    /// The module without its data, in bytes, and its data.
    bare: Option<(Vec<u8>, Vec<&'m [u8]>)>,
}

impl<'m> Known<'m> {
    pub(super) fn new(
        answers: Option<&'m Arc<dyn KeptAnswers>>,
        module: &'m [u8],
        arguments: &'m [OsString],
    ) -> Self {
        let bare = answers.and_then(|_| {
            let (bare, data) = Bare::of(module)?;
            Some((postcard::to_allocvec(&bare).ok()?, data))
        });
        Self {
            answers,
            module,
            arguments: arguments.iter().filter_map(|it| it.to_str()).collect(),
            bare,
        }
    }

    fn question<'q>(&'q self, kind: &'static str, input: &'q [u8]) -> Asked<'q> {
        let question = Question::new(kind, &self.arguments, input);
        Asked::new(self.answers, question)
    }

    /// The optimized module, if it is kept.
    pub(super) fn recall(&self) -> Option<Vec<u8>> {
        let Some((bare, data)) = &self.bare else {
            return self.question(WHOLE, self.module).recall();
        };
        let answer = self.question(BARE, bare).recall();
        match answer.and_then(|answer| postcard::from_bytes::<Bare>(&answer).ok()) {
            Some(optimized) => optimized.with(data),
            None => self.question(WHOLE, self.module).recall(),
        }
    }

    /// Keeps the optimized module.
    pub(super) fn keep(&self, optimized: &[u8]) {
        if let Some((bare, data)) = &self.bare
            && let Some((result, kept)) = Bare::of(optimized)
            // The same segments are there, in their order.
            && kept == *data
            && let Ok(answer) = postcard::to_allocvec(&result)
        {
            return self.question(BARE, bare).keep_whole(&answer);
        }
        self.question(WHOLE, self.module).keep_whole(optimized);
    }
}
