//! `edgec cache verify --recompile`: what compiling kept images again has shown.

use std::path::Path;

use edgec_builder::cache::{self, DifferentImage, Recompilation};
use serde::Serialize;

use crate::caching::cache_failure;
use crate::failure::{Failure, chain};
use crate::render::{count, safe};
use crate::workers::{LimitArguments, program};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Recompiled {
    /// How many images were compiled again.
    images: u64,
    different: Vec<Different>,
    left_out: u64,
    of_another_edgec: u64,
    without_question: u64,
    unanswered: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    unanswered_why: Option<String>,
    functions: Functions,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Different {
    /// The file, in the folder of the cache.
    entry: String,
    target: String,
    profile: String,
    /// The digest of the program that the compiler got.
    program: String,
    why: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Functions {
    kept: u64,
    compared: u64,
    different: u64,
    /// The files with functions that differ.
    entries: Vec<String>,
}

/// Compiles up to `most` images of a namespace again.
pub(super) fn run(
    folder: &Path,
    limits: &LimitArguments,
    namespace: &str,
    most: u64,
) -> Result<Recompiled, Failure> {
    let compiler = limits.compiler()?;
    let timeout = limits.timeout();
    let done = cache::recompile(folder, &program()?, namespace, &compiler, most, timeout);
    let done = done.map_err(|error| cache_failure(&error))?;
    Ok(Recompiled::of(done))
}

impl Recompiled {
    fn of(done: Recompilation) -> Self {
        let functions = done.functions;
        let entries = functions.entries.iter();
        let entries = entries.map(|entry| format!("functions/{entry}"));
        Self {
            images: done.images,
            different: done.different.iter().map(Different::of).collect(),
            left_out: done.left_out,
            of_another_edgec: done.of_another,
            without_question: done.without_question,
            unanswered: done.unanswered,
            unanswered_why: done.unanswered_why.map(|error| safe(&chain(&error))),
            functions: Functions {
                kept: functions.kept,
                compared: functions.compared,
                different: functions.different,
                entries: entries.collect(),
            },
        }
    }

    /// Whether something is not what edgec makes.
    pub(super) fn differs(&self) -> bool {
        !self.different.is_empty() || self.functions.different > 0
    }

    pub(super) fn text(&self) -> String {
        let mut lines = vec![format!(
            "{} compiled again: {}",
            number(self.images, "image"),
            outcome(self.images, self.different.len() as u64)
        )];
        lines.extend(self.different.iter().map(|it| {
            format!(
                "  {}: {} ({}, profile {}, of the program {})",
                it.entry, it.why, it.target, it.profile, it.program
            )
        }));
        let functions = &self.functions;
        if functions.kept > 0 {
            lines.push(format!(
                "{} of {} compared with them: {}",
                functions.compared,
                number(functions.kept, "kept function"),
                outcome(functions.compared, functions.different)
            ));
            lines.extend(functions.entries.iter().map(|it| format!("  {it}")));
        }
        for (images, why) in [
            (self.left_out, "not in the sample"),
            (
                self.of_another_edgec,
                "of another edgec or namespace, and not used",
            ),
            (
                self.without_question,
                "without the question, so nothing is known",
            ),
            (self.unanswered, "not compiled, so nothing is known"),
        ] {
            if images > 0 {
                lines.push(format!("{}: {why}", number(images, "image")));
            }
        }
        lines.extend(self.unanswered_why.iter().map(|why| format!("  {why}")));
        if self.differs() {
            lines.push(
                "the entries that differ are removed; others may be wrong too: \
                 `edgec cache prune` removes all, and docs/cache.md says what to do next"
                    .to_owned(),
            );
        }
        lines.join("\n") + "\n"
    }
}

impl Different {
    fn of(it: &DifferentImage) -> Self {
        Self {
            entry: format!("precompile/{}", it.entry),
            target: safe(&it.target),
            profile: safe(&it.profile),
            program: it.program.to_string(),
            why: safe(&it.difference.to_string()),
        }
    }
}

/// How many of these differ.
fn outcome(all: u64, different: u64) -> String {
    match (all, different) {
        (0, _) => "nothing is known".to_owned(),
        (_, 0) => "no difference".to_owned(),
        (_, 1) => "1 differs".to_owned(),
        (_, more) => format!("{more} differ"),
    }
}

fn number(number: u64, what: &str) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), what)
}
