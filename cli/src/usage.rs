//! The parser's errors. For machines: what is wrong and what to do, without the layout that clap has
//! for terminals. For people: that layout, in which nothing hides.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::failure::{Exit, Failure, code};
use crate::key_material::masked;
use crate::render::safe;

/// The parser's error as a failure. `verb` is what `--help` can be asked for, such as
/// `edgec store add`.
pub(crate) fn failure(error: &clap::Error, verb: &str) -> Failure {
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    // Then follow tips and the synopsis of the verb.
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
    hints.extend(surplus(error, verb));
    hints.push(format!("`{verb} --help` says what it takes"));
    Failure::usage("usage", message.join(" ")).hint(hints.join("\n"))
}

/// Prints the parser's error and gives the exit code, or prints the help that was asked for and ends.
/// An error quotes arguments. If one of them has characters that are not seen, these are escaped, and
/// the error has no colours: the escapes of both are the same. Likewise if something in it is hidden.
pub(crate) fn exit(mut error: clap::Error, arguments: &[OsString], verb: &str) -> ExitCode {
    let hides = |argument: &OsString| {
        let text = argument.to_string_lossy();
        safe(&text) != text
    };
    if !error.use_stderr() {
        error.exit();
    }
    if let Some(tip) = surplus(&error, verb) {
        let tips = vec![tip.into()];
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
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

/// About an argument for which no place is left: what the verb takes.
fn surplus(error: &clap::Error, verb: &str) -> Option<String> {
    let argument = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) => argument,
        _ => return None,
    };
    if error.kind() != ErrorKind::UnknownArgument || argument.starts_with('-') {
        return None;
    }
    let command = crate::command();
    let mut known = &command;
    for name in verb.split(' ').skip(1) {
        known = known.find_subcommand(name)?;
    }
    let places = known.get_positionals().map(|place| {
        let name = place.get_value_names().and_then(<[_]>::first);
        name.map_or_else(|| place.get_id().to_string(), ToString::to_string)
    });
    let places: Vec<String> = places.map(|name| format!("<{name}>")).collect();
    Some(match places.is_empty() {
        true => format!("`{verb}` takes options only"),
        false => format!(
            "`{verb}` takes {} and no more: run it once for each",
            places.join(" ")
        ),
    })
}

fn values(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(value)) => vec![value.clone()],
        Some(ContextValue::Strings(values)) => values.clone(),
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
                "did you mean --target?\n`edgec build --help` says what it takes",
            ),
            (
                &["build", "a.wat", "--nonsense"],
                "unexpected argument '--nonsense' found",
                "`edgec build --help` says what it takes",
            ),
            (
                &["build", "a.wat", "--format", "xml"],
                "invalid value 'xml' for '--format <FORMAT>'",
                "write one of text, json\n`edgec build --help` says what it takes",
            ),
            (
                &["store", "--store", "s", "add"],
                "the following required arguments were not provided: <ARTIFACT>...",
                "`edgec store add --help` says what it takes",
            ),
            (
                &["sign", "a.cwasm", "b.cwasm"],
                "unexpected argument 'b.cwasm' found",
                "`edgec sign` takes <ARTIFACT> and no more: run it once for each\n\
                 `edgec sign --help` says what it takes",
            ),
            (
                &["keygen", "a"],
                "unexpected argument 'a' found",
                "`edgec keygen` takes options only\n`edgec keygen --help` says what it takes",
            ),
            (
                &["verif", "a"],
                "unrecognized subcommand 'verif'",
                "did you mean version or verify?\n`edgec --help` says what it takes",
            ),
        ] {
            let arguments: Vec<OsString> = line.iter().map(OsString::from).collect();
            let verb = verb(&command(), &arguments);
            let line = [&["edgec"][..], line].concat();
            let error = command().try_get_matches_from(line).unwrap_err();
            let failure = serde_json::to_value(failure(&error, &verb)).unwrap();
            assert_eq!(failure["message"], message);
            assert_eq!(failure["hint"], hint);
        }
    }
}
