//! The last line of a verb that failed for some of several files.

use crate::render::count;

/// The most failures that the line names.
const MOST: usize = 10;

/// The line, with each failed file and its code. `None` if it would repeat the only message.
pub(crate) fn line(failed: &[(String, &'static str)], total: usize) -> Option<String> {
    let inputs = count(total, "input");
    named(failed, total).map(|named| format!("{} of {inputs} failed: {named}", failed.len()))
}

/// Like [`line()`], for the components of a project, of which all are written or none.
pub(crate) fn of_project(failed: &[(String, &'static str)], total: usize) -> Option<String> {
    let components = count(total, "component");
    let failed_of = format!("{} of {components} failed", failed.len());
    named(failed, total).map(|named| format!("{failed_of}, and nothing was written: {named}"))
}

/// What failed, and why.
fn named(failed: &[(String, &'static str)], total: usize) -> Option<String> {
    if total < 2 || failed.is_empty() {
        return None;
    }
    let named = failed.iter().take(MOST);
    let named: Vec<String> = named
        .map(|(subject, code)| format!("{subject} ({code})"))
        .collect();
    let more = match failed.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!("{}{more}", named.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_input_needs_no_sum() {
        let failed = [("a.wat".to_owned(), "invalid")];
        assert_eq!(line(&failed, 1), None);
        assert_eq!(line(&[], 2), None);
        let shown = line(&failed, 2).unwrap();
        assert_eq!(shown, "1 of 2 inputs failed: a.wat (invalid)");
        let shown = of_project(&failed, 2).unwrap();
        let expected = "1 of 2 components failed, and nothing was written: a.wat (invalid)";
        assert_eq!(shown, expected);
        let many: Vec<_> = (0..12).map(|it| (it.to_string(), "io")).collect();
        assert!(line(&many, 12).unwrap().ends_with("9 (io) and 2 more"));
    }
}
