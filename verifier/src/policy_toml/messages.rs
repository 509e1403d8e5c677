//! Messages of TOML errors, without the file's content.

/// The place and the message of a TOML error. It repeats neither the line nor a value, since a
/// wrong file may hold a secret.
pub(crate) fn where_and_what(text: &str, error: &toml::de::Error) -> String {
    let what = without_value(error.message());
    let before = error.span().and_then(|span| text.get(..span.start));
    let Some(before) = before else {
        return what;
    };
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    format!("line {line}, column {column}: {what}")
}

/// The message of an error in the words of a user, not in those of serde. It says what to write,
/// and never repeats a value.
pub(crate) fn without_value(message: &str) -> String {
    let begins = ["invalid type: ", "invalid value: ", "unknown variant "];
    let Some((begin, rest)) = begins
        .iter()
        .find_map(|begin| Some((*begin, message.strip_prefix(begin)?)))
    else {
        return of_syntax(message).to_owned();
    };
    // This takes the last match, since the value may contain these words as well.
    let (found, expected) = rest.rsplit_once(", expected ").unwrap_or((rest, ""));
    if begin == "unknown variant " {
        return match expected {
            "" => "unknown value".to_owned(),
            expected => format!("unknown value, expected {expected}"),
        };
    }
    let kind = found
        .split(['"', '`'])
        .next()
        .unwrap_or_default()
        .trim_end();
    let unquoted = match kind {
        "string" => ", without quotes",
        _ => "",
    };
    match expected {
        "u32" if begin == "invalid value: " => {
            format!("write a whole number from 0 to {}", u32::MAX)
        }
        "usize" | "u64" | "u32" => format!("write a whole number, 0 or more{unquoted}"),
        "a boolean" => format!("write true or false{unquoted}"),
        "a TOML datetime" => format!("write a time as 2027-01-01T00:00:00Z{unquoted}"),
        "a string" => "write text in quotes".to_owned(),
        "a sequence" if kind == "map" => {
            "write the name in double brackets, as in `[[key]]`: it is a list of tables".to_owned()
        }
        "a sequence" => "write a list in brackets".to_owned(),
        "" => format!("{begin}{kind}"),
        expected => format!("expected {expected}, not {kind}"),
    }
}

/// The message of an error in the syntax of TOML.
fn of_syntax(message: &str) -> &str {
    match message {
        "duplicate key" => {
            "this name is there twice; in a list of tables, it is in double brackets, as in `[[key]]`"
        }
        "invalid float, expected nothing" => {
            "not a number; a time is written as 2027-01-01T00:00:00Z"
        }
        message => message,
    }
}

#[cfg(test)]
mod tests {
    use crate::TrustPolicy;

    /// A wrong file may hold a secret.
    #[test]
    fn no_value_is_repeated() {
        for (text, says) in [
            (
                "threshold = \"hunter2secret\"",
                "line 1, column 13: write a whole number, 0 or more, without quotes",
            ),
            (
                "threshold = \"hunter2secret, expected `\\\"hunter2secret\"",
                "line 1, column 13: write a whole number, 0 or more, without quotes",
            ),
            ("threshold = 'hunter2secret", "line 1"),
            ("threshold = hunter2secret", "line 1"),
            ("hunter2secret", "line 1"),
            (
                "threshold = 1\nminimum-load-mode = \"hunter2secret\"",
                "unknown value, expected ",
            ),
            (
                "threshold = 1\n[checks]\nimports = \"hunter2secret\"",
                "unknown value, expected ",
            ),
            (
                "threshold = 1\nversion = \"hunter2secret\"",
                "write a whole number, 0 or more, without quotes",
            ),
            ("threshold = 1\nexpires = \"hunter2secret\"", ""),
            (
                "threshold = 1\n[minimum-version]\nx = \"hunter2secret\"",
                "write a whole number, 0 or more, without quotes",
            ),
            (
                "threshold = 1\n[[revoked-key]]\nid = \"hunter2secret\"\nreason = \"x\"",
                "a digest or key id is 64 lowercase hexadecimal digits",
            ),
            ("threshold = 1\n[compiler]\nminimum = \"hunter2secret\"", ""),
            (
                "threshold = 1\n[compiler]\nadvisories = \"hunter2secret\"",
                "write true or false, without quotes",
            ),
            ("threshold = 1\nname = 123456789012", "write text in quotes"),
        ] {
            let error = TrustPolicy::from_toml(text).map(|_| ()).unwrap_err();
            let error = error.to_string();
            assert!(error.contains(says), "{text}: {error}");
            let shown = error.contains("hunter2") || error.contains("123456");
            assert!(!shown, "{text}: {error}");
        }
    }

    #[test]
    fn a_message_says_what_to_write() {
        for (text, says) in [
            ("threshold = -1", "write a whole number, 0 or more"),
            ("threshold = 1\n[key]\nname = 'x'", "as in `[[key]]`"),
            (
                "threshold = 1\n[key]\nname = 'x'\n[key]\nname = 'y'",
                "this name is there twice",
            ),
            (
                "threshold = 1\nexpires = 30.06.2027",
                "a time is written as 2027-01-01T00:00:00Z",
            ),
            (
                "threshold = 1\n[allow]\ntargets = 'x86_64'",
                "write a list in brackets",
            ),
        ] {
            let error = TrustPolicy::from_toml(text).map(|_| ()).unwrap_err();
            let error = error.to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
