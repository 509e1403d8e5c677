//! Patterns of a policy: text in which `*` stands for any characters, also none.

use edgec_artifact::TargetCpu;
use serde::Deserialize;

/// A pattern; everything but `*` stands for itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Pattern(String);

impl Pattern {
    /// Whether the whole of `text` matches, in time linear in both but for repeated
    /// parts.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else {
            return self.0 == text;
        };
        let Some(mut text) = text.strip_prefix(first) else {
            return false;
        };
        let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
        // The earliest place for each part leaves the most for those that follow.
        for part in middle.split('*') {
            match text.split_once(part) {
                _ if part.is_empty() => {}
                Some((_, behind)) => text = behind,
                None => return false,
            }
        }
        text.ends_with(last)
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether a list, where there is one, has a pattern for `text`.
pub(crate) fn allows(list: Option<&[Pattern]>, text: &str) -> bool {
    list.is_none_or(|patterns| patterns.iter().any(|pattern| pattern.matches(text)))
}

/// Likewise for a target: by its id or its triple, so that `aarch64*` means every target of
/// the family, whatever it is called.
pub(crate) fn allows_target(list: Option<&[Pattern]>, target: &TargetCpu) -> bool {
    allows(list, &target.id) || allows(list, &target.triple)
}

/// Patterns as reports show them.
pub(crate) fn join(patterns: &[Pattern]) -> String {
    let shown: Vec<String> = patterns.iter().map(|p| format!("`{p}`")).collect();
    match shown.as_slice() {
        [] => "nothing".to_owned(),
        _ => shown.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asterisk_stands_for_anything() {
        let matches = |pattern: &str, text| Pattern(pattern.to_owned()).matches(text);
        for (pattern, text) in [
            ("", ""),
            ("*", ""),
            ("*", "a/b:c@1"),
            ("shop", "shop"),
            ("acme/*", "acme/"),
            ("acme/*", "acme/a/b"),
            ("wasi:http/*@0.2.*", "wasi:http/types@0.2.3"),
            ("*a*b*", "xaxbx"),
            ("a*a", "aa"),
            ("**", "x"),
            ("a**b", "a-b"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("", "a"),
            ("shop", "shop2"),
            ("acme/*", "acme"),
            ("a*a", "a"),
            ("*a*b*", "xbxa"),
            ("ab*ba", "aba"),
            ("wasi:cli/*", "wasi:sockets/tcp@0.2.0"),
            ("Shop", "shop"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
