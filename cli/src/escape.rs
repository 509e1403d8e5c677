//! Makes foreign text safe for a terminal. Two different texts never look the same.

use edgec_artifact::is_unseen;

/// Whether a character is replaced by its number, because it is invisible or not assigned.
pub(crate) fn is_escaped(c: char) -> bool {
    is_unseen(c) || is_unassigned(c)
}

/// Whether the standard library does not know the character. Terminals do not agree on what to show
/// for it, or how wide. The library escapes such characters, control characters and spaces.
fn is_unassigned(c: char) -> bool {
    if c.is_ascii() {
        return false;
    }
    // At the beginning of a text, it also escapes characters that combine with the one before.
    let text = String::from_iter(['a', c]);
    text.escape_debug().nth(1) != Some(c)
}

/// Marks where a text was cut. No other text looks like this, as [`safe`] explains.
pub(crate) const CUT: &str = "\\…";

/// Text from an artifact or an input, made safe for a terminal. Two different texts never look the
/// same.
///
/// An invisible character is shown by its number, such as `\u{202e}`. A backslash of the text is
/// doubled if it would look like the beginning of an escape: before `u{`, `…`, another backslash,
/// or an escaped character. Other backslashes stay, so `C:\app` is shown unchanged.
///
/// Safe text must not be made safe again: its escapes would look like the text's own.
pub(crate) fn safe(text: &str) -> String {
    escaped(text, false, false)
}

/// The beginning of a text, made [`safe`], and a mark if the text was cut.
pub(crate) fn safe_beginning(text: &str) -> String {
    escaped(text, false, true)
}

/// Text for a cell of a table or an entry of a list, made [`safe`]. It is quoted if it could look
/// like several cells, like no cell, or like a word for a missing value.
pub(crate) fn cell(text: &str) -> String {
    cell_of(text, false)
}

/// Like [`cell`], for a text or only its beginning.
pub(crate) fn cell_of(text: &str, is_cut: bool) -> String {
    escaped(text, text.contains(' ') || is_misread(text), is_cut)
}

/// Like [`cell`], for a place in a line that has separators such as `=` and commas.
pub(crate) fn word(text: &str) -> String {
    let separates = text.contains([' ', '=', ',', ':', '(', ')']);
    escaped(text, separates || is_misread(text), false)
}

/// Whether a text looks like a missing value, or as if it were quoted.
fn is_misread(text: &str) -> bool {
    text.starts_with('"') || ["", "-", "none"].contains(&text)
}

/// A cell with text that is already [`safe`]. It is quoted if it could look like several cells.
pub(crate) fn safe_cell(shown: &str) -> String {
    match shown.contains(' ') {
        true => format!("\"{}\"", shown.replace('"', "\\\"")),
        false => shown.to_owned(),
    }
}

fn escaped(text: &str, is_quoted: bool, is_cut: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    if is_quoted {
        shown.push('"');
    }
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        // Whether a backslash would look like the beginning of an escape.
        let reads_on = || match rest.as_str().chars().next() {
            None => is_quoted || is_cut,
            Some('\\' | '…') => true,
            Some('"') => is_quoted,
            Some('u') => rest.as_str().starts_with("u{"),
            Some(next) => is_escaped(next),
        };
        match c {
            '\\' if reads_on() => shown.push_str("\\\\"),
            '"' if is_quoted => shown.push_str("\\\""),
            c if is_escaped(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    if is_cut {
        shown.push_str(CUT);
    }
    if is_quoted {
        shown.push('"');
    }
    shown
}

/// A line that is passed on, or that contains [`safe`] text: only invisible characters are escaped.
pub(crate) fn passed_on(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    for c in line.chars() {
        if is_escaped(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// A path, made [`safe`].
pub(crate) fn path(path: &std::path::Path) -> String {
    safe(&path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reverses `safe`.
    fn read(shown: &str) -> String {
        let mut text = String::new();
        let mut rest = shown;
        while let Some(c) = rest.chars().next() {
            if c != '\\' {
                text.push(c);
                rest = &rest[c.len_utf8()..];
                continue;
            }
            let behind = rest.trim_start_matches('\\');
            let run = rest.len() - behind.len();
            if !behind.starts_with("u{") && !behind.starts_with('…') {
                // The last backslash of a run is not doubled.
                text.push_str(&"\\".repeat(run.div_ceil(2)));
                rest = behind;
                continue;
            }
            text.push_str(&"\\".repeat(run / 2));
            rest = behind;
            if run % 2 == 1 {
                let (number, more) = behind[2..].split_once('}').unwrap();
                let number = u32::from_str_radix(number, 16).unwrap();
                text.push(char::from_u32(number).unwrap());
                rest = more;
            }
        }
        text
    }

    /// All texts of up to five of the characters that occur in escapes.
    #[test]
    fn different_texts_are_shown_differently() {
        let alphabet = ['\\', 'u', '{', '}', '"', ' ', '…', '\u{a}'];
        let mut texts = vec![String::new()];
        let mut last = texts.clone();
        for _ in 0..5 {
            let longer = |text: &String| alphabet.map(|c| format!("{text}{c}"));
            last = last.iter().flat_map(longer).collect();
            texts.extend(last.iter().cloned());
        }
        texts.extend(["a\u{202e}b", r"a\u{202e}b", r"a\\u{202e}b"].map(str::to_owned));
        for text in &texts {
            assert_eq!(&read(&safe(text)), text);
        }
        let ways: [fn(&str) -> String; 3] = [cell, word, |text| cell_of(text, true)];
        for show in ways {
            let shown: std::collections::BTreeSet<String> =
                texts.iter().map(|text| show(text)).collect();
            assert_eq!(shown.len(), texts.len());
        }
        // No complete text looks as if it were cut.
        assert!(texts.iter().all(|text| {
            let run = |shown: &str| {
                shown
                    .strip_suffix('…')
                    .map(|it| it.len() - it.trim_end_matches('\\').len())
            };
            run(&safe(text)).is_none_or(|run| run % 2 == 0)
                && run(&safe_beginning(text)).is_some_and(|run| run % 2 == 1)
        }));
    }

    #[test]
    fn backslashes_stay_where_they_are_no_escapes() {
        for text in [r"C:\app\users", r"a\x3a:b", r"\d+\", "a\\"] {
            assert_eq!(safe(text), text);
        }
        assert_eq!(safe(r"\\server\share"), r"\\\server\share");
    }

    #[test]
    fn cells_are_not_taken_for_several() {
        assert_eq!(cell("acme/shop"), "acme/shop");
        assert_eq!(cell("acme/shop  9  current"), r#""acme/shop  9  current""#);
        assert_eq!(cell(r#"a"  "b"#), r#""a\"  \"b""#);
        assert_eq!(
            [cell(""), cell("-"), cell("none")],
            [r#""""#, r#""-""#, r#""none""#]
        );
        assert_eq!(word("a=b"), r#""a=b""#);
        assert_eq!(safe_cell(r#"a" b"#), r#""a\" b""#);
    }
}
