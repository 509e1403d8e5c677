//! Characters that are invisible, or that a reader cannot identify.
//!
//! With one of them, two different texts can look the same. So names must not contain them, and
//! output escapes them. Their properties in Unicode 16.0.0 decide (UAX #44;
//! `DerivedGeneralCategory.txt`, `DerivedCoreProperties.txt`, `PropList.txt`):
//!
//! - general category Cc (control), Cf (format), Zl, Zp (ends of lines and paragraphs), Zs (spaces)
//!   except the space, Co (private use: its look depends on the font);
//! - `Default_Ignorable_Code_Point`: characters that are invisible if they are not supported. Among
//!   them are the Hangul fillers, variation selectors, tags, and places reserved for more of them;
//! - `Noncharacter_Code_Point`;
//! - characters that are blank in the code charts. They have no property: [`BLANK`].
//!
//! Other unassigned code points are shown as a box, and a later version of Unicode may make them
//! letters. So they do not count as unseen.

/// The blank pattern of braille, the null notehead, the blanks of Egyptian hieroglyphs, and the
/// filler of the Khitan small script.
pub const BLANK: [char; 5] = [
    '\u{2800}',
    '\u{13441}',
    '\u{13442}',
    '\u{16fe4}',
    '\u{1d159}',
];

/// Whether a reader cannot see the character, or cannot see which character it is.
///
/// The rule never changes within a version of the format, since it decides which names are valid
/// (`docs/format.md`).
pub fn is_unseen(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    // The first range that does not end before the character.
    let place = UNSEEN.partition_point(|(_, last)| *last < c);
    UNSEEN.get(place).is_some_and(|(first, _)| *first <= c)
}

/// All such characters: the first and last of each range, in order. `tests/it/unseen.rs` computes
/// the list from the properties, and if it differs, prints the lines for this file.
const UNSEEN: [(char, char); 49] = [
    ('\u{0}', '\u{1f}'),
    ('\u{7f}', '\u{a0}'),
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{1680}', '\u{1680}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{2000}', '\u{200f}'),
    ('\u{2028}', '\u{202f}'),
    ('\u{205f}', '\u{206f}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3000}', '\u{3000}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{e000}', '\u{f8ff}'),
    ('\u{fdd0}', '\u{fdef}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{fffe}', '\u{ffff}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{13441}', '\u{13442}'),
    ('\u{16fe4}', '\u{16fe4}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d159}', '\u{1d159}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{1fffe}', '\u{1ffff}'),
    ('\u{2fffe}', '\u{2ffff}'),
    ('\u{3fffe}', '\u{3ffff}'),
    ('\u{4fffe}', '\u{4ffff}'),
    ('\u{5fffe}', '\u{5ffff}'),
    ('\u{6fffe}', '\u{6ffff}'),
    ('\u{7fffe}', '\u{7ffff}'),
    ('\u{8fffe}', '\u{8ffff}'),
    ('\u{9fffe}', '\u{9ffff}'),
    ('\u{afffe}', '\u{affff}'),
    ('\u{bfffe}', '\u{bffff}'),
    ('\u{cfffe}', '\u{cffff}'),
    ('\u{dfffe}', '\u{e0fff}'),
    ('\u{efffe}', '\u{10ffff}'),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ranges_are_in_order_and_apart() {
        assert!(UNSEEN.iter().all(|(first, last)| first <= last));
        let apart = |pair: &[(char, char)]| u32::from(pair[0].1) + 1 < u32::from(pair[1].0);
        assert!(UNSEEN.windows(2).all(apart));
    }

    #[test]
    fn the_ends_of_ranges_belong_to_them() {
        for (first, last) in UNSEEN {
            assert!(is_unseen(first) && is_unseen(last), "{first:?} {last:?}");
        }
        for seen in [
            ' ',
            '~',
            '\u{a1}',
            '\u{301}',
            '\u{2801}',
            '\u{fffd}',
            '\u{1f980}',
        ] {
            assert!(!is_unseen(seen), "{seen:?}");
        }
    }
}
