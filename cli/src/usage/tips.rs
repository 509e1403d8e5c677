//! The suggestions in the parser's errors. The parser's own tips would put an unknown option after
//! `--`, where it would be the name of a file.

use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

use super::values;

/// The error with useful tips. They name options but no values, because values may be secrets.
/// `verb` is the program and the verb, such as `edgec store add`.
pub(crate) fn with_tips(mut error: clap::Error, verb: &str, arguments: &[OsString]) -> clap::Error {
    let whole = crate::command();
    let options = options(&whole, verb);
    let wrong = values(&error, ContextKind::InvalidArg);
    // Keeps some of the parser's own tips, for example that another verb has the option.
    let mut tips = values(&error, ContextKind::Suggested);
    tips.retain(|tip| !tip.starts_with("to pass '"));
    let tip = match (error.kind(), wrong.as_slice()) {
        (ErrorKind::UnknownArgument, [wrong]) if wrong.starts_with('-') => {
            let has_near = error.get(ContextKind::SuggestedArg).is_some();
            if let Some(near) = near(&options, wrong).filter(|_| !has_near) {
                error.insert(ContextKind::SuggestedArg, ContextValue::String(near));
            }
            with_dash(&options, wrong, arguments).or_else(|| {
                let of_program = "put the program's arguments after the artifact: \
                                  edgec run ARTIFACT -- ARGUMENTS";
                (verb == "edgec run").then(|| of_program.to_owned())
            })
        }
        (ErrorKind::UnknownArgument, [_]) => places(&whole, verb),
        (ErrorKind::MissingRequiredArgument, missing) => taken(&options, missing, arguments),
        _ => None,
    };
    tips.extend(tip);
    // An empty list would print an empty line.
    let tips = match tips.is_empty() {
        true => ContextValue::None,
        false => ContextValue::StyledStrs(tips.into_iter().map(StyledStr::from).collect()),
    };
    error.insert(ContextKind::Suggested, tips);
    error
}

/// What a verb takes besides options, if all places for arguments are taken.
fn places(whole: &Command, verb: &str) -> Option<String> {
    let mut known = whole;
    for name in verb.split(' ').skip(1) {
        known = known.find_subcommand(name)?;
    }
    let places = known.get_positionals().map(|place| {
        let name = place.get_value_names().and_then(<[_]>::first);
        name.map_or_else(|| place.get_id().to_string(), ToString::to_string)
    });
    let places: Vec<String> = places.map(|name| format!("<{name}>")).collect();
    Some(match places.is_empty() {
        true => format!("`{verb}` takes only options"),
        false => format!(
            "`{verb}` takes {} and no more: run it once for each",
            places.join(" ")
        ),
    })
}

/// The options of a verb, and those of the outer verbs.
fn options<'c>(whole: &'c Command, verb: &str) -> Vec<&'c Arg> {
    let mut at = whole;
    let mut options: Vec<&Arg> = at.get_opts().collect();
    for name in verb.split(' ').skip(1) {
        let Some(inner) = at.find_subcommand(name) else {
            break;
        };
        at = inner;
        options.extend(at.get_opts());
    }
    options
}

/// The option whose name differs by one slip from another name, with its dashes.
fn near(options: &[&Arg], wrong: &str) -> Option<String> {
    let wrong = wrong.strip_prefix("--").filter(|wrong| wrong.len() > 2)?;
    let mut names = options.iter().filter_map(|option| option.get_long());
    let near = names.find(|name| is_slip(name, wrong))?;
    Some(format!("--{near}"))
}

/// Whether two names differ by one letter that was added, removed or replaced, or by two swapped
/// neighbours.
fn is_slip(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let same = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (one, other) = (one.split_at(same).1, other.split_at(same).1);
    let tails = one.iter().rev().zip(other.iter().rev());
    let same = tails.take_while(|(a, b)| a == b).count();
    let one = one.split_at(one.len() - same).0;
    let other = other.split_at(other.len() - same).0;
    match (one, other) {
        ([_], [] | [_]) | ([], [_]) => true,
        ([a, b], [c, d]) => (a, b) == (d, c),
        _ => false,
    }
}

/// How to give an option a value that begins with a dash, if such an argument follows it.
fn with_dash(options: &[&Arg], wrong: &str, arguments: &[OsString]) -> Option<String> {
    let mut pairs = arguments.windows(2).filter_map(|pair| match pair {
        [option, value] if value.as_encoded_bytes().starts_with(wrong.as_bytes()) => {
            option.to_str()?.strip_prefix("--")
        }
        _ => None,
    });
    let name = pairs.find(|name| options.iter().any(|it| it.get_long() == Some(*name)))?;
    Some(format!(
        "a value of '--{name}' that begins with '-' is written '--{name}=VALUE'"
    ))
}

/// How to separate an option from the verb's own arguments, if the option takes any number of
/// values.
fn taken(options: &[&Arg], missing: &[String], arguments: &[OsString]) -> Option<String> {
    let own = missing.iter().find(|missing| missing.starts_with('<'))?;
    let greedy = options.iter().filter(|option| {
        let values = option.get_num_args();
        values.is_some_and(|values| values.min_values() < values.max_values())
    });
    let is_given = |name: &&str| {
        let named = format!("--{name}");
        arguments
            .iter()
            .any(|it| it.to_str() == Some(named.as_str()))
    };
    let name = greedy
        .filter_map(|option| option.get_long())
        .find(is_given)?;
    Some(format!(
        "'--{name}' took everything after it: put {own} before '--{name}', or after '--'"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slip_is_near() {
        for (wrong, near) in [
            ("kye", true),
            ("ke", true),
            ("keyy", true),
            ("kez", true),
            ("key", false),
            ("eyk", false),
            ("k", false),
            ("keyed", false),
            ("", false),
        ] {
            assert_eq!(is_slip("key", wrong), near, "{wrong}");
            assert_eq!(is_slip(wrong, "key"), near, "{wrong}");
        }
    }
}
