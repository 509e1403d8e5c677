//! Numbers and tables as people read them.

use std::time::Duration;

use clap::ValueEnum;
use edgec_artifact::is_unseen;

use crate::bounds::MAX_COLUMN;
use crate::failure::{Exit, Failure};

/// Prints to standard output. A reader that has gone away, as `head` does, is not an error; the
/// verb still ends with its own exit code. A full disk is one.
pub(crate) fn write_stdout(bytes: &[u8]) {
    use std::io::Write as _;
    let written = std::io::stdout().lock().write_all(bytes);
    printed(written);
}

/// Ends what was written to standard output, as [`write_stdout`] does.
pub(crate) fn printed(written: std::io::Result<()>) {
    use std::io::Write as _;
    match written.and_then(|()| std::io::stdout().lock().flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            let message = format!("cannot write to standard output: {error}");
            Failure::new(Exit::Environment, "io", message).print();
            std::process::exit(Exit::Environment as i32);
        }
        _ => {}
    }
}

/// `print!`, by [`write_stdout`].
macro_rules! out {
    ($($argument:tt)*) => {
        $crate::render::write_stdout(format!($($argument)*).as_bytes())
    };
}

/// `println!`, by [`write_stdout`].
macro_rules! outln {
    ($($argument:tt)*) => {
        $crate::render::write_stdout(format!("{}\n", format_args!($($argument)*)).as_bytes())
    };
}

pub(crate) use {out, outln};

/// What is printed on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One JSON document.
    Json,
}

/// A length in bytes, with three significant digits and a binary unit.
pub(crate) fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.5 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = if value < 9.995 {
        2
    } else if value < 99.95 {
        1
    } else {
        0
    };
    format!("{value:.digits$} {}", units.get(unit).unwrap_or(&"GiB"))
}

/// A duration in the unit that suits it.
pub(crate) fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 0.1 {
        format!("{:.1} ms", seconds * 1000.0)
    } else {
        format!("{seconds:.2} s")
    }
}

/// `1 module`, `2 modules`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

/// Rows in columns; the last column is not padded, and none is padded to more than [`MAX_COLUMN`]
/// characters.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widths = cells.map(|cell| cell.chars().count());
        let widest = widths.filter(|width| *width <= MAX_COLUMN).max();
        widest.unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            line.push_str(cell);
            if column + 1 == row.len() {
                break;
            }
            // Not `{cell:width$}`, which panics for widths above 65535: cells quote artifacts.
            let padding = width.saturating_sub(cell.chars().count()) + 2;
            line.extend(std::iter::repeat_n(' ', padding));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Prints a result: as one JSON document, or as this text.
pub(crate) fn answer<T: serde::Serialize>(
    result: &T,
    format: Format,
    text: impl FnOnce(&T) -> String,
) {
    match format {
        Format::Json => json(result),
        Format::Text => write_stdout(text(result).as_bytes()),
    }
}

/// Prints a value as one JSON document.
pub(crate) fn json(value: &impl serde::Serialize) {
    // The values are this crate's own: string keys, no failing `Serialize`.
    let document = serde_json::to_string_pretty(value).unwrap_or_default();
    let mut safe = safe_json(&document);
    // A document may be long: no more copies of it than are needed.
    drop(document);
    safe.push('\n');
    write_stdout(safe.as_bytes());
}

