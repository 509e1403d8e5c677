//! Whether a text looks like a secret key. If a key stands in place of a file's name, edgec must
//! not repeat it.
//!
//! These forms are known: PEM (RFC 7468) of any private key, also on one line, escaped (`\n`,
//! `\u000a`, `%0A`) or cut into words; the DER inside (PKCS#8, RFC 5958; SEC 1; PKCS#1; OpenSSH's)
//! in base64, base64url or hexadecimal, or byte by byte; all of these in one more such encoding,
//! also in UTF-16; the output of `openssl pkey -text`; dumps of bytes; keys of PuTTY, age,
//! minisign, signify and JWK; and texts with 32 or more random bytes in base64 or base32, because a
//! bare seed has no other form. Text in front of a key does not matter.

mod dump;
mod encodings;
mod escapes;
mod forms;
mod listed;
mod mask;
mod random;
#[cfg(test)]
mod tests;

use zeroize::Zeroizing;

use self::encodings::{decodings, from_hex};
use self::escapes::unescaped;
pub(crate) use self::mask::{masked, without_seeds};

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

/// Whether a text contains the bytes of a key: 64 hexadecimal digits in a row, or a list of 32
/// bytes. In a place where edgec knows every possible word, such a text is a mistake.
pub(crate) fn holds_bytes(text: &[u8]) -> bool {
    let text = text.get(..MAX_LEN).unwrap_or(text);
    let plain = unescaped(text);
    let mut runs = plain.split(|byte| !byte.is_ascii_hexdigit());
    runs.any(|run| run.len() >= 64) || holds_list(text)
}

/// Whether a text contains a list of 32 bytes.
pub(crate) fn holds_list(text: &[u8]) -> bool {
    let text = text.get(..MAX_LEN).unwrap_or(text);
    listed::lists(text).iter().any(|list| list.len() >= 32)
}

/// Whether a text has the form of a digest: 64 or 128 hexadecimal digits and nothing else.
pub(crate) fn is_digest(text: &[u8]) -> bool {
    matches!(text.len(), 64 | 128) && text.iter().all(u8::is_ascii_hexdigit)
}

/// Whether two arguments in a row come from a dump that a shell has split.
pub(crate) fn begins_dump(first: &[u8], second: &[u8]) -> bool {
    let is_offset = first.ends_with(b":") || first.len() >= 7;
    is_offset && dump::is_offset(first) && dump::bytes_in(second).is_some()
}

/// How many bytes a text lists. 0 if it contains anything else. `[48,` is such a list.
pub(crate) fn listed_bytes(text: &[u8]) -> usize {
    listed::count(text)
}

/// 32 or 64 bytes. 32 bytes may also be DER's OCTET STRING, or one inside another (RFC 8410,
/// `CurvePrivateKey`).
fn is_seed(bytes: &[u8]) -> bool {
    match bytes {
        [0x04, 0x20, seed @ ..] | [0x04, 0x22, 0x04, 0x20, seed @ ..] if seed.len() == 32 => true,
        _ => matches!(bytes.len(), 32 | 64),
    }
}

fn is_key(text: &[u8], depth: u8) -> bool {
    let plain = unescaped(text);
    if forms::is_document(&plain) || forms::is_binary(&plain) || dump::is_dump(&plain) {
        return true;
    }
    if plain.contains(&0) {
        // UTF-16, which shells of Windows write.
        let mut narrow = plain.clone();
        narrow.retain(|byte| *byte != 0);
        if forms::is_document(&narrow) {
            return true;
        }
    }
    let Some(depth) = depth.checked_sub(1) else {
        return false;
    };
    // Commas stay: the names in a list, such as targets, are not one run of letters.
    if random::has_random(&without(&plain, b"\"'`\\")) {
        return true;
    }
    let compact = compact(&plain);
    let mut decoded = decodings(&compact).chain(listed::lists(text));
    decoded.any(|bytes| is_key(&bytes, depth))
}

/// Removes white space, quotes, and the commas and backslashes of lists of strings.
fn compact(text: &[u8]) -> Zeroizing<Vec<u8>> {
    without(text, b"\"'`,\\")
}

/// Removes white space, and some other characters.
fn without(text: &[u8], removed: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut rest = Zeroizing::new(text.to_vec());
    // In place: a growing buffer would leave copies behind.
    rest.retain(|byte| !byte.is_ascii_whitespace() && !removed.contains(byte));
    rest
}
