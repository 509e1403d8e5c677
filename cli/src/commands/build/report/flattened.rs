//! How the core modules of a component were merged, for people and for machines.

use edgec_compiler::{FlattenReason, Flattened};
use serde::Serialize;

use crate::render::{count, safe};

/// The maximum number of notes about core modules that were not merged.
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

    /// Prints a note for each core module that was not merged.
    pub(super) fn print_kept(&self, input: &str) {
        for note in self.notes() {
            eprintln!("note: {input}: {note}");
        }
    }

    fn notes(&self) -> Vec<String> {
        let told = self.kept.iter().filter(|kept| kept.told);
        let notes = told.map(|kept| {
            let which = match (kept.module, &kept.name) {
                (Some(number), Some(name)) => format!("core module {number} (`{name}`)"),
                (Some(number), None) => format!("core module {number}"),
                (None, _) => "a core module".to_owned(),
            };
            format!("{which} was not merged: {}", kept.because)
        });
        let mut notes: Vec<String> = notes.collect();
        // All instances of a core module have the same note.
        notes.dedup();
        let more = notes.len().saturating_sub(MOST_NOTES);
        if more > 0 {
            let more = count(more, "more core module");
            notes.truncate(MOST_NOTES);
            notes.push(format!("{more} not merged; `--format json` lists all"));
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use edgec_compiler::KeptInstance;

    use super::*;

    fn kept(module: Option<usize>, name: Option<&str>, reason: FlattenReason) -> KeptInstance {
        KeptInstance {
            module,
            name: name.map(str::to_owned),
            reason,
        }
    }

    fn notes(kept: Vec<KeptInstance>) -> Vec<String> {
        let done = Flattened {
            kept,
            ..Flattened::default()
        };
        FlattenReport::new(&done).notes()
    }

    #[test]
    fn a_core_module_has_one_note_for_all_its_instances() {
        let again = kept(Some(2), Some("m"), FlattenReason::InstantiatedAgain);
        let found = notes(vec![
            kept(None, None, FlattenReason::DefinedElsewhere),
            kept(Some(1), None, FlattenReason::NoGain),
            again.clone(),
            again,
        ]);
        let expected = [
            "a core module was not merged: it comes from outside the component",
            "core module 2 (`m`) was not merged: it is instantiated more than once",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn of_many_core_modules_the_first_have_notes() {
        let shared = |module| kept(Some(module), None, FlattenReason::SharedMemory);
        let all = |number| notes((0..number).map(shared).collect());
        assert_eq!(all(MOST_NOTES).len(), MOST_NOTES);
        let found = all(MOST_NOTES + 2);
        assert_eq!(found.len(), MOST_NOTES + 1);
        assert_eq!(
            found[0],
            "core module 0 was not merged: it has a shared memory"
        );
        let last = "2 more core modules not merged; `--format json` lists all";
        assert_eq!(found[MOST_NOTES], last);
    }
}
