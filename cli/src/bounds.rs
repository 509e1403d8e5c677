//! Bounds on the text that is printed about untrusted files.
//!
//! A short file can name a long text a thousand times, or have one wide entry among many narrow
//! ones. The size of the output would then be the product of the two. So every text that may be
//! printed more than once is cut, and every list ends with a count of the entries that it leaves
//! out.

use std::fmt::{self, Write as _};

use crate::escape::{safe, safe_beginning};

/// The maximum width to which the cells of a column are padded, in characters. Names of files,
/// functions and sections are shorter. A wider cell only shifts the rest of its own row.
pub(crate) const MAX_COLUMN: usize = 100;

/// The maximum number of entries of one list in text output. JSON has all of them, because a
/// manifest is bounded itself. The longest known list of a real program has some thousand entries,
/// which are for machines.
pub(crate) const MAX_LISTED: usize = 1000;

/// The maximum length of a text about one host and one artifact, in bytes. The same text may be
/// printed for every host of a fleet.
pub(crate) const MAX_REASON_LEN: usize = 1000;

/// The maximum length of an error message, in bytes (64 KiB). An error may quote a whole manifest,
/// and is printed both in a document and on standard error.
pub(crate) const MAX_MESSAGE_LEN: usize = 1 << 16;

/// The first `most` bytes of a text, made [`safe`], and a mark if there is more. The text is
/// formatted only up to that point, because it may be endless.
pub(crate) fn excerpt(text: impl fmt::Display, most: usize) -> String {
    let mut short = Short {
        text: String::new(),
        most,
    };
    match write!(short, "{text:#}") {
        Ok(()) => safe(&short.text),
        Err(fmt::Error) => safe_beginning(&short.text),
    }
}

/// The first `most` bytes of a text, unchanged, and whether there is more.
pub(crate) fn beginning(mut text: String, most: usize) -> (String, bool) {
    let is_cut = text.len() > most;
    text.truncate(text.floor_char_boundary(most));
    (text, is_cut)
}

/// A text that refuses to grow beyond a length.
struct Short {
    text: String,
    most: usize,
}

impl fmt::Write for Short {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = self.most.saturating_sub(self.text.len());
        let fits = more.floor_char_boundary(room);
        self.text.push_str(more.get(..fits).unwrap_or_default());
        match fits == more.len() {
            true => Ok(()),
            false => Err(fmt::Error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(excerpt("abc", 3), "abc");
        assert_eq!(excerpt("abcd", 3), r"abc\…");
        assert_eq!(excerpt("aé", 2), r"a\…");
        assert_eq!(excerpt("", 0), "");
        let text = |text: &str| text.to_owned();
        assert_eq!(beginning(text("abc"), 3), (text("abc"), false));
        assert_eq!(beginning(text("aéb"), 2), (text("a"), true));
    }

    /// A text may contain the mark itself, or half of it where the text is cut.
    #[test]
    fn what_was_cut_is_shown_like_nothing_else() {
        let most = 5;
        assert_eq!(excerpt("y…", most), "y…");
        assert_eq!(excerpt(r"y\…", most), r"y\\…");
        assert_eq!(excerpt(r"yyyy\y", most), r"yyyy\\\…");
        assert_eq!(excerpt("yyyyyy", most), r"yyyyy\…");
    }

    #[test]
    fn an_endless_text_is_stopped() {
        struct Endless;
        impl fmt::Display for Endless {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                loop {
                    f.write_str("x")?;
                }
            }
        }
        assert_eq!(excerpt(Endless, 4), r"xxxx\…");
    }
}
