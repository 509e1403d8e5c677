//! The results of a verb for several files: a report on each, and the exit code of the worst
//! failure.

use std::process::ExitCode;

use serde::Serialize;

use crate::failure::{Exit, Failure, code};
use crate::render::{Format, out};
use crate::sarif::{self, Finding};
use crate::{Outcome, document, sum};

/// The reports on several files. If one file fails, the verb goes on.
pub(crate) struct Reports<T> {
    format: Format,
    all: Vec<T>,
    worst: Option<Exit>,
    /// The file and the code of each failure, for the last line.
    failed: Vec<(String, &'static str)>,
    /// What a SARIF log contains.
    findings: Vec<Finding>,
}

impl<T: Serialize> Reports<T> {
    pub(crate) fn new(format: Format) -> Self {
        Self {
            format,
            all: Vec::new(),
            worst: None,
            failed: Vec::new(),
            findings: Vec::new(),
        }
    }

    /// Prints a failure. It decides the exit code, unless there is a worse failure.
    pub(crate) fn fail(&mut self, failure: &Failure) {
        self.end_at_least_with(failure.exit());
        self.failed.push(failure.summary());
        if self.format == Format::Sarif {
            self.findings.push(failure.finding());
        }
        failure.tell(self.format);
    }

    /// Sets the exit code, unless it is already worse. Use it for a bad result that is not a
    /// failure.
    pub(crate) fn end_at_least_with(&mut self, exit: Exit) {
        self.worst = self.worst.max(Some(exit));
    }

    /// Notes what was found in a file, if that is not a failure of its own. `subject` is safe.
    pub(crate) fn found(&mut self, subject: &str, findings: Vec<Finding>) {
        let code = findings.first().map(|finding| finding.rule);
        self.failed
            .extend(code.map(|code| (subject.to_owned(), code)));
        self.findings.extend(findings);
    }

    /// Prints the text and the failure of a report, and keeps the report for the document.
    pub(crate) fn add(
        &mut self,
        report: T,
        failure: impl FnOnce(&T) -> Option<&Failure>,
        text: impl FnOnce(&T) -> String,
    ) {
        if self.format == Format::Text {
            out!("{}", text(&report));
        }
        if let Some(failure) = failure(&report) {
            self.fail(failure);
        }
        self.push(report);
    }

    pub(crate) fn push(&mut self, report: T) {
        self.all.push(report);
    }

    /// Prints the document with all reports, if one was requested, or the line that sums up what
    /// failed.
    pub(crate) fn end(self) -> Outcome {
        match self.format {
            Format::Json => document::print_list(self.worst.is_none(), &self.all),
            Format::Sarif => sarif::print(&self.findings, self.worst),
            Format::Text => {
                if let Some(line) = sum::line(&self.failed, self.all.len()) {
                    eprintln!("{line}");
                }
            }
        }
        Ok(self.worst.map_or(ExitCode::SUCCESS, code))
    }
}
