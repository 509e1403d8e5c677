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

/// The message of an error in which serde repeats a value. It keeps the value's kind and what is
/// expected.
pub(crate) fn without_value(message: &str) -> String {
    let begins = ["invalid type: ", "invalid value: ", "unknown variant "];
    let Some((begin, rest)) = begins
        .iter()
        .find_map(|begin| Some((begin, message.strip_prefix(begin)?)))
    else {
        return message.to_owned();
    };
    // This takes the last match, since the value may contain these words as well.
    let (found, expected) = rest.rsplit_once(", expected ").unwrap_or((rest, ""));
    let kind = found.split(['"', '`']).next().unwrap_or_default();
    let found = format!("{begin}{}", kind.trim_end());
    let found = found.trim_end();
    match expected {
        "" => found.to_owned(),
        expected => format!("{found}, expected {expected}"),
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
                "line 1, column 13: invalid type: string, expected usize",
            ),
            (
                "threshold = \"hunter2secret, expected `\\\"hunter2secret\"",
                "line 1, column 13: invalid type: string, expected usize",
            ),
            ("threshold = 'hunter2secret", "line 1"),
            ("threshold = hunter2secret", "line 1"),
            ("hunter2secret", "line 1"),
            (
                "threshold = 1\nminimum-load-mode = \"hunter2secret\"",
                "unknown variant, expected ",
            ),
            (
                "threshold = 1\n[checks]\nimports = \"hunter2secret\"",
                "unknown variant, expected ",
            ),
            (
                "threshold = 1\nversion = \"hunter2secret\"",
                "invalid type: string, expected u64",
            ),
            ("threshold = 1\nexpires = \"hunter2secret\"", ""),
            (
                "threshold = 1\n[minimum-version]\nx = \"hunter2secret\"",
                "invalid type: string, expected u64",
            ),
            (
                "threshold = 1\n[[revoked-key]]\nid = \"hunter2secret\"\nreason = \"x\"",
                "a digest is 64 lowercase hexadecimal digits",
            ),
            ("threshold = 1\n[compiler]\nminimum = \"hunter2secret\"", ""),
            (
                "threshold = 1\n[compiler]\nadvisories = \"hunter2secret\"",
                "invalid type: string, expected a boolean",
            ),
            (
                "threshold = 1\nname = 123456789012",
                "invalid type: integer, expected a string",
            ),
        ] {
            let error = TrustPolicy::from_toml(text).map(|_| ()).unwrap_err();
            let error = error.to_string();
            assert!(error.contains(says), "{text}: {error}");
            let shown = error.contains("hunter2") || error.contains("123456");
            assert!(!shown, "{text}: {error}");
        }
    }
}
