//! A place in a text.

use std::fmt;
use std::ops::Range;

/// A place in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TextPlace {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// The whole line. It may hold a secret, such as the password of a server.
    pub text: String,
}

impl fmt::Display for TextPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl TextPlace {
    /// The place of these bytes in a text. `None` if no character begins there.
    #[must_use]
    pub fn of(text: &str, span: &Range<usize>) -> Option<Self> {
        let (before, behind) = text.split_at_checked(span.start)?;
        let begin = before.rfind('\n').map_or(0, |end| end + 1);
        let begun = before.get(begin..)?;
        let rest = behind.lines().next().unwrap_or_default();
        Some(Self {
            line: before.matches('\n').count() + 1,
            column: begun.chars().count() + 1,
            text: format!("{begun}{rest}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_counted_in_lines_and_characters() {
        let text = "a = 1\r\né = \"ä\" # x\nlast";
        let place = |word: &str| {
            let start = text.find(word).unwrap();
            TextPlace::of(text, &(start..start + word.len())).unwrap()
        };
        let found = place("\"ä\"");
        assert_eq!((found.line, found.column), (2, 5));
        assert_eq!(found.text, "é = \"ä\" # x");
        assert_eq!(found.to_string(), "2:5");
        assert_eq!((place("a").line, place("a").column), (1, 1));
        assert_eq!(place("a").text, "a = 1");
        assert_eq!(place("last").text, "last");
        let end = TextPlace::of(text, &(text.len()..text.len())).unwrap();
        assert_eq!((end.line, end.column), (3, 5));
        let second = text.find('ä').unwrap() + 1;
        assert_eq!(TextPlace::of(text, &(second..second)), None);
    }
}
