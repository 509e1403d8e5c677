//! Whether a text looks like a secret key. If a key stands in place of a file's name, edgec must
//! not repeat it.
//!
//! Known forms: PEM (RFC 7468) of any private key, also on one line, escaped (`\n`, `\u000a`,
//! `%0A`) or cut into words; the DER inside (PKCS#8, RFC 5958; SEC 1; PKCS#1; OpenSSH's) in base64,
//! base64url or hexadecimal, or byte by byte; all of these once more in such an encoding; what
//! `openssl pkey -text` prints; keys of PuTTY, age, minisign, signify and JWK; and texts that look
//! like 32 or 64 random bytes, since a bare seed has no form of its own.

mod encodings;
mod escapes;
mod forms;
mod listed;
#[cfg(test)]
mod tests;

use zeroize::Zeroizing;

use self::encodings::{decodings, from_hex, is_base64};
use self::escapes::unescaped;

/// What a text seems to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Material {
    /// A secret key: nothing else has this form.
    Key,
    /// 32 or 64 bytes in hexadecimal, or byte by byte: a secret seed or a public digest.
    HexBytes,
}

/// How many encodings around a key are removed.
const DEPTH: u8 = 3;
/// How much of a text is searched, in bytes (1 MiB).
const MAX_LEN: usize = 1 << 20;

/// What kind of key material a text seems to be, if any.
pub(crate) fn looks_like(text: &[u8]) -> Option<Material> {
    let text = text.get(..MAX_LEN).unwrap_or(text);
    if is_key(text, DEPTH) {
        return Some(Material::Key);
    }
    let mut digits = compact(&unescaped(text));
    digits.retain(|byte| *byte != b':');
    let prefixed = digits.strip_prefix(b"0x").or(digits.strip_prefix(b"0X"));
    let digits = prefixed.unwrap_or(&digits);
    let is_hex = digits.len().is_multiple_of(2) && digits.iter().all(u8::is_ascii_hexdigit);
    let is_bytes = (is_hex && is_seed(&from_hex(digits))) || listed::is_list(text, is_seed);
    is_bytes.then_some(Material::HexBytes)
}

/// Whether a text has the bytes of a key anywhere in it: 64 hexadecimal digits in a row, or a list
/// of 32 bytes. Where edgec knows every word that may stand, such a text is a mistake.
pub(crate) fn holds_bytes(text: &[u8]) -> bool {
    let text = text.get(..MAX_LEN).unwrap_or(text);
    let plain = unescaped(text);
    let mut runs = plain.split(|byte| !byte.is_ascii_hexdigit());
    runs.any(|run| run.len() >= 64) || holds_list(text)
}

/// Whether a text has a list of 32 bytes anywhere in it.
pub(crate) fn holds_list(text: &[u8]) -> bool {
    let text = text.get(..MAX_LEN).unwrap_or(text);
    listed::lists(text).iter().any(|list| list.len() >= 32)
}

/// Whether a text is written as digests are: 64 or 128 hexadecimal digits and nothing else.
pub(crate) fn is_digest(text: &[u8]) -> bool {
    matches!(text.len(), 64 | 128) && text.iter().all(u8::is_ascii_hexdigit)
}

/// How many bytes a text lists; 0 if it is not only a list of bytes, such as `[48,`.
pub(crate) fn listed_bytes(text: &[u8]) -> usize {
    listed::count(text)
}

/// 32 or 64 bytes; the first of these also as DER's OCTET STRING, or as one inside another
/// (RFC 8410, `CurvePrivateKey`).
fn is_seed(bytes: &[u8]) -> bool {
    match bytes {
        [0x04, 0x20, seed @ ..] | [0x04, 0x22, 0x04, 0x20, seed @ ..] if seed.len() == 32 => true,
        _ => matches!(bytes.len(), 32 | 64),
    }
}

fn is_key(text: &[u8], depth: u8) -> bool {
    let plain = unescaped(text);
    if forms::is_document(&plain) || forms::is_binary(&plain) {
        return true;
    }
    let Some(depth) = depth.checked_sub(1) else {
        return false;
    };
    let compact = compact(&plain);
    if has_seed(&compact) {
        return true;
    }
    let mut decoded = decodings(&compact).chain(listed::lists(text));
    decoded.any(|bytes| is_key(&bytes, depth))
}