/// A JSON document, made safe for a terminal as [`safe`] text is, and still the same document: what
/// the serializer leaves as it is beyond ASCII stands in strings.
fn safe_json(document: &str) -> String {
    let mut safe = String::with_capacity(document.len());
    for c in document.chars() {
        if !c.is_ascii() && is_escaped(c) || c == '\u{7f}' {
            let mut units = [0; 2];
            let units = c.encode_utf16(&mut units);
            safe.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Whether text shows the character's number instead, because it is not seen or not assigned.
fn is_escaped(c: char) -> bool {
    is_unseen(c) || is_unassigned(c)
}

/// Whether the standard library knows no such character: terminals do not agree on what to show for
/// it, nor how wide. The library escapes those, control characters and spaces.
fn is_unassigned(c: char) -> bool {
    if c.is_ascii() {
        return false;
    }
    // At the beginning of a text, it also escapes characters that combine with the one before.
    let text = String::from_iter(['a', c]);
    text.escape_debug().nth(1) != Some(c)
}

/// What stands where the rest of a text was cut off. No text is shown like it, as [`safe`] says.
pub(crate) const CUT: &str = "\\…";

/// Text from an artifact or an input, made safe for a terminal, and never shown like another text.
///
/// What is not seen is shown by its number, as `\u{202e}`. A backslash of the text is doubled where
/// it would read as the beginning of an escape: in front of `u{`, `…`, another backslash, or what
/// is escaped itself. Elsewhere it stays, so that `C:\app` is shown as it is.
///
/// Text that was made safe is not made safe again: its escapes would be taken for the text's own.
pub(crate) fn safe(text: &str) -> String {
    escaped(text, false, false)
}

/// The beginning of a text, made [`safe`], and a mark where the rest of it was.
pub(crate) fn safe_beginning(text: &str) -> String {
    escaped(text, false, true)
}

/// Text as a cell of a table or an entry of a list, made [`safe`]. It is quoted where it could be
/// taken for several cells, for none, or for a word that stands for nothing.
pub(crate) fn cell(text: &str) -> String {
    cell_of(text, false)
}

/// As [`cell`], of a text or only of its beginning.
pub(crate) fn cell_of(text: &str, is_cut: bool) -> String {
    escaped(text, text.contains(' ') || is_misread(text), is_cut)
}

/// As [`cell`], for a place in a line where such marks as `=` and commas separate.
pub(crate) fn word(text: &str) -> String {
    let separates = text.contains([' ', '=', ',', ':', '(', ')']);
    escaped(text, separates || is_misread(text), false)
}

/// Whether a text looks like nothing, or as if it were quoted.
fn is_misread(text: &str) -> bool {
    text.starts_with('"') || ["", "-", "none"].contains(&text)
}

/// A cell of text that was made [`safe`] before: quoted if it could be taken for several.
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
        // Whether a backslash would read as the beginning of an escape.
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

/// Lines that are passed on, or in which text was made [`safe`] before: only what is not seen is
/// escaped.
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

    #[test]
    fn sizes_have_three_digits() {
        let shown: Vec<String> = [0, 1023, 1024, 10_240, 999_999, 1_048_575, 30_000_000]
            .map(size)
            .into();
        let expected = [
            "0 B", "1023 B", "1.00 KiB", "10.0 KiB", "977 KiB", "1.00 MiB", "28.6 MiB",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn columns_line_up() {
        let row = |cells: &[&str]| cells.iter().map(ToString::to_string).collect();
        let rows: Vec<Vec<String>> = vec![row(&["a", "bb"]), row(&["ccc", "d"])];
        assert_eq!(table(&rows), "a    bb\nccc  d\n");
    }

    #[test]
    fn one_wide_cell_does_not_widen_the_others() {
        let row = |first: &str| vec![first.to_owned(), "b".to_owned()];
        let (wide, most) = ("x".repeat(MAX_COLUMN + 1), "x".repeat(MAX_COLUMN));
        let shown = table(&[row("a"), row(&wide)]);
        assert_eq!(shown, format!("a  b\n{wide}  b\n"));
        let shown = table(&[row("a"), row(&most)]);
        let padding = " ".repeat(MAX_COLUMN + 1);
        assert_eq!(shown, format!("a{padding}b\n{most}  b\n"));
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let text = "a\u{1b}[2Jé\u{202e}\u{9b}\u{7f}";
        assert_eq!(safe(text), "a\\u{1b}[2Jé\\u{202e}\\u{9b}\\u{7f}");
        let document = serde_json::to_string_pretty(&[text]).unwrap();
        let shown = safe_json(&document);
        assert!(
            !shown.chars().any(|c| c != '\n' && is_escaped(c)),
            "{shown}"
        );
        let read: Vec<String> = serde_json::from_str(&shown).unwrap();
        assert_eq!(read, [text]);
    }

    #[test]
    fn characters_that_are_not_seen_are_escaped() {
        let unseen = [
            '\t',
            '\u{a0}',
            '\u{ad}',
            '\u{34f}',
            '\u{378}',
            '\u{600}',
            '\u{115f}',
            '\u{180e}',
            '\u{200b}',
            '\u{2028}',
            '\u{2066}',
            '\u{2800}',
            '\u{3000}',
            '\u{3164}',
            '\u{e000}',
            '\u{fdd0}',
            '\u{fe0f}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{ffff}',
            '\u{1d159}',
            '\u{e0061}',
            '\u{e0100}',
            '\u{10ffff}',
        ];
        for c in unseen {
            let text = String::from_iter(['a', c, 'b']);
            let escaped = format!("a{}b", c.escape_unicode());
            assert_eq!(safe(&text), escaped);
            let document = serde_json::to_string(&text).unwrap();
            let shown = safe_json(&document);
            assert!(!shown.contains(c), "{escaped}");
            assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
        }
    }

    /// What is shown is read back by the rule of `safe`.
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
                // The last of a run is not doubled.
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

    /// All texts of up to five of the characters that escapes are made of.
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
        // Nothing that is whole looks as if it were cut.
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

    /// Letters of all scripts, what combines with them in front as well, and quotes.
    #[test]
    fn what_is_seen_stays_as_it_is() {
        let seen = "a \"b\" 'c' \\ \u{301}é e\u{301} ß Ω ж \u{915}\u{94d}\u{937} \u{e01}\u{e33} \u{5e97} \u{ac00} \u{1f980} \u{fffd} …";
        assert_eq!(safe(seen), seen);
        assert_eq!(safe_json(seen), seen);
    }
}
