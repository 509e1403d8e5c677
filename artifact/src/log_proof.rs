//! Proofs that a statement is in a transparency log, to be verified without a network.
//!
//! Sources: C2SP `tlog-proof.md` and `tlog-checkpoint.md` (<https://c2sp.org/tlog-proof>,
//! <https://c2sp.org/tlog-checkpoint>); RFC 9162, sections 2.1.1 and 2.1.3.2, for the tree. The
//! entry of an artifact is the payload of its envelope: it does not change when signatures are
//! added.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

use crate::note::Note;
use crate::{NoteKey, UnixTime};

/// The longest proof, in bytes (64 KiB).
pub const MAX_LOG_PROOF_LEN: usize = 1 << 16;
/// A tree of 2^63 entries needs no longer path.
const MAX_PATH: usize = 63;
/// The first line of a proof.
const HEADER: &str = "c2sp.org/tlog-proof@v1";

type Hash = [u8; 32];

/// A proof, taken apart. Nothing in it is verified.
#[derive(Debug)]
pub struct LogProof<'t> {
    index: u64,
    path: Vec<Hash>,
    checkpoint: Note<'t>,
    origin: &'t str,
    size: u64,
    root: Hash,
}

/// Why a text is not a proof, or proves nothing about an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogProofError {
    /// Longer than any proof.
    #[error("{len} bytes are more than the {MAX_LOG_PROOF_LEN} that a proof of a log may have")]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// Not a proof of this form.
    #[error("not a proof of a log (`{HEADER}`): {reason}")]
    Form {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The log has not signed the checkpoint.
    #[error("the checkpoint is not signed by the log `{log}`")]
    Log {
        /// The log that should have signed it.
        log: String,
    },
    /// The tree of the checkpoint does not have the entry at this place.
    #[error("entry {index} of the log is not this artifact's statement")]
    Entry {
        /// The place in the log.
        index: u64,
    },
}

impl<'t> LogProof<'t> {
    /// Takes a proof apart.
    ///
    /// # Errors
    ///
    /// [`LogProofError::TooLong`] or [`LogProofError::Form`].
    pub fn parse(proof: &'t [u8]) -> Result<Self, LogProofError> {
        let len = proof.len();
        if len > MAX_LOG_PROOF_LEN {
            return Err(LogProofError::TooLong { len });
        }
        let wrong = |reason| LogProofError::Form { reason };
        let text = std::str::from_utf8(proof).map_err(|_| wrong("it is not UTF-8"))?;
        let (above, below) = text
            .split_once("\n\n")
            .ok_or(wrong("no empty line before the checkpoint"))?;
        let mut lines = above.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(wrong("another first line"));
        }
        // Data for other readers. It is not signed.
        if let Some(extra) = lines.next_if(|line| line.starts_with("extra ")) {
            let data = extra.strip_prefix("extra ").unwrap_or_default();
            STANDARD
                .decode(data)
                .map_err(|_| wrong("`extra` is not base64"))?;
        }
        let index = lines.next().and_then(|line| line.strip_prefix("index "));
        let index = index.and_then(number).ok_or(wrong("no `index`"))?;
        let path: Option<Vec<Hash>> = lines.map(hash).collect();
        let path = path.ok_or(wrong("a hash of the path is not 32 bytes in base64"))?;
        if path.len() > MAX_PATH {
            return Err(wrong("the path is longer than that of any tree"));
        }
        let checkpoint = Note::parse(below).ok_or(wrong("the checkpoint is not a signed note"))?;
        let mut lines = checkpoint.text.split('\n');
        let origin = lines.next().filter(|origin| !origin.is_empty());
        let (size, root) = (lines.next().and_then(number), lines.next().and_then(hash));
        let (Some(origin), Some(size), Some(root)) = (origin, size, root) else {
            return Err(wrong("the checkpoint has no origin, size and root"));
        };
        Ok(Self {
            index,
            path,
            origin,
            size,
            root,
            checkpoint,
        })
    }

    /// The place of the entry in the log.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The number of entries in the log at the checkpoint.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether this log had `entry` at the checkpoint.
    ///
    /// # Errors
    ///
    /// [`LogProofError::Log`] or [`LogProofError::Entry`].
    pub fn verify(&self, log: &NoteKey, entry: &[u8]) -> Result<(), LogProofError> {
        // A log signs only checkpoints of its own origin.
        if self.origin != log.name() || !self.checkpoint.is_signed_by(log) {
            return Err(LogProofError::Log {
                log: log.name().to_owned(),
            });
        }
        match root_of(self.index, self.size, leaf(entry), &self.path) == Some(self.root) {
            true => Ok(()),
            false => Err(LogProofError::Entry { index: self.index }),
        }
    }

    /// When this witness has seen the checkpoint, if it has cosigned it.
    pub fn seen_by(&self, witness: &NoteKey) -> Option<UnixTime> {
        self.checkpoint.seen_by(witness)
    }
}

