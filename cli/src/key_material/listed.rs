//! Lists of bytes in the form in which programs print them: `[48, 46, 2]`, `0x30, 0x2e`,
//! `\x30\x2e`, `30-2E-02`.

use zeroize::Zeroizing;

/// A shorter list is not a key.
const MIN_LEN: usize = 16;

/// Reads a word as a byte.
type Notation = fn(&[u8]) -> Option<u8>;

const NOTATIONS: [Notation; 2] = [from_decimal, from_hex];

/// The lists in a text.
pub(super) fn lists(text: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let mut found = Vec::new();
    // Allocated for all words at once: a growing buffer would leave copies behind.
    let mut list: Zeroizing<Vec<u8>> = Zeroizing::new(Vec::with_capacity(words(text).count()));
    for notation in NOTATIONS {
        // The end counts as a word that is not a byte.
        for byte in words(text).map(notation).chain([None]) {
            if let Some(byte) = byte {
                list.push(byte);
                continue;
            }
            if list.len() >= MIN_LEN {
                found.push(Zeroizing::new(list.to_vec()));
            }
            list.clear();
        }
    }
    found
}

/// Whether a text consists of a list of bytes that are `wanted`.
pub(super) fn is_list(text: &[u8], wanted: fn(&[u8]) -> bool) -> bool {
    let mut list: Zeroizing<Vec<u8>> = Zeroizing::new(Vec::with_capacity(words(text).count()));
    NOTATIONS.into_iter().any(|notation| {
        list.clear();
        // Stops at the first word that is not a byte. Then the list is shorter than the text.
        list.extend(words(text).map_while(notation));
        list.len() == words(text).count() && wanted(&list)
    })
}

/// How many bytes a text lists. 0 if it contains anything else.
pub(super) fn count(text: &[u8]) -> usize {
    let all = |notation: Notation| words(text).all(|word| notation(word).is_some());
    match NOTATIONS.into_iter().any(all) {
        true => words(text).count(),
        false => 0,
    }
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let words = text.split(|byte| !byte.is_ascii_alphanumeric());
    words.filter(|word| !word.is_empty())
}

fn from_decimal(word: &[u8]) -> Option<u8> {
    let word = std::str::from_utf8(word).ok()?;
    word.strip_suffix("u8").unwrap_or(word).parse().ok()
}

/// Two digits, or `0x` or `x` and one or two digits.
fn from_hex(word: &[u8]) -> Option<u8> {
    let word = std::str::from_utf8(word).ok()?;
    let digits = word.strip_prefix('0').unwrap_or(word);
    let (digits, shortest) = match digits.strip_prefix(['x', 'X']) {
        Some(digits) => (digits.strip_suffix("u8").unwrap_or(digits), 1),
        None => (word, 2),
    };
    let fits = (shortest..=2).contains(&digits.len());
    u8::from_str_radix(digits, 16).ok().filter(|_| fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_in_every_notation() {
        let bytes: Vec<u8> = (0..32).map(|n| n * 7).collect();
        let write = |one: fn(&u8) -> String, between: &str| {
            bytes.iter().map(one).collect::<Vec<_>>().join(between)
        };
        for text in [
            write(u8::to_string, ","),
            format!("[{}]", write(u8::to_string, ", ")),
            format!("vec![{}]", write(|byte| format!("{byte}u8"), ", ")),
            format!("{{ {} }}", write(|byte| format!("0x{byte:02x}"), ", ")),
            write(|byte| format!("0X{byte:X}"), ",\n"),
            write(|byte| format!("0x{byte:x}u8"), ","),
            format!("b'{}'", write(|byte| format!("\\x{byte:02x}"), "")),
            write(|byte| format!("{byte:02X}"), "-"),
            write(|byte| format!("{byte:02x}"), " "),
        ] {
            let found = lists(text.as_bytes());
            assert!(found.iter().any(|list| **list == bytes), "{text}");
        }
        let all = |text: &str| is_list(text.as_bytes(), |bytes| bytes.len() == 32);
        assert!(all(&write(u8::to_string, ",")));
        assert!(all(&write(|byte| format!("{byte:02x}"), ":")));
        assert!(!all(&format!("of {}", write(u8::to_string, ","))));
        assert!(!all("") && !all("1,2,3"));
        assert_eq!(count(b"[48,"), 1);
        assert_eq!(count(b"0x30,0x2e"), 2);
        for other in [&b"a.wasm"[..], b"256", b"[", b""] {
            assert_eq!(count(other), 0);
        }
        assert!(lists(b"1, 2, 3, 256, 4, +5, 0x, 0x123, fff").is_empty());
    }
}
