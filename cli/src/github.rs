//! Annotations for GitHub. In a workflow, GitHub reads lines of this form from the output of a
//! step, and shows them beside the changed lines of a pull request.
//!
//! Source: GitHub Docs, "Workflow commands for GitHub Actions", and the runner's own escapes
//! (`ActionCommand.cs`).

use std::path::{Path, PathBuf};

use crate::escape::safe;
use crate::place::Place;

/// Whether this runs in a workflow of GitHub.
pub(crate) fn is_there() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// The line that makes an annotation. `kind` is `error` or `warning`. The message is already safe
/// for a terminal, so nothing in it can begin a line of its own.
pub(crate) fn annotation(kind: &str, title: &str, place: &Place, message: &str) -> String {
    let mut properties = Vec::new();
    let file = place.file.as_deref().map(in_workspace);
    let file = file.map(|file| file.display().to_string());
    // A name that is not safe to print is in the message, where it is escaped.
    if let Some(file) = file.filter(|file| safe(file) == *file) {
        properties.push(format!("file={}", property(&file)));
        properties.extend(place.line.map(|line| format!("line={line}")));
        let column = place.column.filter(|_| place.line.is_some());
        properties.extend(column.map(|column| format!("col={column}")));
    }
    properties.push(format!("title={}", property(title)));
    format!("::{kind} {}::{}", properties.join(","), data(message))
}

/// The path from the root of the repository, if the file is in it. GitHub knows no other paths.
fn in_workspace(file: &Path) -> PathBuf {
    let whole = std::path::absolute(file);
    let workspace = std::env::var_os("GITHUB_WORKSPACE");
    let inside = whole.ok().zip(workspace).and_then(|(whole, workspace)| {
        let inside = whole.strip_prefix(workspace).ok()?;
        Some(inside.to_owned())
    });
    inside.unwrap_or_else(|| file.to_owned())
}

/// A message: a line break would end it.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A property: a comma would end it, and a colon could end the properties.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_is_escaped() {
        let mut place = Place::in_message("x\n --> line 2:9\n");
        let bare = annotation("error", "a: b, c", &place, "100%\nof\r::it");
        assert_eq!(bare, "::error title=a%3A b%2C c::100%25%0Aof%0D::it");
        place.set_file(Path::new("a,b:c%.wat"));
        let line = annotation("warning", "kind", &place, "m");
        place.set_file(Path::new("a\u{202e}b.wat"));
        assert_eq!(annotation("error", "t", &place, "m"), "::error title=t::m");
        assert!(line.starts_with("::warning file="), "{line}");
        assert!(
            line.ends_with("a%2Cb%3Ac%25.wat,line=2,col=9,title=kind::m"),
            "{line}"
        );
    }
}
