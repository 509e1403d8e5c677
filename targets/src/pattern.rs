//! Patterns for names, as policies and builds write them.

/// Whether the whole `text` matches. In the pattern, `*` stands for any number of characters,
/// including none, and every other character stands for itself. The time is linear in both texts,
/// except for repeated parts.
pub fn pattern_matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    // Each part takes the earliest place that it can. That leaves the most text for the next parts.
    for part in middle.split('*') {
        match text.split_once(part) {
            _ if part.is_empty() => {}
            Some((_, behind)) => text = behind,
            None => return false,
        }
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::pattern_matches as matches;

    #[test]
    fn an_asterisk_stands_for_anything() {
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
