//! The page of `edgec report`: what artifacts hold, who signed them, and what changed.
//!
//! The model here is plain data, which its maker read from artifacts. Every text in it may come
//! from a hostile file. The page is bounded: long lists are cut and long names too, and the page
//! says by how much.

mod artifact;
mod change;
mod code;
mod parts;
mod trust;

use std::fmt::Write as _;

pub use change::{Change, FieldChange, FunctionChange, PartChange};
pub use code::{Code, Function, Module};
pub use trust::{Check, Outcome, Trust};

use crate::{Page, TREEMAP, Text, end_table, size, table};
use parts::cut;

/// What marks a page as a report, so that a newer report may replace it.
pub const GENERATOR: &str = "edgec report";

/// The most artifacts of one report.
pub const MAX_ARTIFACTS: usize = 64;

/// The most functions that one report lists, of all artifacts together. The smaller ones of each
/// module are summed up.
const MAX_FUNCTIONS: usize = 4000;

/// Everything that a report shows.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The artifacts, in the order in which they were named; one at least.
    pub artifacts: Vec<Artifact>,
    /// What changed, if there is a second artifact to compare with.
    pub change: Option<Change>,
}

/// One artifact.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// The name of its file.
    pub file: String,
    /// The application's name.
    pub name: String,
    /// Version, display version and channel, as one text.
    pub version: String,
    /// The name of the target.
    pub target: String,
    /// What it states about itself, by the names of the fields; in the page's order.
    pub facts: Vec<(&'static str, String)>,
    /// The length of the whole file, in bytes.
    pub length: u64,
    /// The parts of the file, in file order. Their lengths are at most `length` together.
    pub parts: Vec<Part>,
    /// What the code part holds.
    pub code: Code,
    /// What slows each instantiation, the most expensive first.
    pub cold_start: Vec<Finding>,
    /// Why `cold_start` is not known, if it is not.
    pub cold_start_unknown: Option<String>,
    /// What it imports from a host.
    pub imports: Vec<String>,
    /// What it exports. `Err` says why the names are not known.
    pub exports: Result<Vec<String>, String>,
    /// The key ids that its signatures name, which prove nothing.
    pub key_ids: Vec<String>,
    /// What was verified.
    pub trust: Trust,
}

/// A part of the file: a section of the image, or the envelope.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// When a host reads it.
    pub read: Read,
    /// Whether it is the code.
    pub is_code: bool,
    /// What it consists of, if that is known: names and lengths, together at most its own length.
    pub parts: Vec<(String, u64)>,
}

/// When a host reads a part of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// Whole, at each load.
    AtLoad(&'static str),
    /// Later, or never.
    Later(&'static str),
}

/// One finding of the cold-start lint.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule.
    pub rule: String,
    /// The finding as a sentence.
    pub message: String,
    /// The estimated cost of each instance, in nanoseconds. `None` if it depends on the program.
    pub nanoseconds: Option<u64>,
}

impl Report {
    /// The page as HTML. The same report gives the same text.
    pub fn render(&self) -> String {
        let title = self.title();
        let mut body = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut body, &title);
        let page = Page {
            title: &title,
            generator: GENERATOR,
            script: TREEMAP,
            body,
        };
        page.render()
    }

    fn title(&self) -> String {
        let names = self.artifacts.first().map(|first| {
            let more = match self.artifacts.len() {
                0 | 1 => String::new(),
                number => format!(" and {} more", number - 1),
            };
            format!("{} {}{more}", cut(&first.name), cut(&first.version))
        });
        names.unwrap_or_default()
    }

    fn write(&self, out: &mut String, title: &str) -> std::fmt::Result {
        writeln!(out, "<header>\n<h1>{}</h1>", Text(title))?;
        writeln!(
            out,
            "<p class=\"dim\">What is in the artifact, by <code>edgec report</code>. \
             docs/report.md says how to read it.</p>\n</header>\n<main>"
        )?;
        trust::overview(out, &self.artifacts)?;
        if self.artifacts.len() > 1 {
            self.side_by_side(out)?;
        }
        let each = MAX_FUNCTIONS / self.artifacts.len().max(1);
        for (number, artifact) in self.artifacts.iter().enumerate() {
            artifact.write(out, number, each)?;
        }
        if let Some(change) = &self.change {
            change.write(out)?;
        }
        writeln!(out, "</main>")
    }

    /// The artifacts as columns.
    fn side_by_side(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "<h2 id=\"targets\">Targets side by side</h2>")?;
        let targets = self.artifacts.iter().map(|it| cut(&it.target));
        let targets: Vec<String> = targets.map(|it| Text(&it).to_string()).collect();
        let columns = std::iter::once("").chain(targets.iter().map(String::as_str));
        let columns: Vec<(&str, bool)> = columns.map(|name| (name, false)).collect();
        table(out, ("Targets side by side", ""), &columns)?;
        let mut row = |name: &str, value: &dyn Fn(&Artifact) -> String| -> std::fmt::Result {
            write!(out, "<tr><th scope=\"row\">{}</th>", Text(&cut(name)))?;
            for artifact in &self.artifacts {
                write!(out, "<td>{}</td>", Text(&value(artifact)))?;
            }
            writeln!(out, "</tr>")
        };
        row("file", &|it| cut(&it.file))?;
        row("application", &|it| {
            format!("{} {}", cut(&it.name), cut(&it.version))
        })?;
        row("verified", &|it| it.trust.word().to_owned())?;
        row("bytes of the file", &|it| size(it.length))?;
        row("bytes that a load reads", &|it| size(it.read_at_load()))?;
        row("imports", &|it| it.imports.len().to_string())?;
        let mut names: Vec<&str> = Vec::new();
        for part in self.artifacts.iter().flat_map(|it| &it.parts) {
            if !names.contains(&part.name.as_str()) {
                names.push(&part.name);
            }
        }
        for name in names {
            row(name, &|it| {
                let mut parts = it.parts.iter().filter(|part| part.name == name);
                parts.next().map_or("-".to_owned(), |part| size(part.bytes))
            })?;
        }
        end_table(out)
    }
}

#[cfg(test)]
mod tests;
