//! The cold-start lint as the verbs show it.

use std::time::Duration;

use edgec_artifact::Bytes;
use edgec_compiler::{
    Deadline, ENGINE_VERSION, Finding, Kind, LintProcess, MachineError, ReadError, Rule,
    ValidComponent, WorkerError, WorkerLimits,
};
use serde::Serialize;

use crate::failure::chain;
use crate::render::{self, safe};
use crate::{LINT_WORKER, unvouched, workers};

/// What the engine loses when it instantiates a program.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ColdStart {
    /// What costs most comes first; at most [`MAX_NOTES`].
    findings: Vec<Note>,
    /// How many more there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<usize>,
    /// Why there are no findings, where that is no good news.
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
    /// For each instance; none where it depends on the program.
    estimated_nanoseconds: Option<u64>,
    /// Too little to be printed as text.
    minor: bool,
    /// Whether the core module is none of the program's: it came with the component that edgec made
    /// of a core module.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    of_adapter: bool,
}

/// What to do about what comes with a component that edgec makes.
const ADAPTER: &str = "--kind module builds the core module as it is, without this";

/// More notes than this are for machines.
const MOST: usize = 12;

/// How many findings a document has. There are at most ten of one core module.
const MAX_NOTES: usize = 1000;

impl ColdStart {
    /// Of a program that is built, with the causes. Offsets lead to places in `input`, the user's
    /// file. So they are left out if edgec made other bytes of it: from text, say. The lint takes
    /// no more memory than a compiler's process may, and no more time than the program has left.
    /// `is_adapted` says whether edgec made the component of a core module.
    pub(crate) fn of_program(
        program: &ValidComponent,
        is_adapted: bool,
        input: &Bytes,
        limits: WorkerLimits,
        deadline: Deadline,
    ) -> Self {
        let deadline = deadline.or_after(Duration::from_secs(60));
        let findings = process(limits);
        let findings = findings.and_then(|process| process.program(program, deadline));
        let origin = Origin {
            kind: program.kind(),
            is_adapted,
        };
        let findings = findings.map(|mut findings| {
            if !is(program.bytes(), input) {
                let causes = findings.iter_mut().filter_map(|it| it.cause.as_mut());
                causes.for_each(|cause| cause.offset = None);
            }
            findings
        });
        Self::new(findings, origin)
    }

    /// Of an image that is not trusted, given its engine's version and its section
    /// `.wasmtime.info`.
    pub(crate) fn of_image(engine: &str, info: Option<&[u8]>, kind: Kind) -> Self {
        let major = |version: &str| version.split('.').next().map(str::to_owned);
        if major(engine) != major(ENGINE_VERSION) {
            return Self::unknown(format!("it is for wasmtime {engine}, not {ENGINE_VERSION}"));
        }
        let Some(info) = info else {
            return Self::unknown("the image does not describe itself".to_owned());
        };
        let findings = process(workers::offered(unvouched::memory(info)));
        let deadline = Deadline::after(unvouched::TIMEOUT);
        let findings = findings.and_then(|process| process.image(info, kind, deadline));
        // An image does not tell where its core modules came from.
        let is_adapted = false;
        Self::new(findings, Origin { kind, is_adapted })
    }

    fn new(findings: Result<Vec<Finding>, ReadError>, origin: Origin) -> Self {
        let mut findings = match findings {
            Ok(findings) => findings,
            Err(error) => return Self::unknown(chain(&error)),
        };
        // What is refused, then what costs most; last what depends on the program.
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

    /// What is worth a line.
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
            // One way out a rule is enough.
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

    /// The section of an inspection, empty when nothing is lost.
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

/// What findings are about.
#[derive(Clone, Copy)]
struct Origin {
    kind: Kind,
    /// Whether edgec made the component of a core module.
    is_adapted: bool,
}

impl Note {
    fn new(mut finding: Finding, origin: Origin) -> Self {
        // Names in programs and images may be any text.
        let module = finding.module.iter_mut().map(|module| &mut module.name);
        let cause = finding.cause.iter_mut().map(|cause| &mut cause.name);
        for name in module.chain(cause).flatten() {
            *name = safe(name);
        }
        // The core module that the component was made of is the first one in it.
        let module = finding.module.as_ref().filter(|_| origin.is_adapted);
        let of_adapter = module.is_some_and(|module| module.index > 0);
        let (whose, hint) = match of_adapter {
            true => (
                "not of the program, but of the component around it: ",
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

/// Whether these are the bytes that `described` describes.
fn is(bytes: &[u8], described: &Bytes) -> bool {
    bytes.len() as u64 == described.length && Bytes::of(bytes) == *described
}

fn process(limits: WorkerLimits) -> Result<LintProcess, ReadError> {
    let worker = workers::worker(LINT_WORKER, limits);
    let worker = worker.map_err(|error| WorkerError::from(MachineError::Process(error)))?;
    Ok(LintProcess { worker })
}
