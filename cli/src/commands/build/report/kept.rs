//! What the optimizer did not get, gave up or removed, and where users are told about it.

use std::collections::BTreeMap;

use edgec_builder::Prepared;
use edgec_compiler::{NotPruned, ProgramKind};
use serde::Serialize;

use super::Built;
use crate::render::{count, safe};

/// The maximum number of removed imports in a note.
const MOST_IMPORTS: usize = 5;

/// What removed imports.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum RemovedBy {
    /// The optimizer, from a core module.
    Optimizer,
    /// `--prune-imports`, from a component.
    Pruning,
}

impl RemovedBy {
    pub(super) fn of(kind: ProgramKind) -> Self {
        match kind {
            ProgramKind::Module => Self::Optimizer,
            ProgramKind::Component => Self::Pruning,
        }
    }
}

/// Why the unused imports of a component stay, although they should go.
#[derive(Serialize)]
pub(super) struct ImportsKept {
    reason: &'static str,
    because: String,
}

impl ImportsKept {
    pub(super) fn new(reason: NotPruned) -> Self {
        Self {
            reason: reason.code(),
            because: reason.to_string(),
        }
    }
}

/// A core module that was not optimized.
#[derive(Serialize)]
pub(super) struct KeptModule {
    module: usize,
    reason: String,
    #[serde(skip)]
    pub(super) told: Told,
}

impl KeptModule {
    pub(super) fn all(prepared: &Prepared) -> Vec<Self> {
        let kept = prepared.kept().map(|(module, failure)| Self {
            module,
            reason: safe(&failure.to_string()),
            told: match failure {
                // The user asked for it.
                edgec_compiler::Failure::Spared => Told::Nowhere,
                // The level decides this.
                edgec_compiler::Failure::NoGain
                | edgec_compiler::Failure::Longer { .. }
                | edgec_compiler::Failure::Large { .. } => Told::InSummary,
                _ => Told::AsWarning,
            },
        });
        kept.collect()
    }
}

/// Where users are told that a core module was not optimized.
#[derive(PartialEq)]
pub(super) enum Told {
    Nowhere,
    InSummary,
    AsWarning,
}

/// A function that the optimizer did not get.
#[derive(Serialize)]
pub(super) struct KeptFunction {
    module: usize,
    /// Its index in the original program.
    function: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    reason: String,
}

impl KeptFunction {
    pub(super) fn all(prepared: &Prepared) -> Vec<Self> {
        let kept = prepared.kept_functions().map(|(module, kept)| Self {
            module,
            function: kept.index,
            name: kept.name.as_deref().map(safe),
            reason: kept.reason.to_string(),
        });
        kept.collect()
    }
}

impl Built {
    /// Prints one line for each module and reason.
    pub(super) fn print_modules_kept(&self, input: &str) {
        let warned = |kept: &&KeptModule| kept.told == Told::AsWarning;
        for kept in self.modules_kept.iter().filter(warned) {
            eprintln!(
                "warning: {input}: core module {} is left as it is: {}",
                kept.module, kept.reason
            );
        }
    }

    /// A host need not offer these imports any more, so the program may run on more hosts than
    /// before.
    pub(super) fn print_imports_removed(&self, input: &str) {
        let removed = &self.imports_removed;
        let named: Vec<String> = removed
            .iter()
            .take(MOST_IMPORTS)
            .map(|name| format!("`{name}`"))
            .collect();
        let more = match removed.len().saturating_sub(named.len()) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let were = match removed.len() {
            0 => return,
            1 => "was",
            _ => "were",
        };
        let how = match self.imports_removed_by {
            RemovedBy::Optimizer => " (-O0 removes none)",
            RemovedBy::Pruning => "",
        };
        eprintln!(
            "note: {input}: {} {were} removed: {}{more}{how}",
            count(removed.len(), "unused import"),
            named.join(", ")
        );
    }

    /// Tells that `--prune-imports` did nothing.
    pub(super) fn print_imports_kept(&self, input: &str) {
        if let Some(kept) = &self.imports_kept {
            eprintln!(
                "warning: {input}: unused imports were not removed: {}",
                kept.because
            );
        }
    }

    pub(super) fn print_functions_kept(&self, input: &str) {
        let mut alike = BTreeMap::<(usize, &str), Vec<&KeptFunction>>::new();
        for kept in &self.functions_kept {
            let alike = alike
                .entry((kept.module, kept.reason.as_str()))
                .or_default();
            alike.push(kept);
        }
        for ((module, reason), functions) in alike {
            let Some(first) = functions.first() else {
                continue;
            };
            let first = match &first.name {
                Some(name) => format!("`{name}`"),
                None => format!("number {}", first.function),
            };
            let which = match functions.len() {
                1 => format!("function {first}"),
                more => format!("{more} functions (the first is {first})"),
            };
            eprintln!(
                "note: {input}: core module {module}: not optimized: {which}, because of {reason}"
            );
        }
    }
}
