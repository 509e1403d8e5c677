//! The last line of a verb that failed for some of several files.

use crate::render::count;

/// The most failures that the line names.
const MOST: usize = 10;

/// The line, with each failed file and its code. `None` if it would repeat the only message.
pub(crate) fn line(failed: &[(String, &'static str)], total: usize) -> Option<String> {
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
    Some(format!(
        "{} of {} failed: {}{more}",
        failed.len(),
        count(total, "input"),
        named.join(", ")
    ))
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
        let many: Vec<_> = (0..12).map(|it| (it.to_string(), "io")).collect();
        assert!(line(&many, 12).unwrap().ends_with("9 (io) and 2 more"));
    }
}
