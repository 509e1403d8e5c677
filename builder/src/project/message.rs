//! The parser's errors in the words of users.

use edgec_targets::nearest_name;

use super::error::{ProjectError, TextPlace};

/// The parser's error about a project. It says what to write, not which types the parser knows.
pub(super) fn explained(text: &str, error: &toml::de::Error) -> ProjectError {
    let at = error.span().and_then(|span| TextPlace::of(text, &span));
    let message = error.message();
    if let Some(rest) = message.strip_prefix("unknown field `") {
        let (name, rest) = rest.split_once('`').unwrap_or((rest, ""));
        // The known names stand in backticks.
        let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
        return ProjectError::UnknownName {
            name: name.to_owned(),
            nearest: nearest_name(name, &known).map(str::to_owned),
            known: known.into_iter().map(str::to_owned).collect(),
            at,
        };
    }
    if let Some(rest) = message.strip_prefix("missing field `") {
        let name = rest.trim_end_matches('`').to_owned();
        return ProjectError::Missing { name, at };
    }
    let what = what(message);
    ProjectError::Value { what, at }
}

fn what(message: &str) -> String {
    let begins = ["invalid type: ", "invalid value: "];
    let found = begins.iter().find_map(|begin| message.strip_prefix(begin));
    // This takes the last match, since a value may contain these words as well.
    let expected = found.and_then(|found| found.rsplit_once(", expected "));
    match expected {
        Some((_, "u64" | "u32" | "usize")) => "write a whole number, 0 or more".to_owned(),
        Some((_, "a boolean")) => "write true or false".to_owned(),
        Some((found, "a sequence")) if found.starts_with("map") => {
            "write the name in double brackets, as in `[[component]]`: it is a list of tables"
                .to_owned()
        }
        Some((_, "a sequence")) => "write a list in brackets".to_owned(),
        Some((_, expected)) if expected.starts_with("struct ") => "write a table".to_owned(),
        Some((_, expected)) => format!("write {expected}"),
        None => match message {
            "duplicate key" => "this name is there twice; each component begins with \
                                `[[component]]`, in double brackets"
                .to_owned(),
            message => message.to_owned(),
        },
    }
}