/// A decimal number in its one spelling.
fn number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn hash(text: &str) -> Option<Hash> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// The hash of an entry (RFC 9162, section 2.1.1).
fn leaf(entry: &[u8]) -> Hash {
    let hasher = Sha256::new_with_prefix([0]).chain_update(entry);
    hasher.finalize().into()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    let hasher = Sha256::new_with_prefix([1]).chain_update(left);
    hasher.chain_update(right).finalize().into()
}

/// The root that a path leads to (RFC 9162, section 2.1.3.2), or `None` if the path does not fit a
/// tree of this size.
fn root_of(index: u64, size: u64, leaf: Hash, path: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut place, mut last, mut root) = (index, size - 1, leaf);
    for sibling in path {
        if last == 0 {
            return None;
        }
        if place & 1 == 1 || place == last {
            root = node(sibling, &root);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            root = node(&root, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The root of these entries, and the path of each, by the definition (RFC 9162, section
    /// 2.1.1 and 2.1.3.1).
    fn tree(entries: &[Hash]) -> (Hash, Vec<Vec<Hash>>) {
        if let [only] = entries {
            return (*only, vec![Vec::new()]);
        }
        let half = entries.len().next_power_of_two() / 2;
        let (left, right) = entries.split_at(half);
        let ((left, mut paths), (right, others)) = (tree(left), tree(right));
        paths.iter_mut().for_each(|path| path.push(right));
        paths.extend(others.into_iter().map(|mut path| {
            path.push(left);
            path
        }));
        (node(&left, &right), paths)
    }

    #[test]
    fn every_path_of_small_trees_leads_to_the_root() {
        for size in 1..40_u8 {
            let entries: Vec<Hash> = (0..size).map(|it| leaf(&[it])).collect();
            let (root, paths) = tree(&entries);
            for (index, path) in paths.iter().enumerate() {
                let (at, all) = (index as u64, u64::from(size));
                assert_eq!(
                    root_of(at, all, entries[index], path),
                    Some(root),
                    "{at} of {size}"
                );
                for other in (0..all).filter(|other| *other != at) {
                    let found = root_of(other, all, entries[index], path);
                    assert_ne!(found, Some(root), "{at} at {other} of {size}");
                }
                assert_ne!(root_of(at, all, leaf(b"other"), path), Some(root));
                let longer = [path.as_slice(), &[root]].concat();
                assert_ne!(root_of(at, all, entries[index], &longer), Some(root));
                if let [_, shorter @ ..] = path.as_slice() {
                    assert_ne!(root_of(at, all, entries[index], shorter), Some(root));
                }
            }
        }
        assert_eq!(root_of(0, 0, leaf(b""), &[]), None);
        assert_eq!(root_of(u64::MAX, u64::MAX, leaf(b""), &[]), None);
    }

    /// RFC 6962's test vectors of the reference implementation: the leaf of no bytes.
    #[test]
    fn a_leaf_is_that_of_the_specification() {
        let empty = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
        assert_eq!(crate::Sha256Digest(leaf(b"")).to_string(), empty);
    }

    #[test]
    fn each_error_of_the_form_has_a_case() {
        let hash = STANDARD.encode([7; 32]);
        let checkpoint = format!("log\n1\n{hash}\n\n\u{2014} log AAAAAAAA\n");
        let whole = format!("{HEADER}\nindex 0\n{hash}\n\n{checkpoint}");
        assert_eq!(LogProof::parse(whole.as_bytes()).unwrap().index(), 0);
        let extra = whole.replace("index", "extra AAAA\nindex");
        assert!(LogProof::parse(extra.as_bytes()).is_ok());
        for (from, to, says) in [
            ("\n\n", "\n", "a hash of the path"),
            ("@v1", "@v2", "another first line"),
            ("index 0", "index 00", "no `index`"),
            ("index 0", "index -1", "no `index`"),
            ("index 0\n", "", "no `index`"),
            ("index", "extra *\nindex", "`extra` is not base64"),
            (&*hash, "AAAA", "a hash of the path"),
            ("\u{2014} log", "log", "not a signed note"),
            ("log\n1\n", "log\nx\n", "no origin, size and root"),
            ("log\n1\n", "\n1\n", "no origin, size and root"),
        ] {
            let text = whole.replacen(from, to, 1);
            let error = LogProof::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(says), "{from:?} {to:?}: {error}");
        }
        let alone = format!("{HEADER}\nindex 0\n{hash}\n");
        let error = LogProof::parse(alone.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("no empty line"), "{error}");
        let long = whole.replacen(&hash, &[hash.as_str(); 64].join("\n"), 1);
        let error = LogProof::parse(long.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("longer than that of any tree"));
        assert!(matches!(
            LogProof::parse(&vec![b' '; MAX_LOG_PROOF_LEN + 1]),
            Err(LogProofError::TooLong { .. })
        ));
        assert!(LogProof::parse(b"\xff").is_err());
    }
}
