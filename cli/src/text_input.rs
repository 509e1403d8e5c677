//! Failures of inputs in the text format. edgec makes a binary from the text, so an offset would
//! refer to a file that the user does not have, and no toolchain is at fault.

use crate::failure::Failure;

/// If the input is `from_text`, removes the offsets from its failure.
pub(crate) fn without_offsets(failure: Failure, from_text: bool) -> Failure {
    if !from_text {
        return failure;
    }
    let message = stripped(failure.message());
    let is_invalid = failure.code() == "invalid";
    let failure = failure.saying(message);
    match is_invalid {
        true => failure.hint(
            "correct the text: the program in it is not valid\n\
             errors in code name the function: functions with names (`$name`) are easier to find",
        ),
        false => failure,
    }
}

/// A message without `at offset 0x…`, and without the parentheses or the word that only introduce
/// it.
fn stripped(message: &str) -> String {
    const AT: &str = "at offset 0x";
    let mut kept = String::with_capacity(message.len());
    let mut rest = message;
    while let Some((before, behind)) = rest.split_once(AT) {
        kept.push_str(before);
        rest = behind.trim_start_matches(|c: char| c.is_ascii_hexdigit());
        if kept.ends_with('(') {
            // `(at offset 0x21, in function 0)`, or parentheses with nothing else in them.
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
