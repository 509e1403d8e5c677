//! Looks at arguments and variables before they are parsed: refuses secrets among them, and never
//! repeats them. Later code may repeat its input in messages, reports and names of files. So the
//! search for secrets comes first.

mod misplaced;
mod places;

use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ContextValue};

use self::places::{Kind, Place, places};
use crate::failure::Failure;
use crate::key_material::{Material, holds_bytes, holds_list, is_digest, listed_bytes, looks_like};
use crate::keys::{KEY_VARIABLE, VARIABLE_PREFIX};
use crate::{secrets, trust};

/// The variables whose values messages repeat: they name files or folders.
const FILE_VARIABLES: [&str; 14] = [
    KEY_VARIABLE,
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

/// How many letters may stand between the dash of a short option and its value: flags in front of
/// it, and its own name.
const MOST_FLAGS: usize = 4;

/// Refuses key material among the arguments (without the program's own name) and in the variables
/// that name files, and what stands in place of a file's name ([`misplaced`]). Variables that hold a
/// key (`--key env:NAME`) are kept from the processes that this one starts.
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
        if place.option == Some("key") {
            hide_named(place.value(bytes));
        }
    }
    if let Some(first) = split_list(arguments, &places) {
        let at = format!("what begins with argument {}", first + 1);
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
        let is_key = looks_like(bytes) == Some(Material::Key) && !exists(bytes);
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

/// What to do about a secret among the arguments, and about what only looks like one.
fn hint(kind: Kind) -> String {
    let otherwise = match kind {
        Kind::File => "\nif it is the name of a file, put `./` in front",
        Kind::Name => "\nif it is a digest, write its hexadecimal digits and nothing else",
        _ => "",
    };
    format!(
        "arguments are visible to other processes and to logs: replace the key if it is in use\n\
         name its file, or use `--key -` (standard input) or `--key env:NAME` (a variable's content)\
         {otherwise}"
    )
}

/// Likewise for the variables that name files and folders.
const VARIABLE_HINT: &str = "this variable names a file or a folder, which messages show\n\
     name the key's file, or use `--key env:NAME` (a variable's content)";

/// Whether an argument looks like key material. A text that has the form of a key is refused
/// everywhere but among the arguments of a program. Bytes without a form of their own are refused
/// unless they can be the name of a file, a digest, or a value for a program.
fn is_secret(place: &Place<'_>, argument: &[u8]) -> bool {
    if place.kind == Kind::Program {
        return false;
    }
    let value = place.value(argument);
    // Nothing separates a short option from its value.
    let attached = argument.strip_prefix(b"-").unwrap_or_default();
    let attached = (0..=MOST_FLAGS).filter_map(|at| attached.get(at..));
    let parts: Vec<&[u8]> = [argument, value].into_iter().chain(attached).collect();
    let is_key = |part: &&[u8]| looks_like(part) == Some(Material::Key);
    if parts.iter().any(is_key) {
        return true;
    }
    let is_bytes = |part: &[u8]| looks_like(part).is_some() || holds_bytes(part);
    match place.kind {
        Kind::Program | Kind::Argument => false,
        Kind::File => names_no_file(value),
        Kind::Name => {
            let of_secret = |(label, text): (&[u8], &[u8])| {
                is_about_secrets(&format!("-{}", String::from_utf8_lossy(label)))
                    && looks_like(text).is_some()
            };
            (looks_like(value).is_some() && !is_digest(value))
                || labelled(value).into_iter().any(of_secret)
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
            looks_like(value).is_some() || program.is_some_and(names_no_file)
        }
    }
}

/// The first of several arguments in a row that together list at least 32 bytes: a shell splits the
/// list of a key's bytes if there are no quotes around it. Names of existing files do not count.
fn split_list(arguments: &[OsString], places: &[Place<'_>]) -> Option<usize> {
    // `symbolize` takes numbers: addresses, and indices of functions.
    if arguments.first().is_some_and(|verb| verb == "symbolize") {
        return None;
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

/// Whether a value that should name a file is 32 or 64 bytes in hexadecimal or in a list, alone or
/// behind `key=`. If there is such a file, it is its name.
fn names_no_file(value: &[u8]) -> bool {
    let named = value
        .strip_prefix(VARIABLE_PREFIX.as_bytes())
        .unwrap_or(value);
    let is_bytes = |text: &[u8]| looks_like(text) == Some(Material::HexBytes) && !exists(text);
    let is_named = |(label, text): (&[u8], &[u8])| is_bytes(text) && !is_of_digest(label);
    let found = is_bytes(named) || labelled(named).into_iter().any(is_named);
    (found || holds_list(named)) && !exists(named)
}

fn exists(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok_and(|name| std::path::Path::new(name).exists())
}

/// The texts behind `key=`, `seed:` and the like with what is in front of them: all that follows,
/// and the part before the next such character. A label may be empty, as in `HEX::/data`.
fn labelled(text: &[u8]) -> Vec<(&[u8], &[u8])> {
    let separates = |byte: &u8| matches!(byte, b'=' | b':' | b',' | b';');
    let mut found = Vec::new();
    let (mut label, mut rest): (&[u8], &[u8]) = (&[], text);
    while found.len() < 2 * MOST_LABELS {
        let end = rest.iter().position(separates).unwrap_or(rest.len());
        let part = rest.get(..end).unwrap_or_default();
        found.extend([(label, part), (label, rest)]);
        let Some(behind) = rest.get(end + 1..) else {
            break;
        };
        (label, rest) = (part, behind);
    }
    found
}

/// How many parts of an argument are looked at.
const MOST_LABELS: usize = 8;

/// Whether bytes behind this label are a digest, as in `sha256:`.
fn is_of_digest(label: &[u8]) -> bool {
    let label = label.to_ascii_lowercase();
    let names: [&[u8]; 4] = [b"sha", b"blake", b"digest", b"verity"];
    names
        .iter()
        .any(|name| label.windows(name.len()).any(|part| part == *name))
}

/// Hides the variable that `env:NAME` names from the processes that this one starts.
fn hide_named(value: &[u8]) {
    let name = value.strip_prefix(VARIABLE_PREFIX.as_bytes());
    if let Some(name) = name.and_then(|name| std::str::from_utf8(name).ok()) {
        secrets::hide_variable(name);
    }
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

    /// Bytes without a form of their own.
    const HEX: &str = "9f3c1a77d0e45b6288aa17c3e2f09b4d5566778899aabbccddeeff0123456789";

    fn is_refused(line: &[&str]) -> bool {
        let arguments: Vec<OsString> = line.iter().map(OsString::from).collect();
        let command = command();
        let mut both = arguments.iter().zip(places(&command, &arguments));
        both.any(|(argument, place)| is_secret(&place, argument.as_encoded_bytes()))
    }

    #[test]
    fn bytes_are_refused_where_they_are_no_digest() {
        let list: Vec<String> = (100..132_u8).map(|byte| byte.to_string()).collect();
        let list = format!("[{}]", list.join(", "));
        let colons: Vec<&str> = (0..32).map(|at| &HEX[2 * at..2 * at + 2]).collect();
        let colons = colons.join(":");
        for bytes in [
            HEX,
            &HEX.to_uppercase(),
            &list,
            &colons,
            &format!("0x{HEX}"),
        ] {
            let with = |before: &str| format!("{before}{bytes}");
            for line in [
                &["build", "--target", bytes][..],
                &["build", "--target", &with("x86_64,")],
                &["build", &with("-O")],
                &["build", &with("-qO")],
                &["build", "--issued", bytes],
                &["build", &with("--format=")],
                &["build", &with("--quiet=")],
                &["build", "--keep-module", bytes],
                &["build", "--keep-module", &with("0,")],
                &["build", "--init", bytes],
                &["build", "--signer", bytes],
                &["build", "--signer-timeout", bytes],
                &["build", &with("--keyy=")],
                &["build", &with("--")],
                &["build", &with("-k")],
                &["build", &with("key=")],
                &["build", &with("ed25519:")],
                &["build", "--name", &with("seed=")],
                &["run", "--env", bytes, "a.cwasm"],
                &["run", "--dir", &format!("{bytes}::/data"), "a.cwasm"],
                &["store", "rm", "app", bytes],
                &["store", "rm", "--pass", bytes],
                &["store", bytes],
                &[bytes],
                &[with("key=").as_str()],
                &["advisories", bytes],
            ] {
                assert!(is_refused(line), "{line:?}");
            }
        }
        for line in [
            &["build", "--name"][..],
            &["sign", "a", "--remove"],
            &["store", "rm"],
        ] {
            for bytes in [list.as_str(), &colons, &format!("0x{HEX}")] {
                assert!(is_refused(&[line, &[bytes]].concat()), "{line:?} {bytes}");
            }
        }
    }

    #[test]
    fn what_is_no_key_is_taken() {
        let digest = format!("sha256:{HEX}");
        let file = format!("out/{HEX}.cwasm");
        let numbers: Vec<String> = (0..32).map(|number| number.to_string()).collect();
        let numbers = numbers.join(",");
        for line in [
            &["build", "--name", HEX][..],
            &["build", "--display-version", HEX],
            &["build", "--display-version", &digest],
            &["build", "--keep-module", &numbers],
            &["build", "--wasm-opt", &format!("./{HEX}")],
            &["build", "--signer", &format!("kms-sign --key-id {HEX}")],
            &["build", &file],
            &["sign", "a.cwasm", "--remove", HEX],
            &["store", "rm", HEX],
            &["run", "--store", "s", HEX],
            &["run", "--env", &format!("DIGEST={HEX}"), "a.cwasm"],
            &["run", "a.cwasm", HEX],
            &["run", "a.cwasm", &format!("--digest={HEX}")],
            &["run", "a.cwasm", "--", &format!("--seed={HEX}")],
            &["run", "--dir", "./data::/data", "a.cwasm"],
            &["verify", &digest],
        ] {
            assert!(!is_refused(line), "{line:?}");
        }
    }

    #[test]
    fn a_list_that_a_shell_has_split_is_refused() {
        let found = |before: &[&str], list: &str| {
            let line = before.iter().copied().chain(list.split(' '));
            let arguments: Vec<OsString> = line.map(OsString::from).collect();
            let command = command();
            split_list(&arguments, &places(&command, &arguments))
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
