//! How the core modules of a component were merged, for people and for machines.

use edgec_compiler::{FlattenReason, Flattened};
use serde::Serialize;

use crate::render::{count, safe};

/// The maximum number of notes about instances that were not merged.
const MOST_NOTES: usize = 5;

/// How core modules were merged.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FlattenReport {
    modules_before: usize,
    modules_after: usize,
    instances_before: usize,
    instances_after: usize,
    /// How many instances of core modules were merged.
    merged: usize,
    kept: Vec<Kept>,
}

/// An instance of a core module that was not merged.
#[derive(Serialize)]
struct Kept {
    /// The number of the core module before. Nothing if the program does not define it.
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    reason: &'static str,
    because: String,
    /// Whether a note tells users about it.
    #[serde(skip)]
    told: bool,
}

impl FlattenReport {
    pub(super) fn new(done: &Flattened) -> Self {
        let kept = done.kept.iter().map(|kept| Kept {
            module: kept.module,
            name: kept.name.as_deref().map(safe),
            reason: kept.reason.code(),
            because: kept.reason.to_string(),
            // There is nothing that a user could change.
            told: kept.reason != FlattenReason::NoGain,
        });
        Self {
            modules_before: done.modules.before,
            modules_after: done.modules.after,
            instances_before: done.instances.before,
            instances_after: done.instances.after,
            merged: done.merged,
            kept: kept.collect(),
        }
    }

    /// The line of the summary. `None` if nothing was merged.
    pub(super) fn row(&self) -> Option<Vec<String>> {
        if self.merged == 0 {
            return None;
        }
        let what = format!(
            "{} -> {}, {} -> {}",
            count(self.modules_before, "core module"),
            self.modules_after,
            count(self.instances_before, "core instance"),
            self.instances_after
        );
        Some(vec!["  flatten".to_owned(), what])
    }

    /// Prints a note for each instance that was not merged.
    pub(super) fn print_kept(&self, input: &str) {
        let mut told = self.kept.iter().filter(|kept| kept.told);
        for kept in told.by_ref().take(MOST_NOTES) {
            let which = match (kept.module, &kept.name) {
                (Some(number), Some(name)) => format!("core module {number} (`{name}`)"),
                (Some(number), None) => format!("core module {number}"),
                (None, _) => "a core module".to_owned(),
            };
            eprintln!("note: {input}: {which} was not merged: {}", kept.because);
        }
        match told.count() {
            0 => {}
            more => eprintln!("note: {input}: {more} more were not merged (--format json)"),
        }
    }
}
