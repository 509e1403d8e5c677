//! Signed notes: how transparency logs and their witnesses sign.
//!
//! Sources: C2SP `signed-note.md` and `tlog-cosignature.md` (<https://c2sp.org/signed-note>,
//! <https://c2sp.org/tlog-cosignature>). Only Ed25519 is read; a note may carry signatures of other
//! kinds and by other keys, which are skipped.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::UnixTime;
use crate::note_key::{NoteKey, NoteKeyKind};

/// More signatures than this are not read: each of them may be tried.
const MAX_SIGNATURES: usize = 64;

/// A text with signatures below it.
#[derive(Debug)]
pub(crate) struct Note<'t> {
    /// The signed text, with its last line break.
    pub(crate) text: &'t str,
    signatures: Vec<(&'t str, [u8; 4], Vec<u8>)>,
}

impl<'t> Note<'t> {
    /// Takes a note apart; `None` if the text is not one. No signature is verified.
    pub(crate) fn parse(note: &'t str) -> Option<Self> {
        if note.contains(|c: char| c.is_ascii_control() && c != '\n') {
            return None;
        }
        // The text may have empty lines itself.
        let at = note.rfind("\n\n")?;
        let (text, below) = note.split_at_checked(at + 1)?;
        let lines = below.strip_prefix('\n')?.strip_suffix('\n')?;
        let mut signatures = Vec::new();
        for line in lines.split('\n') {
            let (name, encoded) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
            let bytes = STANDARD.decode(encoded).ok()?;
            let (hash, signature) = bytes.split_first_chunk::<4>()?;
            if name.is_empty() || signatures.len() == MAX_SIGNATURES {
                return None;
            }
            signatures.push((name, *hash, signature.to_vec()));
        }
        Some(Self { text, signatures })
    }

    /// Whether this log has signed the note.
    pub(crate) fn is_signed_by(&self, log: &NoteKey) -> bool {
        log.kind() == NoteKeyKind::Note
            && self
                .by(log)
                .any(|it| log.public().accepts(self.text.as_bytes(), it))
    }

    /// The latest time at which this witness has seen the note, by its cosignatures.
    pub(crate) fn seen_by(&self, witness: &NoteKey) -> Option<UnixTime> {
        let times = self.by(witness).filter_map(|bytes| {
            let (time, signature) = bytes.split_first_chunk::<8>()?;
            let time = u64::from_be_bytes(*time);
            let message = format!("cosignature/v1\ntime {time}\n{}", self.text);
            let is_theirs = witness.public().accepts(message.as_bytes(), signature);
            is_theirs.then(|| UnixTime::from_seconds(time))
        });
        match witness.kind() {
            NoteKeyKind::Cosignature => times.max(),
            NoteKeyKind::Note => None,
        }
    }

    fn by(&self, key: &NoteKey) -> impl Iterator<Item = &[u8]> {
        let named = move |(name, hash, _): &&(&str, [u8; 4], Vec<u8>)| {
            *name == key.name() && *hash == key.hash()
        };
        let found = self.signatures.iter().filter(named);
        found.map(|(_, _, signature)| signature.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The note and the key of the Go package `golang.org/x/mod/sumdb/note` (its documentation).
    const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const NOTE: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\n\
        \u{2014} PeterNeumann \
        x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    #[test]
    fn a_public_note_is_read() {
        let key: NoteKey = KEY.parse().unwrap();
        assert_eq!(
            (key.to_string().as_str(), key.name()),
            (KEY, "PeterNeumann")
        );
        assert_eq!(key.kind(), NoteKeyKind::Note);
        let note = Note::parse(NOTE).unwrap();
        assert!(note.is_signed_by(&key));
        let other = NOTE.replace("problem is", "solution is");
        assert!(!Note::parse(&other).unwrap().is_signed_by(&key));
        // A log's key is no witness's.
        assert_eq!(note.seen_by(&key), None);
        let renamed = NoteKey::new("Peter", NoteKeyKind::Note, key.public().clone()).unwrap();
        assert!(!note.is_signed_by(&renamed));
    }

    #[test]
    fn what_is_no_note_is_refused() {
        for text in [
            "",
            "text\n",
            "text\n\n",
            "text\n\n\u{2014} name\n",
            "text\n\n\u{2014} name AAAA",
            "text\n\n- name AAAAAAAA\n",
            "text\n\n\u{2014} name AAA=\n",
            "text\t\n\n\u{2014} name AAAAAAAA\n",
            "text\n\n\u{2014}  AAAAAAAA\n",
        ] {
            assert!(Note::parse(text).is_none(), "{text:?}");
        }
        let line = "\u{2014} name AAAAAAAA\n";
        assert!(Note::parse(&format!("text\n\n{}", line.repeat(64))).is_some());
        assert!(Note::parse(&format!("text\n\n{}", line.repeat(65))).is_none());
    }
}
