//! Decodes what could be base64 or hexadecimal in a text.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::decoded_len_estimate;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// Everything in a text that could be bytes in base64 (either alphabet) or hexadecimal.
pub(super) fn decodings(text: &[u8]) -> impl Iterator<Item = Zeroizing<Vec<u8>>> {
    let runs = text.split(|byte| !is_base64(*byte));
    let runs = runs.filter(|run| run.len() >= 24);
    let base64 = runs.flat_map(|run| {
        // A name or a prefix may come first. A document is found inside any decoded text, if the
        // letters are grouped in the right fours. Binary keys are found only at their start: DER
        // begins with `M` in base64, and a key of minisign with `RW`.
        let begins = move |at: &usize| {
            let rest = run.get(*at..).unwrap_or_default();
            *at < 4 || rest.starts_with(b"M") || rest.starts_with(b"RW")
        };
        let begins = (0..run.len()).filter(begins).take(68);
        begins.filter_map(move |at| from_base64(run.get(at..)?))
    });
    let mut digits = Zeroizing::new(text.to_vec());
    digits.retain(|byte| *byte != b':');
    let hex = digits.split(|byte| !byte.is_ascii_hexdigit());
    let hex = hex.filter(|run| run.len() >= 32);
    let hex: Vec<_> = hex.flat_map(hex_decodings).collect();
    base64.chain(hex)
}

/// The bytes of a run of hexadecimal digits. Also the bytes from the start of PKCS#8 or another
/// sequence with a version, because offsets of a dump may come first.
fn hex_decodings(run: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let begins = |at: &usize| {
        let rest = run.get(*at..).unwrap_or_default();
        let version = |at: usize| rest.get(at..).is_some_and(|it| it.starts_with(b"0201"));
        *at == 0 || rest.starts_with(b"30") && [4, 6, 8].into_iter().any(version)
    };
    let begins = (0..run.len()).filter(begins).take(16);
    begins
        .filter_map(|at| run.get(at..))
        .map(from_hex)
        .collect()
}

/// The bytes of a run of base64 letters, in either alphabet.
fn from_base64(run: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let letters = run.iter().map(|byte| match byte {
        b'+' => b'-',
        b'/' => b'_',
        other => *other,
    });
    let mut letters: Zeroizing<Vec<u8>> = Zeroizing::new(letters.collect());
    // One remaining letter does not make a byte.
    if letters.len() % 4 == 1 {
        letters.pop();
    }
    let mut decoded = Zeroizing::new(vec![0; decoded_len_estimate(letters.len())]);
    let engine = GeneralPurpose::new(&URL_SAFE, config);
    let length = engine.decode_slice(&*letters, &mut decoded).ok()?;
    decoded.truncate(length);
    Some(decoded)
}

pub(super) fn from_hex(digits: &[u8]) -> Zeroizing<Vec<u8>> {
    let value = |digit: u8| char::from(digit).to_digit(16).unwrap_or(0);
    let bytes = digits.chunks_exact(2).map(|pair| match *pair {
        [high, low] => u8::try_from(value(high) * 16 + value(low)).unwrap_or(0),
        _ => 0,
    });
    Zeroizing::new(bytes.collect())
}

/// Whether a byte is a letter of base64, in either alphabet.
pub(super) fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}
