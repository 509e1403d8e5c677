//! How verbs show the cold-start lint.

use edgec_builder::{WorkerProgram, unverified};
use edgec_compiler::{ENGINE_VERSION, Finding, Flattened, ProgramKind, ReadError, Rule};
use serde::Serialize;

use crate::failure::chain;
use crate::render::{self, safe};

/// What slows the instantiation of a program.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ColdStart {
    /// The most expensive findings come first; at most [`MAX_NOTES`].
    findings: Vec<Note>,
    /// How many more findings there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<usize>,
    /// If there are no findings for a bad reason: the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Note {
    #[serde(flatten)]
    finding: Finding,
    message: String,
    hint: &'static str,
    /// The estimate for each instance. `None` if it depends on the program.
    estimated_nanoseconds: Option<u64>,
    /// Whether the finding is too small for text output.
    minor: bool,
    /// Whether the core module is not the program's own: it came with the component that edgec made
    /// from a core module.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    of_adapter: bool,
}

/// What to do about findings in a component that edgec made.
const ADAPTER: &str = "--kind module builds the core module as it is, without this";

/// The maximum number of notes in text output. More are for machines.
const MOST: usize = 12;

/// The maximum number of findings in a document. One core module has at most ten.
const MAX_NOTES: usize = 1000;

impl ColdStart {
    /// For a program that was built, with the causes.
    pub(crate) fn of_program(
        findings: Result<Vec<Finding>, ReadError>,
        kind: ProgramKind,
        modules: Modules<'_>,
    ) -> Self {
        Self::new(findings, Origin { kind, modules })
    }

    /// For an untrusted image, from its engine's version and its section `.wasmtime.info`.
    pub(crate) fn of_image(engine: &str, info: Option<&[u8]>, kind: ProgramKind) -> Self {
        let major = |version: &str| version.split('.').next().map(str::to_owned);
        if major(engine) != major(ENGINE_VERSION) {
            return Self::unknown(format!("it is for wasmtime {engine}, not {ENGINE_VERSION}"));
        }
        let Some(info) = info else {
            return Self::unknown("the image does not describe itself".to_owned());
        };
        let program = match WorkerProgram::this() {
            Ok(program) => program,
            Err(error) => return Self::unknown(chain(&error)),
        };
        let findings = unverified::lint(&program, info, kind);
        // An image does not say where its core modules came from.
        let modules = Modules::Own;
        Self::new(findings, Origin { kind, modules })
    }

    fn new(findings: Result<Vec<Finding>, ReadError>, origin: Origin<'_>) -> Self {
        let mut findings = match findings {
            Ok(findings) => findings,
            Err(error) => return Self::unknown(chain(&error)),
        };
        // First what a host refuses, then the most expensive findings, last those that depend on
        // the program.
        findings.sort_by_key(|finding| {
            let refused = finding.rule == Rule::PoolLimits;
            std::cmp::Reverse((refused, finding.nanoseconds()))
        });
        let more = findings.len().saturating_sub(MAX_NOTES);
        findings.truncate(MAX_NOTES);
        Self {
            findings: findings
                .into_iter()
                .map(|it| Note::new(it, origin))
                .collect(),
            more: Some(more).filter(|more| *more > 0),
            unknown: None,
        }
    }

    fn unknown(reason: String) -> Self {
        Self {
            findings: Vec::new(),
            more: None,
            unknown: Some(safe(&reason)),
        }
    }

    /// The rule, the message and the estimate in nanoseconds of each finding that deserves a line.
    pub(crate) fn listed(&self) -> impl Iterator<Item = (&'static str, &str, Option<u64>)> {
        let notes = self.notable();
        notes.map(|it| (it.rule(), it.message.as_str(), it.estimated_nanoseconds))
    }

    /// Why the findings are not known, if they are not; safe.
    pub(crate) fn unknown_because(&self) -> Option<&str> {
        self.unknown.as_deref()
    }

