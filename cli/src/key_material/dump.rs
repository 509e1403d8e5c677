//! Dumps of bytes in the form of `xxd`, `hexdump -C` and `od -t x1`: offsets, followed by bytes.

/// Whether a text begins like a dump. No file's name has this form.
pub(super) fn is_dump(text: &[u8]) -> bool {
    let mut words = text.split(u8::is_ascii_whitespace);
    let Some(first) = words.find(|word| !word.is_empty()) else {
        return false;
    };
    // A name may come first: `key=00000000:`.
    let offset = first.rsplit(|byte| *byte == b'=').next().unwrap_or(first);
    if !is_offset(offset) {
        return false;
    }
    let words = words.filter(|word| !word.is_empty());
    words.map_while(bytes_in).sum::<usize>() >= 8
}

/// Whether a word is the first offset of a dump.
pub(super) fn is_offset(word: &[u8]) -> bool {
    let digits = word.strip_suffix(b":").unwrap_or(word);
    (6..=16).contains(&digits.len()) && digits.iter().all(|byte| *byte == b'0')
}

/// How many bytes a word of a dump has. `None` if it is not such a word.
pub(super) fn bytes_in(word: &[u8]) -> Option<usize> {
    let is_hex = word.iter().all(u8::is_ascii_hexdigit);
    (is_hex && matches!(word.len(), 2 | 4 | 8 | 16)).then_some(word.len() / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dumps_begin_with_an_offset() {
        for text in [
            "00000000: 2d2d 2d2d 2d42 4547 494e 2050 5249 5641  -----BEGIN PRIVA",
            "00000000: 302e0201 00300506",
            "00000000  30 2e 02 01 00 30 05 06  03 2b 65 70 04 22 04 20  |0....0...+ep.\". |",
            "0000000 30 2e 02 01 00 30 05 06 03 2b 65 70 04 22 04 20",
            "\n00000000: 302e 0201 0030 0506",
            "key=00000000: 302e 0201 0030 0506",
        ] {
            assert!(is_dump(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            "0000",
            "00000000",
            "000000.wasm 11 22 33",
            "00000000: 30 2e",
        ] {
            assert!(!is_dump(text.as_bytes()), "{text}");
        }
    }
}
