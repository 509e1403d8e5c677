//! Bounds of what is printed about files that no signature vouches for.
//!
//! A short file can name a long text a thousand times, or have one wide entry among many narrow
//! ones. What is printed about it would then be the product of the two. So every text that may be
//! printed more than once is cut, and every list ends with a count of what it leaves out.

use std::fmt::{self, Write as _};

use crate::escape::{safe, safe_beginning};

/// The widest cell to which the other cells of its column are padded, in characters. Names of
/// files, functions and sections are shorter; a wider cell only moves the rest of its own row.
pub(crate) const MAX_COLUMN: usize = 100;

/// How many entries of one list are printed as text. JSON has all of them: a manifest is bounded
/// itself. The largest known list of a real program has some thousands, which are for machines.
pub(crate) const MAX_LISTED: usize = 1000;

/// The longest text about one host and one artifact, in bytes: the same text of an artifact may be
/// printed for every host of a fleet.
pub(crate) const MAX_REASON_LEN: usize = 1000;

/// The longest message of an error, in bytes (64 KiB): an error may quote a whole manifest, and is
/// printed in a document and on standard error.
pub(crate) const MAX_MESSAGE_LEN: usize = 1 << 16;

/// A text of at most `most` bytes, made [`safe`], and a mark where the rest of it was. The text is
/// made no further than that: it may be endless.
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

/// The first `most` bytes of a text as it is, and whether there was more.
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

    /// A text may have the mark itself, or half of it where it is cut.
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
