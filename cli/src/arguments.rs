//! Examines arguments and variables before they are parsed. Refuses secrets among them, and never
//! repeats these. Later code may repeat its input in messages, reports and names of files, so the
//! search for secrets comes first.

mod labels;
mod misplaced;
mod places;
mod stray;
#[cfg(test)]
mod tests;

use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ContextValue};

use self::labels::{is_about_secrets, is_of_digest, is_of_secret, labelled, labelled_in_name};
use self::places::{Kind, Place, places};
pub(crate) use self::places::{for_parser, verb};
use self::stray::has_stray_bytes;
use crate::caching::{CACHE_KEY_VARIABLE, CACHE_VARIABLE, is_url};
use crate::failure::Failure;
use crate::files::VARIABLE_PREFIX;
use crate::key_material::{
    Material, begins_dump, holds_bytes, holds_list, is_digest, listed_bytes, looks_like,
};
use crate::keys::KEY_VARIABLE;
use crate::{secrets, trust};

/// The variables whose values messages repeat: they name files or folders.
const FILE_VARIABLES: [&str; 16] = [
    KEY_VARIABLE,
    CACHE_KEY_VARIABLE,
    CACHE_VARIABLE,
    trust::STATE_VARIABLE,
    "EDGEC_STORE",
    "TMPDIR",
    "HOME",
    "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    // On Windows.
    "TEMP",
    "TMP",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
];

/// How many letters may stand between the dash of a short option and its value: flags, and the
/// option's own name.
const MOST_FLAGS: usize = 4;

/// Refuses key material in the arguments (without the program's own name) and in the variables that
/// name files. Also refuses misplaced content instead of a file's name ([`misplaced`]). Hides
/// variables that hold a key (`--key env:NAME`) from the processes that this one starts.
pub(crate) fn refuse_secrets(command: &Command, arguments: &[OsString]) -> Result<(), Failure> {
    let places = places(command, arguments);
    for (index, (argument, place)) in arguments.iter().zip(&places).enumerate() {
        let bytes = argument.as_encoded_bytes();
        if is_secret(place, bytes) {
            let at = match place.option {
                Some(option) => format!("argument {} (`--{option}`)", index + 1),
                None => format!("argument {}", index + 1),
            };
            return Err(refusal(&at, hint(place.kind)));
        }
        if matches!(place.option, Some("key" | "cache-key")) {
            hide_named(place.value(bytes));
        }
    }
    if let Some(first) = split_list(arguments, &places) {
        let at = format!("the text that begins with argument {}", first + 1);
        return Err(refusal(&at, hint(Kind::File)));
    }
    for (argument, place) in arguments.iter().zip(&places) {
        misplaced::refuse_no_secret_file(place, argument.as_encoded_bytes())?;
    }
    for (index, (argument, place)) in arguments.iter().zip(&places).enumerate() {
        misplaced::refuse_public_key(place, argument.as_encoded_bytes(), index + 1)?;
    }
    for variable in FILE_VARIABLES {
        let Some(value) = std::env::var_os(variable) else {
            continue;
        };
        let bytes = value.as_encoded_bytes();
        // A URL may have a password, which no message repeats.
        if variable == CACHE_VARIABLE && is_url(bytes) {
            continue;
        }
        let is_key = looks_like(bytes) == Some(Material::Key) && !is_path(bytes);
        if is_key || names_no_file(bytes) {
            return Err(refusal(&format!("the variable {variable}"), VARIABLE_HINT));
        }
        hide_named(bytes);
    }
    Ok(())
}

fn refusal(at: &str, hint: impl Into<String>) -> Failure {
    let message = format!("{at} looks like a secret key; it is not shown, and nothing was done");
    Failure::usage("secret-argument", message).hint(hint)
}

