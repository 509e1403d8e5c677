//! Unicode's Normalization Form C (UAX #15), of Unicode 16.0.0.
//!
//! One letter can have several spellings, such as `é` in one character or in two, which a reader
//! cannot tell apart. Names have the one spelling of Normalization Form C. The tables are here, and
//! not in a library that takes up new versions of Unicode: which names are valid never changes
//! within a version of the format (`docs/format.md`). Characters that Unicode 16.0.0 does not have
//! combine with none.

mod classes;
mod compositions;

use classes::{CLASSES, REPLACED};
use compositions::COMPOSITIONS;

/// Below it are only characters that every normalized text may have, in any order.
const FIRST_THAT_COMBINES: u32 = 0x300;

/// Whether a text is in Normalization Form C.
pub(crate) fn is_normalized(text: &str) -> bool {
    let text: Vec<u32> = text.chars().map(u32::from).collect();
    if text.iter().all(|c| *c < FIRST_THAT_COMBINES) {
        return true;
    }
    if text.iter().any(|c| is_in(REPLACED, *c)) {
        return false;
    }
    let mut apart = Vec::with_capacity(text.len());
    for c in &text {
        take_apart(*c, &mut apart);
    }
    // Marks after one letter, by their classes: those of one class keep their order.
    for marks in apart.split_mut(|(class, _)| *class == 0) {
        marks.sort_by_key(|(class, _)| *class);
    }
    compose(&apart) == text
}

/// Whether a character is in one of the ranges.
fn is_in(ranges: &[u32], c: u32) -> bool {
    let (ranges, _) = ranges.as_chunks::<2>();
    ranges
        .iter()
        .any(|[first, last]| (*first..=*last).contains(&c))
}

/// The canonical combining class of a character.
fn class(c: u32) -> u8 {
    let found = CLASSES.iter().find(|(_, ranges)| is_in(ranges, c));
    found.map_or(0, |(class, _)| *class)
}

/// Adds what a character is made of, each with its class. Syllables of Hangul stay whole: what they
/// are made of has class 0, so that nothing comes between.
fn take_apart(c: u32, apart: &mut Vec<(u8, u32)>) {
    match parts(c) {
        Some((first, second)) => {
            take_apart(first, apart);
            take_apart(second, apart);
        }
        None => apart.push((class(c), c)),
    }
}

fn parts(c: u32) -> Option<(u32, u32)> {
    COMPOSITIONS.iter().find_map(|(second, with)| {
        let (with, _) = with.as_chunks::<2>();
        let found = with.iter().find(|[_, whole]| *whole == c);
        found.map(|[first, _]| (*first, *second))
    })
}

/// What is written for characters in canonical order (UAX #15, D117).
fn compose(apart: &[(u8, u32)]) -> Vec<u32> {
    let mut written: Vec<u32> = Vec::with_capacity(apart.len());
    // Where the last character of class 0 is.
    let mut letter: Option<usize> = None;
    let mut last_class = 0;
    for (class, c) in apart {
        let behind = letter.filter(|at| at + 1 == written.len() || last_class < *class);
        let place = behind.and_then(|at| written.get_mut(at));
        let whole = place.and_then(|first| Some((together(*first, *c)?, first)));
        if let Some((whole, first)) = whole {
            *first = whole;
            continue;
        }
        if *class == 0 {
            letter = Some(written.len());
        }
        last_class = *class;
        written.push(*c);
    }
    written
}

/// The character that is written for two.
fn together(first: u32, second: u32) -> Option<u32> {
    if let Some(syllable) = hangul(first, second) {
        return Some(syllable);
    }
    let (_, with) = COMPOSITIONS.iter().find(|(it, _)| *it == second)?;
    let (with, _) = with.as_chunks::<2>();
    let found = with.iter().find(|[it, _]| *it == first);
    found.map(|[_, whole]| *whole)
}

/// The syllable of Hangul that is written for two parts (The Unicode Standard, 3.12).
fn hangul(first: u32, second: u32) -> Option<u32> {
    const SYLLABLES: u32 = 0xac00;
    match (first, second) {
        (0x1100..=0x1112, 0x1161..=0x1175) => {
            Some(SYLLABLES + ((first - 0x1100) * 21 + (second - 0x1161)) * 28)
        }
        (SYLLABLES..=0xd7a3, 0x11a8..=0x11c2) if (first - SYLLABLES).is_multiple_of(28) => {
            Some(first + (second - 0x11a7))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(characters: &[u32]) -> String {
        let characters = characters.iter().map(|c| char::from_u32(*c).unwrap());
        characters.collect()
    }

    #[test]
    fn one_spelling_of_each_is_normalized() {
        for (one, others) in [
            ("caf\u{e9}", &["cafe\u{301}"][..]),
            // The angstrom sign is a letter, and its two characters are.
            ("\u{c5}", &["\u{212b}", "A\u{30a}"]),
            // Two marks of different classes: their order says nothing.
            (
                "\u{1eb9}\u{301}",
                &["e\u{301}\u{323}", "e\u{323}\u{301}", "\u{e9}\u{323}"],
            ),
            (
                "\u{1ead}",
                &["\u{e2}\u{323}", "\u{1ea1}\u{302}", "a\u{302}\u{323}"],
            ),
            // A letter that has a character of its own, and is not written with it.
            ("\u{915}\u{93c}", &["\u{958}"]),
            ("\u{9cb}", &["\u{9c7}\u{9be}"]),
            (
                "\u{ac01}",
                &["\u{1100}\u{1161}\u{11a8}", "\u{ac00}\u{11a8}"],
            ),
            ("\u{8c48}", &["\u{f900}"]),
            ("\u{110ab}", &["\u{110a5}\u{110ba}"]),
            (
                "\u{16d6a}",
                &["\u{16d69}\u{16d67}", "\u{16d63}\u{16d67}\u{16d67}"],
            ),
        ] {
            assert!(is_normalized(one), "{one:?}");
            for other in others {
                assert!(!is_normalized(other), "{other:?}");
            }
        }
    }

    #[test]
    fn marks_that_have_no_character_with_their_letter_stay() {
        for text in [
            "",
            "shop",
            "\u{301}",
            "q\u{301}",
            // Of one class, the second mark does not reach the letter.
            "a\u{310}\u{301}",
            "\u{5d1}\u{5b0}\u{5bc}",
            "\u{e01}\u{e33}",
            "\u{1f980}",
            "\u{378}\u{301}",
        ] {
            assert!(is_normalized(text), "{text:?}");
        }
        // Not in the order of their classes.
        assert!(!is_normalized("\u{5d1}\u{5bc}\u{5b0}"));
    }

    /// Each composition, alone and taken apart; each character that is never written.
    #[test]
    fn the_tables_agree() {
        let mut compositions = 0;
        for (second, with) in COMPOSITIONS {
            for [first, whole] in with.as_chunks::<2>().0 {
                assert!(is_normalized(&text(&[*whole])), "{whole:x}");
                assert!(!is_normalized(&text(&[*first, second])), "{whole:x}");
                compositions += 1;
            }
        }
        let replaced = REPLACED.as_chunks::<2>().0.iter();
        let replaced: Vec<u32> = replaced.flat_map(|[first, last]| *first..=*last).collect();
        assert!(replaced.iter().all(|c| !is_normalized(&text(&[*c]))));
        // As Unicode counts them.
        assert_eq!((compositions, replaced.len()), (961, 1120));
    }
}
