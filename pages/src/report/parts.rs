//! Bounds on what a page shows, and its lists.

use std::fmt::{self, Write as _};

use crate::Text;

/// The most characters of a name. A page may repeat a name, and a short file can have a long one.
const MAX_NAME: usize = 160;

/// The most entries of one list.
pub(super) const MAX_LISTED: usize = 1000;

/// The beginning of a text, with a mark if there is more.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_NAME) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

/// A list of names.
pub(super) fn names(out: &mut String, names: &[String]) -> fmt::Result {
    if names.is_empty() {
        return writeln!(out, "<p>none</p>");
    }
    writeln!(out, "<ul class=\"names\">")?;
    for name in names.iter().take(MAX_LISTED) {
        writeln!(out, "<li class=\"n\">{}</li>", Text(&cut(name)))?;
    }
    writeln!(out, "</ul>")?;
    left_out(out, names.len().saturating_sub(MAX_LISTED))
}

/// Says how many entries a list leaves out.
pub(super) fn left_out(out: &mut String, number: usize) -> fmt::Result {
    match number {
        0 => Ok(()),
        number => writeln!(out, "<p class=\"dim\">and {number} more</p>"),
    }
}
