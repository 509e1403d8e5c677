//! The table in the summary of a build: one line for each stage and artifact.

use std::time::Duration;

use super::kept::{KeptModule, RemovedBy, Told};
use super::{ArtifactReport, Built};
use crate::render::{count, safe, seconds, size};

/// A line of the summary: a stage, what it did, and its time in seconds.
fn row(name: &str, what: String, time: f64) -> Vec<String> {
    let time = seconds(Duration::from_secs_f64(time));
    vec![format!("  {name}"), what, time]
}

impl Built {
    pub(super) fn translate_row(&self) -> Option<Vec<String>> {
        let translated = self.translate.as_ref()?;
        let modules = count(translated.modules.len(), "core module");
        let what = format!("legacy exceptions to standard ones, {modules}");
        Some(row("translate", what, translated.seconds))
    }

    pub(super) fn validate_row(&self) -> Vec<String> {
        let adapted = match self.adapter {
            Some("none") => ", wrapped".to_owned(),
            Some(adapter) => format!(", with {adapter}"),
            None => String::new(),
        };
        let what = format!("{}{adapted}", self.kind);
        row("validate", what, self.validate_seconds)
    }

    pub(super) fn init_row(&self) -> Option<Vec<String>> {
        let init = self.init.as_ref()?;
        let what = format!(
            "{}, {} -> {}",
            safe(&init.function),
            size(self.component_bytes as u64),
            size(init.component_bytes as u64)
        );
        Some(row("init", what, init.seconds))
    }

    pub(super) fn optimize_row(&self) -> Option<Vec<String>> {
        if self.modules == 0 {
            return None;
        }
        let before = match &self.init {
            Some(init) => init.component_bytes,
            None => self.component_bytes,
        };
        let what = format!(
            "-O{}, {} of {}{}{}{}, {} -> {}",
            self.level,
            self.modules - self.modules_kept.len(),
            count(self.modules, "core module"),
            self.without_gain(),
            self.all_but(),
            self.removed(),
            size(before as u64),
            size(self.optimized_bytes as u64)
        );
        Some(row("optimize", what, self.optimize_seconds))
    }

    /// The line about imports that `--prune-imports` removed. `None` if it removed none.
    pub(super) fn prune_row(&self) -> Option<Vec<String>> {
        if self.imports_removed.is_empty() || self.imports_removed_by != RemovedBy::Pruning {
            return None;
        }
        let what = count(self.imports_removed.len(), "unused import");
        Some(vec!["  prune".to_owned(), format!("{what} removed")])
    }

    /// How many modules were not optimized because the optimizer would gain little.
    fn without_gain(&self) -> String {
        let counted = |kept: &&KeptModule| kept.told == Told::InSummary;
        match self.modules_kept.iter().filter(counted).count() {
            0 => String::new(),
            modules => format!(" ({modules} would gain little)"),
        }
    }

    /// What was removed from the program, apart from what the optimizer removed. It explains why a
    /// program becomes shorter even if the optimizer got none of its modules.
    fn removed(&self) -> String {
        let mut gone = Vec::new();
        let imports = match self.imports_removed_by {
            RemovedBy::Optimizer => self.imports_removed.len(),
            // They have a line of their own.
            RemovedBy::Pruning => 0,
        };
        for (removed, what) in [
            (self.exports_removed.iter().sum(), "unused export"),
            (imports, "unused import"),
            (self.duplicates_removed, "duplicate"),
        ] {
            if removed > 0 {
                gone.push(count(removed, what));
            }
        }
        if self.names_bytes_removed > 0 {
            gone.push("names".to_owned());
        }
        match gone.as_slice() {
            [] => String::new(),
            gone => format!(", {} removed", gone.join(" and ")),
        }
    }

    /// How many functions the optimizer did not get.
    fn all_but(&self) -> String {
        match self.functions_kept.len() {
            0 => String::new(),
            kept => format!(", all but {}", count(kept, "function")),
        }
    }
}

impl ArtifactReport {
    /// The artifact's line of the summary, and one for each file beside it.
    pub(super) fn rows(&self) -> Vec<Vec<String>> {
        let what = format!("{} ({})", self.path, size(self.bytes as u64));
        let time = self.times.sum().as_secs_f64();
        let mut rows = vec![row(self.target, what, time)];
        let debug = |path: &String| vec!["  debug".to_owned(), path.clone()];
        rows.extend(self.debug_file.iter().map(debug));
        let provenance = |path: &String| vec!["  provenance".to_owned(), path.clone()];
        rows.extend(self.provenance.iter().map(provenance));
        rows
    }
}