/// What to do about a secret among the arguments, or about an argument that only looks like one.
fn hint(kind: Kind) -> String {
    let instead = match kind {
        Kind::Variable => {
            "give the variable to edgec, not its value: `--env NAME` alone passes it on"
        }
        Kind::Argument => {
            "put the program's arguments after `--`, where edgec looks for no keys: \
             edgec run ARTIFACT -- ARGUMENTS"
        }
        _ => {
            "name its file, or use `--key -` (standard input) or `--key env:NAME` (a variable's content)"
        }
    };
    let otherwise = match kind {
        Kind::File => {
            "\nif it is the name of a file, make its folder first, or put `./` in front \
             (`/` if it begins with `/`)"
        }
        Kind::Name => "\nif it is a digest, write its hexadecimal digits and nothing else",
        _ => "",
    };
    format!(
        "arguments are visible to other processes and to logs: replace the key if it is in use\n\
         {instead}{otherwise}"
    )
}

/// The hint for variables that name files and folders.
const VARIABLE_HINT: &str = "this variable names a file or a folder, which messages show\n\
     name the key's file, or use `--key env:NAME` (a variable's content)";

/// Whether an argument looks like key material. A text in the form of a key is refused everywhere
/// except among the arguments of a program. Bytes without such a form are refused unless they can
/// be the name of a file, a digest, or a value for a program.
fn is_secret(place: &Place<'_>, argument: &[u8]) -> bool {
    if place.kind == Kind::Program {
        return false;
    }
    let value = place.value(argument);
    // A URL may have a password, which no message repeats.
    if place.option == Some("cache") && is_url(value) {
        return false;
    }
    // Nothing separates a short option from its value. If the option takes a file, the start of the
    // file's name is known.
    let is_known = place.kind == Kind::File && value.len() < argument.len();
    let attached = argument.strip_prefix(b"-").filter(|_| !is_known);
    let attached = attached.unwrap_or_default();
    let attached = (0..=MOST_FLAGS).filter_map(|at| attached.get(at..));
    let parts: Vec<&[u8]> = [argument, value].into_iter().chain(attached).collect();
    let is_key = |part: &&[u8]| looks_like(part) == Some(Material::Key);
    let is_path = names_path(place.kind, value);
    if !is_path && parts.iter().any(is_key) {
        return true;
    }
    let is_bytes = |part: &[u8]| looks_like(part).is_some() || holds_bytes(part);
    match place.kind {
        Kind::Program | Kind::Argument => false,
        Kind::File => names_no_file(value),
        Kind::Name => {
            let of_secret =
                |(label, text): (&[u8], &[u8])| is_of_secret(label) && looks_like(text).is_some();
            (looks_like(value).is_some() && !is_digest(value))
                || labelled_in_name(value).into_iter().any(of_secret)
        }
        Kind::Word => parts.into_iter().any(is_bytes),
        Kind::Numbers => {
            let is_number = |part: &[u8]| part.len() < 20 && part.iter().all(u8::is_ascii_digit);
            is_bytes(value) && !value.split(|byte| *byte == b',').all(is_number)
        }
        Kind::Variable => {
            let name = value.split(|byte| *byte == b'=').next();
            name.is_some_and(is_bytes)
        }
        Kind::Command => {
            let program = value.split(u8::is_ascii_whitespace).next();
            (looks_like(value).is_some() && !is_path) || program.is_some_and(names_no_file)
        }
    }
}

