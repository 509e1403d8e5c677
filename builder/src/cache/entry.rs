//! Entries: an answer, the key that it belongs to, and a digest of both.
//!
//! ```text
//! magic 16 │ key 32 │ length of the answer 8, little-endian │ digest 32 │ answer
//! ```
//!
//! The digest is the SHA-256 of magic, key, length, and the answer's fs-verity digest, which two
//! threads compute ([`verity`]). It finds entries that a crash, a full disk or
//! another program damaged, and entries under another name. It does not show who wrote an entry:
//! the folder does.

use edgec_artifact::{Sha256Digest, verity};
use sha2::{Digest as _, Sha256};

/// The beginning of every entry. Another form has another beginning.
const MAGIC: [u8; 16] = *b"edgec cached 02\n";

/// The length of an entry without its answer, in bytes.
pub(super) const HEAD_LEN: usize = 16 + 32 + 8 + 32;

/// The head of the entry of an answer.
pub(super) fn head(key: &Sha256Digest, answer: &[u8]) -> [u8; HEAD_LEN] {
    let length = (answer.len() as u64).to_le_bytes();
    let digest = digest(key, &length, answer);
    let parts: [&[u8]; 4] = [&MAGIC, &key.0, &length, &digest];
    let mut head = [0; HEAD_LEN];
    for (byte, from) in head.iter_mut().zip(parts.into_iter().flatten()) {
        *byte = *from;
    }
    head
}

fn digest(key: &Sha256Digest, length: &[u8; 8], answer: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(MAGIC);
    hash.update(key.0);
    hash.update(length);
    hash.update(verity::digest(answer).0);
    hash.finalize().into()
}

/// The answer in an entry. `None` if it is not an entry of this key, or is damaged.
pub(super) fn answer(mut entry: Vec<u8>, key: &Sha256Digest) -> Option<Vec<u8>> {
    let (magic, rest) = entry.split_first_chunk::<16>()?;
    let (named, rest) = rest.split_first_chunk::<32>()?;
    let (length, rest) = rest.split_first_chunk::<8>()?;
    let (stated, answer) = rest.split_first_chunk::<32>()?;
    let is_whole = u64::from_le_bytes(*length) == answer.len() as u64;
    if *magic != MAGIC || *named != key.0 || !is_whole || *stated != digest(key, length, answer) {
        return None;
    }
    entry.drain(..HEAD_LEN);
    Some(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Sha256Digest = Sha256Digest([7; 32]);

    fn entry(text: &[u8]) -> Vec<u8> {
        [&head(&KEY, text)[..], text].concat()
    }

    #[test]
    fn an_answer_comes_back() {
        for text in [&b""[..], b"x", &[1; 5000]] {
            assert_eq!(answer(entry(text), &KEY).unwrap(), text);
        }
    }

    #[test]
    fn a_changed_entry_is_none() {
        let whole = entry(b"native code");
        for place in 0..whole.len() {
            let mut changed = whole.clone();
            changed[place] ^= 1;
            assert_eq!(answer(changed, &KEY), None, "{place}");
            let cut = whole[..place].to_vec();
            assert_eq!(answer(cut, &KEY), None, "{place}");
        }
        assert_eq!(answer([&whole[..], b"x"].concat(), &KEY), None);
    }

    #[test]
    fn an_entry_under_another_key_is_none() {
        assert_eq!(answer(entry(b"native code"), &Sha256Digest([8; 32])), None);
    }
}
