//! Finds texts that look like random bytes in base64 or base32: a bare seed has no other form.
//!
//! Names must not be taken for random. They consist of words, so their letters change less often
//! between small letters, capitals and digits.

use std::iter::once;
use std::ops::Range;

use super::encodings::is_base64;

/// The shortest run of letters that is examined: 40 letters of base64 are 30 bytes.
const WINDOW: usize = 40;
/// The number of base32 letters for 32 bytes.
const BASE32: usize = 52;

/// Whether a text without white space contains random bytes.
pub(super) fn has_random(text: &[u8]) -> bool {
    runs(text, WINDOW)
        .iter()
        .any(|run| is_random_run(text, run))
}

/// The runs of at least `shortest` letters of base64 in a text.
pub(super) fn runs(text: &[u8], shortest: usize) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut begin = 0;
    // The end counts as a byte between two runs.
    for (at, byte) in text.iter().chain(once(&b'\0')).enumerate() {
        if is_base64(*byte) {
            continue;
        }
        if at - begin >= shortest {
            found.push(begin..at);
        }
        begin = at + 1;
    }
    found
}

/// Whether a run of letters in a text consists of or contains random bytes.
pub(super) fn is_random_run(text: &[u8], run: &Range<usize>) -> bool {
    let letters = text.get(run.clone()).unwrap_or_default();
    let before = text.get(..run.start).unwrap_or_default();
    let behind = text.get(run.end..).unwrap_or_default();
    if begins_path(before, letters) {
        return false;
    }
    is_seed(without_der(letters), behind)
        || (!is_public(letters) && (holds_random(letters, behind) || holds_base32(letters)))
}

/// Whether a run begins a path: after `.`, as in `./` and `../`, or after a second `/`, also as the
/// value of an option (`-o//`, `--output=//`). A text of the length of a seed may begin with `//`
/// by chance.
fn begins_path(before: &[u8], run: &[u8]) -> bool {
    let value = match run {
        [b'-', name, value @ ..] if name.is_ascii_alphabetic() => value,
        _ => run,
    };
    let begins = before.is_empty() || before.ends_with(b"=");
    let doubled = begins && value.starts_with(b"//") && !matches!(value.len(), 43 | 86);
    doubled || (before.ends_with(b".") && run.starts_with(b"/"))
}

/// Whether a run is public: a key of OpenSSH or in PEM, a certificate, a digest
/// (<https://www.w3.org/TR/SRI/>), a content id of IPFS, a key of minisign, or the mangled name of
/// a function (Itanium C++ ABI, Rust RFC 2603).
fn is_public(run: &[u8]) -> bool {
    let parts: [&[u8]; 5] = [
        b"-----BEGIN",
        b"MCowBQYDK2VwAyEA",
        b"AAAAC3NzaC1",
        b"AAAAB3NzaC1",
        b"AAAAE2VjZHNh",
    ];
    let begins: [&[u8]; 8] = [
        b"sha256-", b"sha384-", b"sha512-", b"baf", b"_Z", b"__Z", b"_R", b"__R",
    ];
    // The letters of a public key of minisign, which has 42 bytes.
    let is_minisign = run.len() == 56 && run.starts_with(b"RW");
    let has = |part: &&[u8]| run.windows(part.len()).any(|window| window == *part);
    is_minisign || parts.iter().any(has) || begins.iter().any(|begin| run.starts_with(begin))
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

/// Whether a run of base64 letters has the length of 32 or 64 bytes and is not a name. A name has
/// no padding, and its letters change less often than in random text.
fn is_seed(run: &[u8], behind: &[u8]) -> bool {
    let changes_at_least = match run.len() {
        43 => 6,
        86 => 18,
        _ => return false,
    };
    may_be_random(run)
        && (is_padded(behind) || (changes(run) >= changes_at_least && !is_camel_case(run)))
}

/// Whether a run contains random letters, with any text before or after them. Of seeds without
/// padding, one in 1,000 is taken for a name; of longer texts, fewer.
fn holds_random(run: &[u8], behind: &[u8]) -> bool {
    // The end of 32 or 64 bytes is padded.
    let end = run.len().checked_sub(43).and_then(|at| run.get(at..));
    let is_end = |end: &[u8]| may_be_random(end) && changes(end) >= 4 && in_words(end) <= 24;
    if is_padded(behind) && end.is_some_and(is_end) {
        return true;
    }
    run.windows(WINDOW).any(|window| {
        may_be_random(window)
            && changes(window) >= 8
            && in_words(window) <= 16
            && !is_camel_case(window)
            && !has_digest(window)
    })
}

/// Whether a run contains 32 bytes in base32 (RFC 4648), which has letters of one kind only.
fn holds_base32(run: &[u8]) -> bool {
    let is_digit = |byte: &u8| (b'2'..=b'7').contains(byte);
    run.windows(BASE32).any(|window| {
        let capitals = |byte: &u8| byte.is_ascii_uppercase() || is_digit(byte);
        let small = |byte: &u8| byte.is_ascii_lowercase() || is_digit(byte);
        // Few names are this long without a separator between words, and even fewer in capitals.
        (window.iter().all(capitals) && changes(window) >= 2)
            || (window.iter().all(small) && changes(window) >= 8)
    })
}

/// Whether a text has both capitals and small letters, and only the other two characters of one
/// alphabet: a path may mix both. Fewer than one random text in a million has under three capitals
/// or under three small letters.
fn may_be_random(run: &[u8]) -> bool {
    let has = |letters: &[u8]| run.iter().any(|byte| letters.contains(byte));
    let at_least_three = |is: fn(&u8) -> bool| run.iter().filter(|byte| is(byte)).count() >= 3;
    !(has(b"+/") && has(b"-_"))
        && at_least_three(u8::is_ascii_uppercase)
        && at_least_three(u8::is_ascii_lowercase)
}

/// Whether padding follows, and not the value of `NAME=VALUE`.
fn is_padded(behind: &[u8]) -> bool {
    let mut after = behind.iter().skip_while(|byte| **byte == b'=');
    behind.starts_with(b"=") && after.next().is_none_or(|byte| !is_base64(*byte))
}

/// How often letters change in a way that is rare in names: from a small letter to a capital, and
/// between letters and digits. A name changes at the beginning of a word and around a number. Of
/// random texts, one in 100,000 has under 6 changes in 43 letters, or under 18 in 86.
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

/// How many letters belong to words: at least four small letters in a row.
fn in_words(run: &[u8]) -> usize {
    let words = run.split(|byte| !byte.is_ascii_lowercase());
    words.map(<[u8]>::len).filter(|length| *length >= 4).sum()
}

/// Whether a text has twelve hexadecimal digits in a row. Names with digests have them, and random
/// texts do not.
fn has_digest(run: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    run.split(|byte| !is_digit(byte))
        .any(|part| part.len() >= 12)
}

/// Whether a text has no digits, and its small letters form words: three in a row on average.
/// `MyApplicationForTheEdge` is an example. One random text in 100,000 has this form.
fn is_camel_case(run: &[u8]) -> bool {
    let words = run.split(|byte| !byte.is_ascii_lowercase());
    let words = words.filter(|word| !word.is_empty()).count();
    let small = run.iter().filter(|byte| byte.is_ascii_lowercase()).count();
    !run.iter().any(u8::is_ascii_digit) && small >= 3 * words
}
