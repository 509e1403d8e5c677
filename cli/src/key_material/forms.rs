//! The forms of private keys, after the encodings around them are removed.

use zeroize::Zeroizing;

/// Whether bytes begin like a private key in a binary form.
pub(super) fn is_binary(bytes: &[u8]) -> bool {
    is_private_der(bytes) || is_minisign(bytes) || bytes.starts_with(OPENSSH)
}

/// The beginning of OpenSSH's private keys (`PROTOCOL.key`).
const OPENSSH: &[u8] = b"openssh-key-v1\0";

/// Whether a document is marked as a private key.
pub(super) fn is_document(text: &[u8]) -> bool {
    let capital = |byte: &u8| match byte.is_ascii() {
        true => byte.to_ascii_uppercase(),
        false => b'?',
    };
    let capitals: Zeroizing<Vec<u8>> = Zeroizing::new(text.iter().map(capital).collect());
    // All of it is ASCII.
    let text = std::str::from_utf8(&capitals).unwrap_or_default();
    if is_openssl_text(text) {
        return true;
    }
    if text.contains("-----BEGIN") {
        let mut letters = capitals.clone();
        letters.retain(u8::is_ascii_uppercase);
        let letters = std::str::from_utf8(&letters).unwrap_or_default();
        // A shell splits a document without quotes around it, and `-----BEGIN` becomes a separate
        // word.
        let words = text.split_once("-----BEGIN").map_or("", |(_, rest)| rest);
        return letters.contains("PRIVATEKEY") || words.trim().is_empty();
    }
    let jwk = text.contains("\"KTY\"") && text.contains("\"D\"");
    let minisign = text.contains("UNTRUSTED COMMENT") && text.contains("SECRET KEY");
    jwk || minisign || text.contains("PUTTY-USER-KEY-FILE") || text.contains("AGE-SECRET-KEY-1")
}

/// Whether a text, in capitals, is the output of `openssl pkey -text` for a private key: its title,
/// or a secret number.
fn is_openssl_text(text: &str) -> bool {
    let behind = |field: &'static str| text.split(field).skip(1);
    let is_title = |rest: &str| rest.is_empty() || rest.starts_with(char::is_whitespace);
    let is_number = |rest: &str| {
        let digits = rest.chars().filter(|c| !c.is_whitespace() && *c != ':');
        let digits = digits.take(32).filter(char::is_ascii_hexdigit);
        digits.count() == 32
    };
    behind("PRIVATE-KEY:").any(is_title)
        || behind("PRIV:").any(is_number)
        || behind("PRIVATEEXPONENT:").any(is_number)
}

/// Whether bytes begin like a secret key of minisign (encrypted or not) or signify. Public keys and
/// signatures have at most 74 bytes, and begin with `Ed` and random bytes.
fn is_minisign(bytes: &[u8]) -> bool {
    let begins: [&[u8]; 3] = [b"EdScB2", b"Ed\0\0B2", b"EdBK"];
    bytes.len() > 74 && begins.iter().any(|begin| bytes.starts_with(begin))
}

/// Whether bytes begin like PKCS#8, encrypted PKCS#8 (PBES1, PBES2, PKCS#12), SEC 1, or PKCS#1.
fn is_private_der(bytes: &[u8]) -> bool {
    let sequence = |bytes: &[u8]| -> Option<usize> {
        match *bytes {
            [0x30, length, ..] if length < 0x80 => Some(2),
            [0x30, 0x81, ..] => Some(3),
            [0x30, 0x82, ..] => Some(4),
            _ => None,
        }
    };
    let Some(inner) = sequence(bytes).and_then(|header| bytes.get(header..)) else {
        return false;
    };
    // PKCS#5 (1.2.840.113549.1.5) and PKCS#12's encryption (1.2.840.113549.1.12.1).
    let encryption: [&[u8]; 2] = [
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05],
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c],
    ];
    match *inner {
        // Version 0 or 1, then an algorithm, a key of 32 bytes or more, or a modulus.
        [0x02, 0x01, 0x00 | 0x01, 0x30, ..] => true,
        [0x02, 0x01, 0x01, 0x04, length, ..] => length >= 0x18,
        [0x02, 0x01, 0x00, 0x02, length, ..] => length >= 0x40,
        _ => {
            let id = sequence(inner).and_then(|header| inner.get(header..));
            let id = id.and_then(|id| id.get(2..)).unwrap_or_default();
            encryption.iter().any(|known| id.starts_with(known))
        }
    }
}
