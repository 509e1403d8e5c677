//! Escaped texts, as in JSON, URLs, HTML or string literals.

use zeroize::Zeroizing;

use super::DEPTH;

/// Replaces `\n`, `\u000a`, `\x0a`, `%0A` and `&#10;` by their characters, also if they are escaped
/// several times.
pub(super) fn unescaped(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(text.to_vec());
    for _ in 0..DEPTH {
        let again = unescaped_once(&text);
        if *again == *text {
            break;
        }
        text = again;
    }
    text
}

fn unescaped_once(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut plain = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text;
    while let Some((&first, behind)) = rest.split_first() {
        let (byte, length) = match (first, behind) {
            (b'\\', [b'n' | b'r' | b't', ..]) => (b'\n', 2),
            (b'\\', [b'\\' | b'"' | b'/', ..]) => (*behind.first().unwrap_or(&b'\\'), 2),
            (b'\\', [b'u', ..]) => escape(rest, 2, 4),
            (b'\\', [b'x', ..]) => escape(rest, 2, 2),
            (b'%', _) => escape(rest, 1, 2),
            (b'&', [b'#', b'x' | b'X', ..]) => reference(rest, 3, 16),
            (b'&', [b'#', ..]) => reference(rest, 2, 10),
            _ => (first, 1),
        };
        plain.push(byte);
        rest = rest.get(length..).unwrap_or_default();
    }
    plain
}

/// The ASCII character that `digits` hexadecimal digits after a prefix stand for, and the length of
/// prefix and digits.
fn escape(text: &[u8], prefix: usize, digits: usize) -> (u8, usize) {
    let code = text.get(prefix..prefix + digits);
    let code = code.and_then(|code| std::str::from_utf8(code).ok());
    let code = code.and_then(|code| u8::from_str_radix(code, 16).ok());
    match code.filter(u8::is_ascii) {
        Some(byte) => (byte, prefix + digits),
        None => (*text.first().unwrap_or(&0), 1),
    }
}

/// The same for `&#10;`.
fn reference(text: &[u8], prefix: usize, radix: u32) -> (u8, usize) {
    let end = text.iter().take(8).position(|byte| *byte == b';');
    let code = end.and_then(|end| text.get(prefix..end));
    let code = code.and_then(|code| std::str::from_utf8(code).ok());
    let code = code.and_then(|code| u8::from_str_radix(code, radix).ok());
    match (code.filter(u8::is_ascii), end) {
        (Some(byte), Some(end)) => (byte, end + 1),
        _ => (b'&', 1),
    }
}
