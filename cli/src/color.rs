//! Colours of messages on standard error: `--color`, and the variables `NO_COLOR` and
//! `CLICOLOR_FORCE` (<https://no-color.org>, <https://bixense.com/clicolors>).

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::sync::OnceLock;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ColorChoice};

use crate::terminal::is_plain;

/// The choice of this process. It is global, because every message asks.
static CHOICE: OnceLock<Choice> = OnceLock::new();

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    /// If a person watches.
    Auto,
    Always,
    Never,
}

/// The option. The parser only checks it: [`decide`] reads it before there is a parser, whose own
/// messages have colours too.
pub(crate) fn option() -> Arg {
    Arg::new("color")
        .long("color")
        .value_name("WHEN")
        .value_parser(PossibleValuesParser::new(["auto", "always", "never"]))
        // Among the options without a heading, also for a verb that has headings.
        .help_heading(None::<&'static str>)
        .help("When messages have colours; by default, if standard error is a terminal")
}

/// Reads the choice from the command line, even if the rest of it is wrong. Arguments after `--`,
/// and those of `run`, may belong to the program that runs.
pub(crate) fn decide(arguments: &[OsString]) {
    let environment = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let forced = environment("CLICOLOR_FORCE").is_some_and(|value| value != "0");
    let choice = named(arguments).unwrap_or(match environment("NO_COLOR") {
        Some(_) => Choice::Never,
        None if forced => Choice::Always,
        None => Choice::Auto,
    });
    // Nothing sets it twice; if it were, the first choice would stay.
    let _ = CHOICE.set(choice);
}

/// The choice on the command line; the last one counts.
fn named(arguments: &[OsString]) -> Option<Choice> {
    let own = |argument: &&OsString| *argument != "--" && *argument != "run";
    let own: Vec<&OsString> = arguments.iter().take_while(own).collect();
    let mut choices = own.iter().enumerate().filter_map(|(at, argument)| {
        let text = argument.to_str()?;
        let value = match text.strip_prefix("--color=") {
            Some(value) => value,
            None if text == "--color" => own.get(at.checked_add(1)?)?.to_str()?,
            None => return None,
        };
        match value {
            "auto" => Some(Choice::Auto),
            "always" => Some(Choice::Always),
            "never" => Some(Choice::Never),
            _ => None,
        }
    });
    choices.next_back()
}

fn choice() -> Choice {
    CHOICE.get().copied().unwrap_or(Choice::Auto)
}

/// The choice for the parser's own messages.
pub(crate) fn of_parser() -> ColorChoice {
    match choice() {
        Choice::Always => ColorChoice::Always,
        Choice::Never => ColorChoice::Never,
        Choice::Auto if is_plain() => ColorChoice::Never,
        Choice::Auto => ColorChoice::Auto,
    }
}

/// What a part of a message is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Error,
    Warning,
    Hint,
}

/// The text in the colour of its part, if messages have colours. The text has no escapes of its
/// own, because it is safe for a terminal.
pub(crate) fn paint(part: Part, text: &str) -> String {
    let has_colours = match choice() {
        Choice::Always => true,
        Choice::Never => false,
        Choice::Auto => std::io::stderr().is_terminal() && !is_plain(),
    };
    match has_colours {
        true => painted(part, text),
        false => text.to_owned(),
    }
}

fn painted(part: Part, text: &str) -> String {
    // ECMA-48, "Select Graphic Rendition": bold, and red, yellow or cyan.
    let colour = match part {
        Part::Error => "1;31",
        Part::Warning => "1;33",
        Part::Hint => "36",
    };
    format!("\u{1b}[{colour}m{text}\u{1b}[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_names_a_choice() {
        for (line, expected) in [
            ("build a.wat", None),
            ("build --color=never a.wat", Some(Choice::Never)),
            ("--color always build a.wat", Some(Choice::Always)),
            ("build --color always --color never", Some(Choice::Never)),
            ("build --color", None),
            ("build --color sometimes", None),
            ("build -- --color=never", None),
            ("run a.cwasm --color=never", None),
        ] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(named(&words), expected, "{line}");
        }
    }

    #[test]
    fn a_colour_ends_with_its_text() {
        assert_eq!(painted(Part::Hint, "x"), "\u{1b}[36mx\u{1b}[0m");
    }
}
