//! Failures as the user sees them: what failed, where, what to do, and the exit code.
//!
//! More than 400 lines: each method changes one part of the same few.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;
use serde_json::Value;

use crate::bounds::{MAX_MESSAGE_LEN, beginning};
use crate::color::{Part, paint};
use crate::document;
use crate::escape::{CUT, passed_on, safe, safe_beginning};
pub(crate) use crate::exit::{Exit, code};
use crate::key_material::{masked, without_seeds};
use crate::place::Place;
use crate::render::Format;
use crate::sarif::{self, Finding};
use crate::{github, stderr};

/// One error, ready to be shown, on standard error or in a document. Its texts quote arguments and
/// files, so everything that looks like key material is removed from them.
#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    #[serde(skip)]
    exit: Exit,
    /// A short name, which is the same in all releases.
    code: &'static str,
    /// The file or argument that the failure is about; safe.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    message: String,
    /// Whether the message was cut.
    #[serde(rename = "messageCut", skip_serializing_if = "std::ops::Not::not")]
    is_cut: bool,
    /// Whether quoted text in the message is already safe.
    #[serde(skip)]
    is_safe: bool,
    /// Where in the file it is.
    #[serde(rename = "location", skip_serializing_if = "Place::is_empty")]
    place: Box<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// The parts of the message, for machines.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Box<Value>>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, code: &'static str, message: impl Into<String>) -> Self {
        let (message, is_cut) = shown(message);
        Self {
            exit,
            code,
            subject: None,
            message,
            is_cut,
            is_safe: false,
            place: Box::default(),
            hint: None,
            details: None,
        }
    }

    /// The same failure, whose message already quotes foreign text safely: it is not escaped again.
    pub(crate) fn with_safe_message(mut self) -> Self {
        self.is_safe = true;
        self
    }

    pub(crate) fn rejected(code: &'static str, error: &dyn Error) -> Self {
        Self::new(Exit::Rejected, code, chain(error))
    }

    pub(crate) fn usage(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, code, message)
    }

    pub(crate) fn environment(code: &'static str, error: &dyn Error) -> Self {
        Self::new(Exit::Environment, code, chain(error))
    }

    /// The same failure, without text that may be a seed in hexadecimal. For a message that quotes
    /// a file in which no digest belongs.
    pub(crate) fn quoting(mut self) -> Self {
        self.message = without_seeds(&self.message);
        self
    }

    /// Names the file or argument that the failure is about.
    pub(crate) fn about(self, subject: impl std::fmt::Display) -> Self {
        self.about_safe(safe(&subject.to_string()))
    }

    /// Like [`Self::about`], for text that is already safe.
    pub(crate) fn about_safe(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(masked(&subject.into()));
        self
    }

    /// Names the file that the failure is about, where code hosts annotate it.
    pub(crate) fn in_file(self, path: &Path) -> Self {
        let mut failure = self.about(path.display());
        failure.place.set_file(path);
        failure
    }

    /// The same failure, which code hosts annotate in this file, whatever it is about.
    pub(crate) fn annotated_in(mut self, path: &Path) -> Self {
        self.place.set_file(path);
        self
    }

    /// Like [`Self::in_file`], if nothing more specific was named.
    pub(crate) fn or_in_file(self, path: &Path) -> Self {
        match self.subject {
            Some(_) => self,
            None => self.in_file(path),
        }
    }

    /// Says where in its file the failure is. A file that was named stays.
    pub(crate) fn at(mut self, place: Place) -> Self {
        let file = self.place.file.take();
        self.place = Box::new(Place { file, ..place });
        self
    }

    /// Names what the failure is about, if nothing more specific was named.
    pub(crate) fn or_about(self, subject: impl std::fmt::Display) -> Self {
        match self.subject {
            Some(_) => self,
            None => self.about(subject),
        }
    }

    /// Like [`Self::or_about`], for text that is already safe.
    pub(crate) fn or_about_safe(self, subject: impl Into<String>) -> Self {
        match self.subject {
            Some(_) => self,
            None => self.about_safe(subject),
        }
    }

    /// Adds a hint.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(masked(&hint.into()));
        self
    }

    /// Adds the parts of the message, for documents.
    pub(crate) fn with_details(mut self, details: &impl Serialize) -> Self {
        // The values belong to this workspace, and their `Serialize` cannot fail.
        self.details = serde_json::to_value(details)
            .ok()
            .map(masked_value)
            .map(Box::new);
        self
    }

    /// Replaces the message by a longer one that contains it.
    pub(crate) fn saying(mut self, message: String) -> Self {
        let (message, is_cut) = shown(message);
        self.message = message;
        self.is_cut |= is_cut;
        self
    }

    /// Replaces message and hint.
    pub(crate) fn instead(self, message: impl Into<String>, hint: &str) -> Self {
        Self {
            subject: self.subject,
            hint: Some(masked(hint)),
            place: Box::new(Place {
                file: self.place.file,
                ..Place::default()
            }),
            ..Self::new(self.exit, self.code, message)
        }
    }

    /// The same failure, but blames the file instead of the machine.
    pub(crate) fn rejected_as(mut self, code: &'static str) -> Self {
        self.exit = Exit::Rejected;
        self.code = code;
        self
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    fn exit_code(&self) -> ExitCode {
        code(self.exit)
    }

    /// Prints to standard error. Beside a JSON document, which has the details, prints only one
    /// line.
    pub(crate) fn tell(&self, format: Format) {
        match format {
            Format::Text => self.print(),
            Format::Json | Format::Sarif => {
                eprintln!("{}: {}{}", self.head("error"), self.first(), self.place());
            }
        }
    }

    /// Ends a command that prints nothing else. With `--format json`, prints the failure as the
    /// document.
    pub(crate) fn end(&self, format: Format) -> ExitCode {
        #[derive(Serialize)]
        struct Document<'a> {
            error: &'a Failure,
        }
        match format {
            Format::Text => {}
            Format::Json => document::print(false, &Document { error: self }),
            Format::Sarif => sarif::print(&[self.finding()], Some(self.exit)),
        }
        self.tell(format);
        self.exit_code()
    }

    /// Prints to standard error.
    pub(crate) fn print(&self) {
        self.print_as("error");
    }

    /// Like [`Self::print`], but as a warning: nothing failed.
    pub(crate) fn print_warning(&self) {
        self.print_as("warning");
    }

    fn print_as(&self, kind: &'static str) {
        let part = match kind {
            "warning" => Part::Warning,
            _ => Part::Error,
        };
        eprintln!("{}: {}", paint(part, &self.head(kind)), self.first());
        // These lines have their own mark, so that a quoted foreign text cannot look like a hint.
        for line in self.lines().skip(1) {
            eprintln!("  | {line}");
        }
        for line in self.around() {
            eprintln!("  | {line}");
        }
        for line in self.hint.iter().flat_map(|hint| hint.lines()) {
            eprintln!("  {} {}", paint(Part::Hint, "hint:"), safe(line));
        }
        if part == Part::Error && stderr::is_first(self.code) {
            eprintln!(
                "  {} edgec explain {}",
                paint(Part::Hint, "more:"),
                self.code
            );
        }
        if github::is_there() {
            let title = format!("edgec: {}", self.code);
            let place = self.place_in_file();
            eprintln!(
                "{}",
                github::annotation(kind, &title, &place, &self.whole())
            );
        }
    }

    /// The place and the code around it, for people.
    fn around(&self) -> Vec<String> {
        let line = self.place.line_text().filter(|_| !self.says_place());
        let line = line.map(|line| format!("--> {line}"));
        let source = self.place.source.iter();
        let source = source.map(|source| format!("source: {}", source.text()));
        let excerpt = self.place.excerpt.iter().map(|line| format!("  {line}"));
        line.into_iter().chain(source).chain(excerpt).collect()
    }

    /// Whether the message has a line with the place.
    fn says_place(&self) -> bool {
        let mut rest = self.message.lines().skip(1);
        rest.any(|line| line.trim_start().starts_with("--> "))
    }

    /// The place in a text, on the line of the message.
    fn place(&self) -> String {
        let rest = self.message.lines().skip(1);
        let mut places = rest.filter_map(|line| line.trim_start().strip_prefix("--> "));
        let place = places.next().map(safe).or_else(|| self.place.line_text());
        place.map(|place| format!(" ({place})")).unwrap_or_default()
    }

    /// The place, also if only the message has it.
    fn place_in_file(&self) -> Place {
        match self.place.is_empty() {
            false => (*self.place).clone(),
            true => Place {
                file: self.place.file.clone(),
                ..Place::in_message(&self.message)
            },
        }
    }

    /// The failure for a log of a code host.
    pub(crate) fn finding(&self) -> Finding {
        Finding {
            rule: self.code,
            message: self.whole(),
            place: self.place_in_file(),
            exit: self.exit,
        }
    }

    /// The message and the hint, for a reader who does not see the file's name beside them.
    fn whole(&self) -> String {
        let message = self.lines().collect::<Vec<_>>().join("\n");
        let subject = self.subject.iter().map(|subject| format!("{subject}: "));
        let hint = self.hint.iter().flat_map(|hint| hint.lines());
        let hint = hint.map(|line| format!("\nhint: {}", safe(line)));
        masked(&format!(
            "{}{message}{}",
            subject.collect::<String>(),
            hint.collect::<String>()
        ))
    }

    /// The file and the code, for the line that sums up several failures.
    pub(crate) fn summary(&self) -> (String, &'static str) {
        (self.subject.clone().unwrap_or_default(), self.code)
    }

    /// The kind and the code, with which the first line begins.
    fn head(&self, kind: &str) -> String {
        format!("{kind}[{}]", self.code)
    }

    /// The first line, behind the head.
    fn first(&self) -> String {
        let subject = self.subject.iter().map(|s| format!("{s}: "));
        let subject: String = subject.collect();
        format!("{subject}{}", self.lines().next().unwrap_or_default())
    }

    /// The lines of the message, made safe, because messages quote untrusted artifacts and inputs.
    fn lines(&self) -> impl Iterator<Item = String> {
        let last = self.message.lines().count().saturating_sub(1);
        let lines = self.message.lines().enumerate();
        lines.map(
            move |(number, line)| match (self.is_safe, self.is_cut && number == last) {
                (false, false) => safe(line),
                (false, true) => safe_beginning(line),
                (true, false) => passed_on(line),
                (true, true) => passed_on(line) + CUT,
            },
        )
    }
}

/// The part of a message that is shown, and whether the message was cut.
fn shown(message: impl Into<String>) -> (String, bool) {
    let (message, is_cut) = beginning(message.into(), MAX_MESSAGE_LEN);
    (masked(&message), is_cut)
}

/// The same value, with masked texts.
fn masked_value(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(masked(&text)),
        Value::Array(items) => items.into_iter().map(masked_value).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter();
            let masked = fields.map(|(name, value)| (name, masked_value(value)));
            masked.collect()
        }
        other => other,
    }
}

/// An error of the engine and its causes, in the engine's own layout. Leaves out the backtrace of
/// edgec's own code, which `RUST_BACKTRACE` would add.
pub(crate) fn trace(error: &wasmtime::Error) -> String {
    let mut text = error.to_string();
    let causes: Vec<String> = error.chain().skip(1).map(ToString::to_string).collect();
    if !causes.is_empty() {
        text.push_str("\n\nCaused by:\n");
    }
    for (number, cause) in causes.iter().enumerate() {
        text.push_str(&match causes.len() {
            1 => format!("    {cause}\n"),
            _ => format!("{number: >5}: {cause}\n"),
        });
    }
    text
}

/// An error and its causes, on one line.
pub(crate) use edgec_verifier::error_chain as chain;
