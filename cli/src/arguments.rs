//! Looks at arguments and variables before they are parsed: refuses secrets among them, and never
//! repeats them. Later code may repeat its input in messages, reports and names of files. So the
//! search for secrets comes first.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Command};

use crate::failure::Failure;
use crate::key_material::{Material, listed_bytes, looks_like};
use crate::keys::{KEY_VARIABLE, VARIABLE_PREFIX};
use crate::{secrets, trust};

/// The variables that name files or folders.
const FILE_VARIABLES: [&str; 3] = [KEY_VARIABLE, trust::STATE_VARIABLE, "EDGEC_STORE"];

/// Refuses key material among the arguments (without the program's own name) and in the variables
/// that name files. Variables that hold a key (`--key env:NAME`) are kept from the processes that
/// this one starts.
pub(crate) fn refuse_secrets(command: &Command, arguments: &[OsString]) -> Result<(), Failure> {
    let places = places(command, arguments);
    for (index, (argument, place)) in arguments.iter().zip(&places).enumerate() {
        let bytes = argument.as_encoded_bytes();
        let value = place.value(bytes);
        // Nothing separates a short option from its value.
        let short = bytes.strip_prefix(b"-").and_then(|rest| rest.get(1..));
        let parts = [Some(bytes), Some(value), short];
        let is_key = |part: Option<&[u8]>| part.and_then(looks_like) == Some(Material::Key);
        let secret = match place.kind {
            Kind::Program => false,
            Kind::Text => parts.into_iter().any(is_key),
            Kind::File => parts.into_iter().any(is_key) || names_no_file(value),
        };
        if secret {
            let place = match place.option {
                Some(option) => format!("argument {} (`{option}`)", index + 1),
                None => format!("argument {}", index + 1),
            };
            return Err(refusal(&place));
        }
        if place.option == Some("--key") {
            hide_named(value);
        }
    }
    if let Some(first) = split_list(arguments, &places) {
        return Err(refusal(&format!("what begins with argument {}", first + 1)));
    }
    for variable in FILE_VARIABLES {
        let Some(value) = std::env::var_os(variable) else {
            continue;
        };
        let bytes = value.as_encoded_bytes();
        if looks_like(bytes) == Some(Material::Key) || names_no_file(bytes) {
            return Err(refusal(&format!("the variable {variable}")));
        }
        hide_named(bytes);
    }
    Ok(())
}

fn refusal(place: &str) -> Failure {
    Failure::usage(
        "secret-argument",
        format!("{place} looks like a secret key; it is not shown, and nothing was done"),
    )
    .hint(
        "arguments are visible to other processes and to logs: replace the key if it is in use\n\
         name its file, or use `--key -` (standard input) or `--key env:NAME` (a variable's content)\n\
         if it is the name of a file, put `./` in front",
    )
}

/// The first of several arguments in a row that together list at least 32 bytes: a shell splits the
/// list of a key's bytes if there are no quotes around it. Names of existing files do not count.
fn split_list(arguments: &[OsString], places: &[Place]) -> Option<usize> {
    // `symbolize` takes numbers: addresses, and indices of functions.
    if arguments.first().is_some_and(|verb| verb == "symbolize") {
        return None;
    }
    let (mut first, mut bytes) = (0, 0);
    for (index, (argument, place)) in arguments.iter().zip(places).enumerate() {
        let listed = listed_bytes(place.value(argument.as_encoded_bytes()));
        let counts = place.kind != Kind::Program && !std::path::Path::new(argument).exists();
        if listed == 0 || !counts {
            bytes = 0;
            continue;
        }
        if bytes == 0 {
            first = index;
        }
        bytes += listed;
        if bytes >= 32 {
            return Some(first);
        }
    }
    None
}

/// 32 or 64 bytes in hexadecimal, where a file should be named and none has that name.
fn names_no_file(value: &[u8]) -> bool {
    let named = value
        .strip_prefix(VARIABLE_PREFIX.as_bytes())
        .unwrap_or(value);
    let text = String::from_utf8_lossy(named);
    looks_like(named) == Some(Material::HexBytes) && !std::path::Path::new(&*text).exists()
}

/// Hides the variable that `env:NAME` names from the processes that this one starts.
fn hide_named(value: &[u8]) {
    let name = value.strip_prefix(VARIABLE_PREFIX.as_bytes());
    if let Some(name) = name.and_then(|name| std::str::from_utf8(name).ok()) {
        secrets::hide_variable(name);
    }
}

/// What an argument is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A file's name, or possibly one.
    File,
    /// A text: 32 bytes in hexadecimal may be a digest.
    Text,
    /// The argument of a program that `run` starts.
    Program,
}

/// Where an argument stands.
struct Place {
    kind: Kind,
    /// The option whose value it is or has.
    option: Option<&'static str>,
    /// Where the value begins, in bytes.
    begin: usize,
}

impl Place {
    fn value<'a>(&self, argument: &'a [u8]) -> &'a [u8] {
        argument.get(self.begin..).unwrap_or_default()
    }
}

