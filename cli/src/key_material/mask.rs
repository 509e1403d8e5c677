//! Hides key material in printed text. Messages quote arguments, lines of files and names of files.
//! The search for secrets examines arguments and whole files before; this is the last check, on the
//! text itself.
//!
//! Base64 and base32 are searched line by line. A seed in hexadecimal looks like a digest, and
//! messages name digests. So it is hidden only in messages that quote a file in which no digest
//! belongs.

use super::encodings::decodings;
use super::random::{is_random_run, runs};
use super::{DEPTH, is_key};

/// Replaces the hidden text.
const MASK: &str = "(not shown)";

/// The shortest run of letters that is examined: 24 letters are 18 bytes in base64.
const SHORTEST: usize = 24;

/// The text, with key material hidden.
pub(crate) fn masked(text: &str) -> String {
    text.split_inclusive('\n').map(masked_line).collect()
}

/// The hexadecimal digits of 32 bytes.
const SEED_DIGITS: usize = 64;

/// The text, with everything hidden that may be a seed in hexadecimal.
pub(crate) fn without_seeds(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let is_digit = |c: char| c.is_ascii_hexdigit();
    let mut rest = text;
    while let Some(begin) = rest.find(is_digit) {
        let (before, from) = rest.split_at(begin);
        let end = from.find(|c: char| !is_digit(c)).unwrap_or(from.len());
        let (digits, behind) = from.split_at(end);
        shown.push_str(before);
        shown.push_str(match digits.len() >= SEED_DIGITS {
            true => MASK,
            false => digits,
        });
        rest = behind;
    }
    shown.push_str(rest);
    shown
}

fn masked_line(line: &str) -> String {
    let bytes = line.as_bytes();
    let mut shown = String::with_capacity(line.len());
    let mut from = 0;
    for run in runs(bytes, SHORTEST) {
        let letters = bytes.get(run.clone()).unwrap_or_default();
        let is_document = || decodings(letters).any(|decoded| is_key(&decoded, DEPTH - 1));
        if is_random_run(bytes, &run) || is_document() {
            // Letters of base64 are ASCII, so this does not cut a character.
            shown.push_str(line.get(from..run.start).unwrap_or_default());
            shown.push_str(MASK);
            from = run.end;
        }
    }
    shown.push_str(line.get(from..).unwrap_or_default());
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: &str = "1O5y2/kTWErVttjx92n4rTr+fCjL8dT74Jeoj0R1WEI";

    #[test]
    fn a_seed_is_hidden_and_the_rest_is_shown() {
        for (text, shown) in [
            (
                format!("expected a keyword\n | (module (func \"{SEED}=\"))\n | ^"),
                "expected a keyword\n | (module (func \"(not shown)=\"))\n | ^",
            ),
            (format!("{SEED}: no file\n"), "(not shown): no file\n"),
            (format!("é$sk-{SEED} é"), "é$(not shown) é"),
            (
                "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp".to_owned(),
                "(not shown)",
            ),
        ] {
            assert_eq!(masked(&text), shown);
        }
    }

    #[test]
    fn a_seed_in_hexadecimal_is_hidden_where_no_digest_belongs() {
        let digits = "e3b0c44298fc1c149afbf4c8996fb92427AE41E4649B934CA495991B7852B855";
        for (text, shown) in [
            (
                format!("1 | (func \"{digits}\")"),
                "1 | (func \"(not shown)\")",
            ),
            (format!("é{digits}{digits}"), "é(not shown)"),
            (
                format!("0x{digits}, {digits}."),
                "0x(not shown), (not shown).",
            ),
            (digits[1..].to_owned(), &digits[1..]),
            ("no seed at 0x1f: é".to_owned(), "no seed at 0x1f: é"),
            (String::new(), ""),
        ] {
            assert_eq!(without_seeds(&text), shown);
        }
    }

    #[test]
    fn ordinary_messages_are_as_they_were() {
        for text in [
            "",
            "\n\n",
            "error[io]: /srv/apps/EdgeShop/releases/2027-01-01/Shop2.wasm: cannot read",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 is not known",
            "_ZN4core3fmt9Formatter12pad_integral17h8f2a3b4c5d6e7f80E",
            "_RNvXs5_NtCsjMrHjWRpXmz_4core5sliceNtB5_4IterNtNtNtNtB9_4iter6traits",
            "_ZNSt3__212basic_stringIcNS_11char_traitsIcEENS_9allocatorIcEEE6appendEPKc",
            "__wbg_setRequestHeader_XMLHttpRequest_51d371ad5196f6ef",
            "unexpected argument '--nonsense-with-a-long-name-that-nobody-knows' found",
            "wasi:http/outgoing-handler@0.2.6 is imported, docs/check.md#host-profiles",
        ] {
            assert_eq!(masked(text), text);
        }
    }
}
