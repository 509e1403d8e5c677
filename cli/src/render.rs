//! Numbers and tables for people, and the format of standard output.

use std::time::Duration;

use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
pub(crate) use edgec_pages::size;

use crate::bounds::MAX_COLUMN;
use crate::escape::is_escaped;
pub(crate) use crate::escape::{cell, cell_of, passed_on, path, safe, safe_cell, word};
use crate::exit::Exit;

/// Prints to standard output. If the reader has gone away, as `head` does, this is no error, and
/// the verb ends with its own exit code. A full disk is an error.
pub(crate) fn write_stdout(bytes: &[u8]) {
    use std::io::Write as _;
    let written = std::io::stdout().lock().write_all(bytes);
    printed(written);
}

/// Handles the result of a write to standard output, as [`write_stdout`] does.
pub(crate) fn printed(written: std::io::Result<()>) {
    use std::io::Write as _;
    match written.and_then(|()| std::io::stdout().lock().flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            let message = safe(&format!("cannot write to standard output: {error}"));
            eprintln!("error[io]: {message}");
            std::process::exit(Exit::Environment as i32);
        }
        _ => {}
    }
}

/// Like `print!`, but calls [`write_stdout`].
macro_rules! out {
    ($($argument:tt)*) => {
        $crate::render::write_stdout(format!($($argument)*).as_bytes())
    };
}

/// Like `println!`, but calls [`write_stdout`].
macro_rules! outln {
    ($($argument:tt)*) => {
        $crate::render::write_stdout(format!("{}\n", format_args!($($argument)*)).as_bytes())
    };
}

pub(crate) use {out, outln};

/// The format of standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One JSON document.
    Json,
    /// A SARIF log of what failed. Only the verbs with [`with_sarif`] have it.
    #[value(skip)]
    Sarif,
}

/// Parses the format of a verb that examines files, and can log what it finds for a code host.
pub(crate) fn with_sarif() -> impl TypedValueParser<Value = Format> {
    let formats = [
        PossibleValue::new("text").help("For people"),
        PossibleValue::new("json").help("One JSON document"),
        PossibleValue::new("sarif")
            .help("A SARIF 2.1.0 log, with which code hosts annotate changes"),
    ];
    PossibleValuesParser::new(formats).map(|format| match format.as_str() {
        "json" => Format::Json,
        "sarif" => Format::Sarif,
        _ => Format::Text,
    })
}

/// A duration in a suitable unit.
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

/// Rows in columns. The last column is not padded, and no cell is padded to more than
/// [`MAX_COLUMN`] characters.
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
            // Not `{cell:width$}`, which panics for widths above 65535, because cells quote
            // artifacts.
            let padding = width.saturating_sub(cell.chars().count()) + 2;
            line.extend(std::iter::repeat_n(' ', padding));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Prints a value as JSON. A verb's own document is in an envelope (`document.rs`).
pub(crate) fn json(value: &impl serde::Serialize) {
    // The values belong to this crate: they have string keys, and their `Serialize` cannot fail.
    let document = serde_json::to_string_pretty(value).unwrap_or_default();
    let mut safe = safe_json(&document);
    // A document may be long, so its copies are dropped early.
    drop(document);
    safe.push('\n');
    write_stdout(safe.as_bytes());
}

/// A JSON document, made safe for a terminal like [`safe`] text, and still the same document. All
/// characters beyond ASCII are in strings, because the serializer writes nothing else beyond ASCII.
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

    /// Letters of all scripts, also with combining characters in front, and quotes.
    #[test]
    fn what_is_seen_stays_as_it_is() {
        let seen = "a \"b\" 'c' \\ \u{301}é e\u{301} ß Ω ж \u{915}\u{94d}\u{937} \u{e01}\u{e33} \u{5e97} \u{ac00} \u{1f980} \u{fffd} …";
        assert_eq!(safe(seen), seen);
        assert_eq!(safe_json(seen), seen);
    }
}