/// The place of each argument. Where it is unclear, as after a misspelled option, the argument
/// counts as a file's name.
fn places(command: &Command, arguments: &[OsString]) -> Vec<Place> {
    let mut verb = command;
    // Options of the verbs around it, which may follow it.
    let mut around: Vec<&Arg> = Vec::new();
    let mut waiting: Option<&Arg> = None;
    // Behind `--`, nothing is an option.
    let mut behind = false;
    let mut positionals = 0;
    let by_name = takes_from_store(arguments);
    let mut places = Vec::new();
    for argument in arguments {
        let text = argument.to_string_lossy();
        let mut place = Place {
            kind: Kind::File,
            option: None,
            begin: 0,
        };
        if behind {
            // Of `run`, the artifact may stand there as well.
            place.kind = match verb.get_name() == "run" && positionals > 0 {
                true => Kind::Program,
                false => positional(verb, positionals, by_name),
            };
            positionals += 1;
        } else if let Some(option) = waiting.take() {
            place = of_value(option, 0);
        } else if text == "--" {
            behind = true;
        } else if let Some((option, begin)) = option(verb, &around, &text) {
            place = of_value(option, begin);
            if begin >= text.len() && takes_value(option) {
                waiting = Some(option);
                place.kind = Kind::Text;
            }
        } else if !text.starts_with('-') {
            let subcommand = verb.find_subcommand(&*text);
            if let Some(found) = subcommand.filter(|_| positionals == 0) {
                around.extend(verb.get_arguments().filter(|it| it.is_global_set()));
                verb = found;
            } else {
                place.kind = positional(verb, positionals, by_name);
                positionals += 1;
            }
        }
        places.push(place);
    }
    places
}

/// The option that an argument begins with, and where its value would begin.
fn option<'a>(verb: &'a Command, around: &[&'a Arg], text: &str) -> Option<(&'a Arg, usize)> {
    let mut options = verb.get_arguments().chain(around.iter().copied());
    if let Some(long) = text.strip_prefix("--") {
        let name = long.split('=').next().unwrap_or_default();
        let found = options.find(|option| option.get_long() == Some(name))?;
        return Some((found, "--=".len() + name.len()));
    }
    let short = text.strip_prefix('-')?.chars().next()?;
    let found = options.find(|option| option.get_short() == Some(short))?;
    let begin = "-".len() + short.len_utf8();
    let equals = text.get(begin..).is_some_and(|rest| rest.starts_with('='));
    Some((found, begin + usize::from(equals)))
}

fn takes_value(option: &Arg) -> bool {
    option.get_action().takes_values()
}

fn of_value(option: &Arg, begin: usize) -> Place {
    let names = option.get_value_names().unwrap_or_default();
    let digest = names.iter().any(|name| name.contains("KEY_ID"));
    let file = [
        "FILE",
        "DIR",
        "PUBLIC_KEY",
        "ARTIFACT",
        "PROGRAM",
        "INPUT",
        "HOST",
    ];
    let file = names
        .iter()
        .any(|name| file.iter().any(|part| name.contains(part)));
    Place {
        kind: match file && !digest {
            true => Kind::File,
            false => Kind::Text,
        },
        option: known(option.get_long()),
        begin,
    }
}

/// The options that a message about a misplaced secret names.
fn known(long: Option<&str>) -> Option<&'static str> {
    let names = [
        "--key",
        "--passphrase-file",
        "--pkcs11-pin-file",
        "--public-key",
        "--signer",
        "--attach",
        "--root",
        "--trust",
        "--trust-state",
        "--output",
        "--env",
        "--name",
    ];
    let long = long?;
    names
        .into_iter()
        .find(|name| name.strip_prefix("--") == Some(long))
}

/// What a verb's argument without an option is, after some others. Behind the artifact of `run`, it
/// is the program's. For most verbs of `store` it is an application. So is the artifact of `run` if
/// it is taken from a store (`by_name`).
fn positional(verb: &Command, others: usize, by_name: bool) -> Kind {
    let mut known = verb.get_positionals();
    let application = known.any(|it| it.get_id() == "application");
    let of_run = verb.get_name() == "run" && (others > 0 || by_name);
    match application || of_run {
        true => Kind::Text,
        false => Kind::File,
    }
}

/// Whether `--store` is among the options.
fn takes_from_store(arguments: &[OsString]) -> bool {
    let mut options = arguments.iter().take_while(|argument| *argument != "--");
    options.any(|argument| {
        let bytes = argument.as_encoded_bytes();
        bytes == b"--store" || bytes.starts_with(b"--store=")
    })
}

/// An error of the parser, without values that may be secrets. If any option on the command line is
/// about secrets, this hides arguments without an option and the values of options about secrets.
/// Values of other options are shown.
pub(crate) fn redacted(mut error: clap::Error, arguments: &[OsString]) -> clap::Error {
    let talks = arguments
        .iter()
        .any(|it| is_about_secrets(&it.to_string_lossy()));
    let of_other_option = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(option)) => option.starts_with('-') && !is_about_secrets(option),
        _ => false,
    };
    for kind in [
        ContextKind::InvalidArg,
        ContextKind::InvalidValue,
        ContextKind::InvalidSubcommand,
    ] {
        if kind == ContextKind::InvalidValue && of_other_option {
            continue;
        }
        let value = match error.get(kind) {
            Some(ContextValue::String(value)) => value.clone(),
            _ => continue,
        };
        if talks && !value.starts_with('-') && !value.starts_with('<') && !value.is_empty() {
            error.insert(kind, ContextValue::String("(not shown)".to_owned()));
            error.insert(ContextKind::Suggested, ContextValue::None);
        }
    }
    error
}

