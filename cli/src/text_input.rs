//! Failures of inputs in the text format. edgec makes a binary of the text, so an offset would be
//! one in a file that the user does not have. And no toolchain is to blame.

use crate::failure::Failure;

/// Takes the offsets out of the failure of an input that is `from_text`; others keep theirs.
pub(crate) fn without_offsets(failure: Failure, from_text: bool) -> Failure {
    if !from_text {
        return failure;
    }
    let message = stripped(failure.message());
    let is_invalid = failure.code() == "invalid";
    let failure = failure.saying(message);
    match is_invalid {
        true => failure.hint(
            "mend the text: the program in it is not valid\n\
             errors in code name the function: functions with names (`$name`) are easier to find",
        ),
        false => failure,
    }
}

/// A message without `at offset 0x…`, and without the parentheses or the word that only lead to
/// it.
fn stripped(message: &str) -> String {
    const AT: &str = "at offset 0x";
    let mut kept = String::with_capacity(message.len());
    let mut rest = message;
    while let Some((before, behind)) = rest.split_once(AT) {
        kept.push_str(before);
        rest = behind.trim_start_matches(|c: char| c.is_ascii_hexdigit());
        if kept.ends_with('(') {
            // `(at offset 0x21, in function 0)`, or nothing else in the parentheses.
            if let Some(more) = rest.strip_prefix(", ") {
                rest = more;
            } else if let Some(behind) = rest.strip_prefix(')') {
                rest = behind;
                kept.pop();
                kept.truncate(kept.trim_end().len());
            }
            continue;
        }
        kept.truncate(kept.trim_end().len());
        // `, lifted at offset 0x21, has`
        let word = kept
            .rsplit_once(", ")
            .map(|(before, word)| (before.len(), word));
        if let Some((at, _)) = word.filter(|(_, word)| word.chars().all(char::is_alphabetic)) {
            kept.truncate(at);
            rest = rest.strip_prefix(',').unwrap_or(rest);
        }
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_go_and_functions_stay() {
        for (message, without) in [
            (
                "type mismatch (at offset 0x21, in function 0 `f`)",
                "type mismatch (in function 0 `f`)",
            ),
            ("unknown type 99 (at offset 0xb)", "unknown type 99"),
            ("a limit (at offset 0xb) (EDGEC-1)", "a limit (EDGEC-1)"),
            (
                "function `f`, lifted at offset 0x2a, has an enum, type at offset 0x6d (EDGEC-1)",
                "function `f` has an enum (EDGEC-1)",
            ),
            ("found at offset 0x12 of it", "found of it"),
            ("no place", "no place"),
        ] {
            assert_eq!(stripped(message), without);
        }
    }
}
