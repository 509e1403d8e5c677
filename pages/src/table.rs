//! Tables.

use std::fmt::{self, Write as _};

/// A table's beginning: it scrolls, and the keyboard reaches it. `name` is what a screen reader
/// calls it; `columns` have names, and say whether they hold numbers. All of them are markup, and
/// `attributes` too.
///
/// # Errors
///
/// Writing to a string cannot fail.
pub fn table(
    out: &mut String,
    (name, attributes): (&str, &str),
    columns: &[(&str, bool)],
) -> fmt::Result {
    write!(
        out,
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{name}\">\n\
         <table{attributes}>\n<thead><tr>"
    )?;
    for (name, is_number) in columns {
        let class = if *is_number { " class=\"r\"" } else { "" };
        write!(out, "<th scope=\"col\"{class}>{name}</th>")?;
    }
    writeln!(out, "</tr></thead>\n<tbody>")
}

/// A table's end.
///
/// # Errors
///
/// Writing to a string cannot fail.
pub fn end_table(out: &mut String) -> fmt::Result {
    writeln!(out, "</tbody>\n</table>\n</div>")
}
