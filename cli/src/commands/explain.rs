//! `edgec explain`: explains error codes.

use std::process::ExitCode;

use serde::Serialize;

use crate::Outcome;
use crate::document;
use crate::explain::{self, Explanation, SUBJECTS};
use crate::failure::Failure;
use crate::render::{self, Format};

/// Explain error codes: what happened, how it comes about, and what to do
///
/// Without a code, lists all codes. docs/errors.md has the same texts.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The codes, such as `image-digest` of `error[image-digest]`
    #[arg(value_name = "CODE")]
    codes: Vec<String>,
    /// The output format
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Serialize)]
struct Row {
    subject: &'static str,
    about: &'static str,
    code: &'static str,
    what: &'static str,
    remedy: &'static str,
}

/// The width of the text, in characters.
const WIDTH: usize = 80;

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let named: Vec<&str> = arguments.codes.iter().map(|code| bare(code)).collect();
    if let Some(unknown) = named.iter().find(|code| explain::find(code).is_none()) {
        return Err(
            Failure::usage("unknown-code", "this edgec has no such code")
                .about(unknown)
                .hint("`edgec explain` lists the codes"),
        );
    }
    let rows = SUBJECTS.iter().flat_map(|subject| {
        let rows = subject.errors.iter();
        rows.map(|it| Row {
            subject: subject.title,
            about: subject.about,
            code: it.code,
            what: it.what,
            remedy: it.remedy,
        })
    });
    let is_wanted = |row: &Row| named.is_empty() || named.contains(&row.code);
    let rows: Vec<Row> = rows.filter(is_wanted).collect();
    document::answer_list(true, &rows, arguments.format, |_| match named.is_empty() {
        true => list(),
        false => {
            let found = named.iter().filter_map(|code| explain::find(code));
            let texts: Vec<String> = found.map(text).collect();
            texts.join("\n")
        }
    });
    Ok(ExitCode::SUCCESS)
}

/// The code in `error[code]` or in `error[code]:`, so that it can be copied from a message.
fn bare(text: &str) -> &str {
    let inner = text
        .strip_prefix("error[")
        .or_else(|| text.strip_prefix("warning["));
    let inner = inner.and_then(|inner| inner.trim_end_matches(':').strip_suffix(']'));
    inner.unwrap_or(text)
}

/// All codes, by subject.
fn list() -> String {
    let blocks = SUBJECTS.iter().map(|subject| {
        let rows = subject.errors.iter();
        let rows = rows.map(|it| vec![format!("  {}", it.code), it.what.to_owned()]);
        let rows: Vec<Vec<String>> = rows.collect();
        format!("{}\n{}", subject.title, render::table(&rows))
    });
    let blocks: Vec<String> = blocks.collect();
    format!(
        "{}\n`edgec explain CODE` says what to do about it\n",
        blocks.join("\n")
    )
}

fn text(explanation: &Explanation) -> String {
    let Explanation { code, what, remedy } = explanation;
    format!("{code}: {what}\n\n{}\n", wrapped(remedy))
}

/// A text in lines of at most [`WIDTH`] characters, if its words allow that.
fn wrapped(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_can_be_copied_from_a_message() {
        for text in ["kind", "error[kind]", "error[kind]:", "warning[kind]:"] {
            assert_eq!(bare(text), "kind");
        }
        assert_eq!(bare("error[kind"), "error[kind");
    }

    #[test]
    fn lines_break_between_words() {
        let long = "word ".repeat(40);
        let text = wrapped(long.trim_end());
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert_eq!(text.replace('\n', " "), long.trim_end());
    }
}