/// Whether an option, known or misspelled, has the name of one that takes secrets.
fn is_about_secrets(argument: &str) -> bool {
    let argument = argument.to_ascii_lowercase();
    let name = argument.split(['=', ' ']).next().unwrap_or_default();
    name.starts_with('-') && SECRET_WORDS.iter().any(|it| name.contains(it))
}

/// Parts of the names of options that take secrets, of edgec's and of other programs'. Also
/// `--encrypt`, which takes none.
const SECRET_WORDS: [&str; 13] = [
    "pass", "phrase", "pin", "pw", "secret", "key", "priv", "seed", "token", "auth", "cred",
    "encrypt", "decrypt",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command;

    fn kinds(line: &[&str]) -> Vec<Kind> {
        let arguments: Vec<OsString> = line.iter().map(OsString::from).collect();
        let places = places(&command(), &arguments);
        places.into_iter().map(|place| place.kind).collect()
    }

    /// Only what follows the artifact of `run` is the program's.
    #[test]
    fn behind_two_dashes_the_artifact_of_run_comes_first() {
        use Kind::{File, Program, Text};
        for (line, last) in [
            (&["run", "--", "x"][..], File),
            (&["run", "--key", "k.pub.pem", "--", "x"], File),
            (
                &["run", "--key", "k.pub.pem", "--", "app.cwasm", "x"],
                Program,
            ),
            (&["run", "--", "app.cwasm", "--", "x"], Program),
            (&["run", "app.cwasm", "--", "x"], Program),
            (&["run", "app.cwasm", "x"], Text),
            (&["run", "x"], File),
            (&["run", "--store", "s", "x"], Text),
            (&["run", "--store=s", "--", "x"], Text),
            (&["run", "x", "--store=s"], File),
            (&["build", "--", "x"], File),
            (&["build", "app.wasm", "--", "--key"], File),
            (&["store", "path", "--", "x"], Text),
            (&["store", "rm", "x"], Text),
            (&["symbolize", "x"], File),
        ] {
            assert_eq!(kinds(line).last().copied(), Some(last), "{line:?}");
        }
    }

    #[test]
    fn a_list_that_a_shell_has_split_is_refused() {
        let found = |before: &[&str], list: &str| {
            let line = before.iter().copied().chain(list.split(' '));
            let arguments: Vec<OsString> = line.map(OsString::from).collect();
            split_list(&arguments, &places(&command(), &arguments))
        };
        let write = |bytes: std::ops::Range<u8>| {
            let bytes: Vec<String> = bytes.map(|byte| byte.to_string()).collect();
            format!("[{}]", bytes.join(", "))
        };
        for (before, first) in [
            (&["verify"][..], 1),
            (&["build", "a.wasm", "--key"], 3),
            (&["build", "a.wasm", "--name"], 3),
            (&["store", "add", "a.cwasm", "--key", "k.pub.pem"], 5),
        ] {
            assert_eq!(found(before, &write(100..132)), Some(first), "{before:?}");
            assert_eq!(found(before, &write(100..131)), None, "{before:?}");
        }
        assert_eq!(found(&["verify", "--key=[0,"], &write(100..131)), Some(1));
        // The arguments of a program, and numbers in their own right.
        for before in [&["run", "a.cwasm", "--"][..], &["symbolize", "a.debug"]] {
            assert_eq!(found(before, &write(100..164)), None, "{before:?}");
        }
    }

    /// The parser repeats what `--encrypt`, which takes no value, was given.
    #[test]
    fn the_parser_repeats_no_value_of_an_option_about_secrets() {
        for line in [
            &["keygen", "--encrypt=hunter2secret", "-o", "k.pem"][..],
            &["keygen", "--encrypt", "hunter2secret", "-o", "k.pem"],
            &["keygen", "--pw", "hunter2secret", "-o", "k.pem"],
            &["keygen", "--pwd=hunter2secret", "-o", "k.pem"],
            &["keygen", "--ENCRYPT", "hunter2secret", "-o", "k.pem"],
            &["build", "a.wasm", "--encrypt", "hunter2secret"],
            &["build", "--decrypt", "a.wasm", "hunter2secret"],
            &["sign", "a.cwasm", "--seed", "hunter2secret"],
            &["sign", "a.cwasm", "--priv=hunter2secret"],
            &["keys", "show", "--password", "hunter2secret"],
        ] {
            let line = [&["edgec"][..], line].concat();
            let arguments: Vec<OsString> = line.iter().map(OsString::from).collect();
            let error = command().try_get_matches_from(&arguments).unwrap_err();
            let text = redacted(error, &arguments).to_string();
            assert!(!text.contains("hunter2"), "{line:?}: {text}");
        }
    }
}