/// Whether a text without white space has 32 or 64 bytes in base64 anywhere in it.
fn has_seed(text: &[u8]) -> bool {
    let mut begin = 0;
    // The end counts as a byte between two runs.
    for (at, byte) in text.iter().chain(std::iter::once(&b'\0')).enumerate() {
        if is_base64(*byte) {
            continue;
        }
        let run = without_der(text.get(begin..at).unwrap_or_default());
        let before = text.get(..begin).unwrap_or_default();
        // `./` and `../` begin a path.
        let is_path = before.ends_with(b".") && run.starts_with(b"/");
        if !is_path && is_random(run, text.get(at..).unwrap_or_default()) {
            return true;
        }
        begin = at + 1;
    }
    false
}

/// A run of base64 letters without the first letters of an OCTET STRING of 32 bytes, alone or
/// inside another.
fn without_der(run: &[u8]) -> &[u8] {
    match run {
        [b'B', b'C', b'I', b'E', b'I', seed @ ..] | [b'B', b'C', b'A'..=b'D', seed @ ..]
            if seed.len() == 43 =>
        {
            seed
        }
        _ => run,
    }
}

/// Whether a run of base64 letters has the length of 32 or 64 bytes, and is no name. A name has no
/// padding behind it, and changes less often than random text. Fewer than one random text in a
/// million has under three capitals or under three small letters. A random text uses one of the two
/// alphabets, while a path may mix both.
fn is_random(run: &[u8], behind: &[u8]) -> bool {
    let changes_at_least = match run.len() {
        43 => 6,
        86 => 18,
        _ => return false,
    };
    let has = |letters: &[u8]| run.iter().any(|byte| letters.contains(byte));
    let at_least_three = |is: fn(&u8) -> bool| run.iter().filter(|byte| is(byte)).count() >= 3;
    if (has(b"+/") && has(b"-_"))
        || !at_least_three(u8::is_ascii_uppercase)
        || !at_least_three(u8::is_ascii_lowercase)
    {
        return false;
    }
    is_padded(behind) || (changes(run) >= changes_at_least && !is_camel_case(run))
}

/// Whether padding follows, and not the value of `NAME=VALUE`.
fn is_padded(behind: &[u8]) -> bool {
    let mut after = behind.iter().skip_while(|byte| **byte == b'=');
    behind.starts_with(b"=") && after.next().is_none_or(|byte| !is_base64(*byte))
}

/// How often letters change in a way in which few names do: from a small letter to a capital, and
/// between letters and digits. A name changes at the beginning of a word and around a number. Of random
/// texts, one in 100,000 has under 6 changes in 43 letters, or under 18 in 86.
fn changes(run: &[u8]) -> usize {
    let pairs = run.iter().zip(run.iter().skip(1));
    let odd = pairs.filter(|(one, next)| {
        let (letters, digits) = (one.is_ascii_alphabetic(), one.is_ascii_digit());
        (one.is_ascii_lowercase() && next.is_ascii_uppercase())
            || (letters && next.is_ascii_digit())
            || (digits && next.is_ascii_alphabetic())
    });
    odd.count()
}

/// Whether a text has no digits, and its small letters stand in words: three in a row on average.
/// Such is `MyApplicationForTheEdge`; of random texts, one in 100,000.
fn is_camel_case(run: &[u8]) -> bool {
    let words = run.split(|byte| !byte.is_ascii_lowercase());
    let words = words.filter(|word| !word.is_empty()).count();
    let small = run.iter().filter(|byte| byte.is_ascii_lowercase()).count();
    !run.iter().any(u8::is_ascii_digit) && small >= 3 * words
}

/// Removes white space, quotes, and the commas and backslashes of lists of strings.
fn compact(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut compact = Zeroizing::new(text.to_vec());
    // In place: a buffer that grows leaves copies behind.
    compact.retain(|byte| !byte.is_ascii_whitespace() && !b"\"'`,\\".contains(byte));
    compact
}
