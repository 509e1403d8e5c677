//! JSON in ASCII alone: a document may be shown on a terminal, and its texts come from a program.

use std::fmt::Write as _;

use serde::Serialize;

/// The value as indented JSON that ends with a line feed. Characters beyond printable ASCII are
/// escaped, which JSON reads as the same text (RFC 8259, section 7).
pub(crate) fn document(value: &impl Serialize) -> String {
    // A document is a struct of texts, numbers and lists: serializing it cannot fail.
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    let mut escaped = String::with_capacity(text.len() + 1);
    for character in text.chars() {
        match character {
            '\n' | ' '..='~' => escaped.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    // Writing to a string cannot fail.
                    let _ = write!(escaped, "\\u{unit:04x}");
                }
            }
        }
    }
    escaped.push('\n');
    escaped
}

#[cfg(test)]
mod tests {
    #[test]
    fn texts_keep_their_meaning() {
        let text = "a\u{202e}b\u{7f}\u{1f980}\n\"\u{e9}";
        let document = super::document(&[text]);
        assert!(document.is_ascii());
        assert!(document.chars().all(|c| c == '\n' || !c.is_control()));
        let back: Vec<String> = serde_json::from_str(&document).unwrap();
        assert_eq!(back, [text]);
    }
}