    /// The findings that deserve a line.
    fn notable(&self) -> impl Iterator<Item = &Note> {
        self.findings.iter().filter(|note| !note.minor)
    }

    /// The notes of a build, on standard error.
    pub(crate) fn print(&self, input: &str) {
        if let Some(reason) = &self.unknown {
            eprintln!("note[cold-start]: {input}: not known: {reason}");
        }
        let mut hinted = Vec::new();
        for note in self.notable().take(MOST) {
            eprintln!("note[{}]: {input}: {}", note.rule(), note.message);
            // One hint for each rule is enough.
            if !hinted.contains(&note.hint) {
                eprintln!("  hint: {}", note.hint);
                hinted.push(note.hint);
            }
        }
        let left = self.notable().skip(MOST).count();
        if left > 0 {
            eprintln!("note[cold-start]: {input}: {left} more with --format json");
        }
    }

    /// The section of an inspection. It is empty if there are no findings.
    pub(crate) fn section(&self) -> String {
        let mut rows: Vec<Vec<String>> = self
            .notable()
            .take(MOST)
            .map(|note| vec![note.rule().to_owned(), note.message.clone()])
            .collect();
        rows.extend(
            self.unknown
                .iter()
                .map(|reason| vec!["(not known)".to_owned(), reason.clone()]),
        );
        if rows.is_empty() {
            return String::new();
        }
        rows.insert(0, vec!["COLD START".to_owned(), String::new()]);
        let more = match self.notable().skip(MOST).count() {
            0 => String::new(),
            left => format!("({left} more with --format json)\n"),
        };
        format!("{}{more}\n", render::table(&rows))
    }
}

/// Where the core modules of a program come from.
#[derive(Clone, Copy)]
pub(crate) enum Modules<'f> {
    /// They are the program's own, as far as edgec knows.
    Own,
    /// edgec made the component from a core module, and an adapter came with it.
    Adapted {
        /// How the core modules were merged, if they were.
        merged: Option<&'f Flattened>,
    },
}

/// The program that the findings are about.
#[derive(Clone, Copy)]
struct Origin<'f> {
    kind: ProgramKind,
    modules: Modules<'f>,
}

impl Origin<'_> {
    /// Whether a finding is not about the core module from which the component was made, which is
    /// the first one in it.
    fn is_of_adapter(self, finding: &Finding) -> bool {
        let (Modules::Adapted { merged }, Some(module)) = (self.modules, &finding.module) else {
            return false;
        };
        let index = usize::try_from(module.index).unwrap_or(usize::MAX);
        match merged.and_then(|it| Some((it.parts.get(index)?, &it.starts))) {
            // Of all that a merged module does, only start functions may be the adapter's.
            Some((parts, starts)) if parts.contains(&0) => {
                finding.rule == Rule::StartFunction && parts.len() > 1 && !starts.contains(&0)
            }
            Some(_) => true,
            None => index > 0,
        }
    }
}

impl Note {
    fn new(mut finding: Finding, origin: Origin<'_>) -> Self {
        // Names in programs and images can be any text.
        let module = finding.module.iter_mut().map(|module| &mut module.name);
        let cause = finding.cause.iter_mut().map(|cause| &mut cause.name);
        for name in module.chain(cause).flatten() {
            *name = safe(name);
        }
        let of_adapter = origin.is_of_adapter(&finding);
        let (whose, hint) = match of_adapter {
            true => (
                "not in the program, but in the component around it: ",
                ADAPTER,
            ),
            false => ("", finding.rule.hint(origin.kind)),
        };
        Self {
            message: format!("{whose}{finding}"),
            hint,
            estimated_nanoseconds: finding.nanoseconds(),
            minor: finding.is_minor(),
            of_adapter,
            finding,
        }
    }

    fn rule(&self) -> &'static str {
        self.finding.rule.name()
    }
}
