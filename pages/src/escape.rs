//! Text in HTML.
//!
//! Source: HTML Living Standard, section 13.1.2 ("Elements" and "Attributes"): in text and in
//! quoted attribute values, only these characters have a meaning.

use std::fmt::{self, Write as _};

/// A text, shown as it is: no part of it is markup, in an element or in a quoted attribute.
/// Characters that are invisible, or that change the direction of the text beside them, are shown
/// as `\u{…}`.
///
/// It must not stand in a `script` or `style` element, or in an attribute without quotes.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a>(pub &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c if is_hidden(c) => write!(f, "{}", c.escape_unicode())?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Whether a reader would not see a character, or would see its neighbours elsewhere: controls,
/// bidirectional controls (UAX #9), separators of lines, and characters without width.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_markup() {
        let hostile = "</script><b a=\"'&\u{0}\u{202e}\u{2028}é";
        let shown = Text(hostile).to_string();
        let expected = "&lt;/script&gt;&lt;b a=&quot;&#39;&amp;\\u{0}\\u{202e}\\u{2028}é";
        assert_eq!(shown, expected);
        for c in (0..0x11_0000).filter_map(char::from_u32) {
            let shown = Text(c.encode_utf8(&mut [0; 4])).to_string();
            assert!(!shown.contains(['<', '>', '"', '\'']), "{c:?}");
            assert!(c.is_control() <= shown.starts_with("\\u{"), "{c:?}");
        }
    }
}
