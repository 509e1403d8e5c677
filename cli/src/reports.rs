//! The results of a verb for several files: a report on each, and the exit code of the worst
//! failure.

use std::process::ExitCode;

use serde::Serialize;

use crate::Outcome;
use crate::failure::{Exit, Failure, code};
use crate::render::{self, Format, out};

/// The reports on several files. If one file fails, the verb goes on.
pub(crate) struct Reports<T> {
    format: Format,
    all: Vec<T>,
    worst: Option<Exit>,
}

impl<T: Serialize> Reports<T> {
    pub(crate) fn new(format: Format) -> Self {
        Self {
            format,
            all: Vec::new(),
            worst: None,
        }
    }

    /// Prints a failure. It decides the exit code, unless there is a worse failure.
    pub(crate) fn fail(&mut self, failure: &Failure) {
        self.end_at_least_with(failure.exit());
        failure.tell(self.format);
    }

    /// Sets the exit code, unless it is already worse. Use it for a bad result that is not a
    /// failure.
    pub(crate) fn end_at_least_with(&mut self, exit: Exit) {
        self.worst = self.worst.max(Some(exit));
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

    /// Prints the JSON document with all reports, if JSON was requested.
    pub(crate) fn end(self) -> Outcome {
        if self.format == Format::Json {
            render::json(&self.all);
        }
        Ok(self.worst.map_or(ExitCode::SUCCESS, code))
    }
}
