//! The parser's errors. For machines: what is wrong and what to do, without clap's layout for
//! terminals. For people: that layout, in which no character is invisible.

mod tips;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};

use crate::failure::{Exit, Failure, code};
use crate::key_material::masked;
use crate::render::{printed, safe};

pub(crate) use tips::with_tips;

/// The parser's error as a failure. `verb` is the verb whose `--help` is suggested, such as `edgec
/// store add`.
pub(crate) fn failure(error: &clap::Error, verb: &str) -> Failure {
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    // Tips and the synopsis of the verb follow.
    let message = text.split("\n\n").next().unwrap_or_default();
    let lists = ["\n  [possible values", "\n  [subcommands"];
    let message = lists.iter().fold(message, |message, list| {
        message.split(list).next().unwrap_or_default()
    });
    let message: Vec<&str> = message.split_ascii_whitespace().collect();
    let mut hints = Vec::new();
    let known = [ContextKind::ValidValue, ContextKind::ValidSubcommand];
    let known = known.map(|kind| values(error, kind)).concat();
    if !known.is_empty() {
        hints.push(format!("write one of {}", known.join(", ")));
    }
    let similar = [
        ContextKind::SuggestedArg,
        ContextKind::SuggestedSubcommand,
        ContextKind::SuggestedValue,
    ];
    let similar = similar.map(|kind| values(error, kind)).concat();
    if !similar.is_empty() {
        hints.push(format!("did you mean {}?", similar.join(" or ")));
    }
    hints.extend(values(error, ContextKind::Suggested));
    hints.push(format!("`{verb} --help` shows its usage"));
    Failure::usage("usage", message.join(" ")).hint(hints.join("\n"))
}

/// Prints the parser's error and returns the exit code, or prints the requested help and ends the
/// process. An error quotes arguments. If one of them has invisible characters, these are escaped,
/// and the error has no colours, because colours are escapes too. The same applies if something in
/// it is hidden.
pub(crate) fn exit(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    let hides = |argument: &OsString| {
        let text = argument.to_string_lossy();
        safe(&text) != text
    };
    if !error.use_stderr() {
        printed(error.print());
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    if !arguments.iter().any(hides) && masked(&text) == text {
        error.exit();
    }
    for line in text.lines() {
        eprintln!("{}", safe(line));
    }
    code(Exit::Usage)
}

fn values(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(value)) => vec![value.clone()],
        Some(ContextValue::Strings(values)) => values.clone(),
        Some(ContextValue::StyledStrs(values)) => values.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::arguments::verb;
    use crate::command;

    #[test]
    fn messages_and_hints_are_of_one_idea_each() {
        for (line, message, hint) in [
            (
                &["build", "a.wat", "--targt", "x"][..],
                "unexpected argument '--targt' found",
                "did you mean --target?\n`edgec build --help` shows its usage",
            ),
            (
                &["build", "a.wat", "--nonsense"],
                "unexpected argument '--nonsense' found",
                "`edgec build --help` shows its usage",
            ),
            (
                &["build", "a.wat", "--kye", "k"],
                "unexpected argument '--kye' found",
                "did you mean --key?\n`edgec build --help` shows its usage",
            ),
            (
                &["build", "a.wat", "--expires", "-90d"],
                "unexpected argument '-9' found",
                "a value of '--expires' that begins with '-' is written '--expires=VALUE'\n\
                 `edgec build --help` shows its usage",
            ),
            (
                &["check", "--host", "a.toml", "a.cwasm"],
                "the following required arguments were not provided: <ARTIFACT>...",
                "'--host' took everything after it: put <ARTIFACT>... before '--host', or \
                 after '--'\n`edgec check --help` shows its usage",
            ),
            (
                &["build", "a.wat", "--format", "xml"],
                "invalid value 'xml' for '--format <FORMAT>'",
                "write one of text, json, sarif\n`edgec build --help` shows its usage",
            ),
            (
                &["store", "--store", "s", "add"],
                "the following required arguments were not provided: <ARTIFACT>...",
                "`edgec store add --help` shows its usage",
            ),
            (
                &["sign", "a.cwasm", "b.cwasm"],
                "unexpected argument 'b.cwasm' found",
                "`edgec sign` takes <ARTIFACT> and no more: run it once for each\n\
                 `edgec sign --help` shows its usage",
            ),
            (
                &["keygen", "a"],
                "unexpected argument 'a' found",
                "`edgec keygen` takes only options\n`edgec keygen --help` shows its usage",
            ),
            (
                &["verif", "a"],
                "unrecognized subcommand 'verif'",
                "did you mean version or verify-blob or verify?\n`edgec --help` shows its usage",
            ),
        ] {
            let arguments: Vec<OsString> = line.iter().map(OsString::from).collect();
            let verb = verb(&command(), &arguments);
            let line = [&["edgec"][..], line].concat();
            let error = command().try_get_matches_from(line).unwrap_err();
            let error = with_tips(error, &verb, &arguments);
            let failure = serde_json::to_value(failure(&error, &verb)).unwrap();
            assert_eq!(failure["message"], message);
            assert_eq!(failure["hint"], hint);
        }
    }
}