/// The first of several arguments in a row that together list at least 32 bytes. A shell splits a
/// list of a key's bytes if there are no quotes around it. Also finds the first words of a dump.
/// Names of existing files do not count.
fn split_list(arguments: &[OsString], places: &[Place<'_>]) -> Option<usize> {
    // `symbolize` takes numbers: addresses and indices of functions.
    if arguments.first().is_some_and(|verb| verb == "symbolize") {
        return None;
    }
    let words = |pair: &[OsString]| match pair {
        [one, next] => begins_dump(one.as_encoded_bytes(), next.as_encoded_bytes()),
        _ => false,
    };
    let dump = arguments.windows(2).position(words);
    let is_free = |at: &usize| places.get(*at).is_some_and(|it| it.kind == Kind::Program);
    if let Some(at) = dump.filter(|at| !is_free(at)) {
        return Some(at);
    }
    let (mut first, mut bytes) = (0, 0);
    for (index, (argument, place)) in arguments.iter().zip(places).enumerate() {
        let listed = listed_bytes(place.value(argument.as_encoded_bytes()));
        let is_free = matches!(place.kind, Kind::Program | Kind::Numbers);
        let counts = !is_free && !std::path::Path::new(argument).exists();
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

/// Whether a value that should name a file is 32 or 64 bytes in hexadecimal or in a list: alone,
/// after `key=`, or where a digest cannot stand. If a file of this name exists, the value is the
/// file's name.
fn names_no_file(value: &[u8]) -> bool {
    let named = value
        .strip_prefix(VARIABLE_PREFIX.as_bytes())
        .unwrap_or(value);
    let is_bytes = |text: &[u8]| looks_like(text) == Some(Material::HexBytes) && !exists(text);
    let is_named = |(label, text): (&[u8], &[u8])| is_bytes(text) && !is_of_digest(label);
    let found = is_bytes(named) || labelled(named).into_iter().any(is_named);
    (found || holds_list(named) || has_stray_bytes(named)) && !exists(named)
}

/// Whether a value that may name a file does name one: alone, before `::` and its name in the
/// program, or after the name of a variable or of an option. The text beside the name must not be a
/// key.
fn names_path(kind: Kind, value: &[u8]) -> bool {
    let nothing: &[u8] = &[];
    let (before, name) = match kind {
        Kind::File | Kind::Command => (nothing, value),
        Kind::Argument | Kind::Variable => cut(value, b"=").unwrap_or((nothing, value)),
        Kind::Name | Kind::Word | Kind::Numbers | Kind::Program => return false,
    };
    let (file, behind) = cut(name, b"::").unwrap_or((name, nothing));
    let is_key = |part: &[u8]| looks_like(part) == Some(Material::Key);
    !is_key(before) && (is_path(name) || (is_path(file) && !is_key(behind)))
}

/// The parts before and after `separator`.
fn cut<'a>(text: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let mut windows = text.windows(separator.len());
    let at = windows.position(|window| window == separator)?;
    Some((text.get(..at)?, text.get(at + separator.len()..)?))
}

/// Whether the file or its folder exists. The folder `/` does not count: a key in base64 may begin
/// with it.
fn is_path(name: &[u8]) -> bool {
    let Ok(name) = std::str::from_utf8(name) else {
        return false;
    };
    let path = std::path::Path::new(name);
    let folder = path.parent().filter(|folder| folder.parent().is_some());
    let is_key =
        |name: &std::ffi::OsStr| looks_like(name.as_encoded_bytes()) == Some(Material::Key);
    path.exists()
        || (folder.is_some_and(std::path::Path::is_dir) && !path.file_name().is_some_and(is_key))
}

fn exists(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok_and(|name| std::path::Path::new(name).exists())
}

/// Hides the variable that `env:NAME` names from the processes that this one starts.
fn hide_named(value: &[u8]) {
    let name = value.strip_prefix(VARIABLE_PREFIX.as_bytes());
    if let Some(name) = name.and_then(|name| std::str::from_utf8(name).ok()) {
        secrets::hide_variable(name);
    }
}

/// An error of the parser, without values that may be secrets. If any option on the command line is
/// about secrets, this hides arguments without an option and the values of options about secrets,
/// because a shell may have split a secret. It shows the values of other options and the names of
/// existing files. For hidden values, the error says where they stand.
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
        let is_shown = value.starts_with(['-', '<']) || value.is_empty();
        if talks && !is_shown && !exists(value.as_bytes()) {
            // The program's own name counts as 0.
            let at = arguments.iter().position(|it| *it == *value.as_str());
            let instead = match at {
                Some(number) => format!("(argument {number}, not shown)"),
                None => "(not shown)".to_owned(),
            };
            error.insert(kind, ContextValue::String(instead));
            error.insert(ContextKind::Suggested, ContextValue::None);
        }
    }
    error
}
