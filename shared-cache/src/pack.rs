//! Packs: all answers of one build in one object.
//!
//! ```text
//! magic 16 │ length of the index 4, little-endian │ signed index │ compressed answers
//! ```
//!
//! Each answer is a zstd frame of its own (RFC 8878), so a reader decompresses only what it needs,
//! and threads do it side by side. Everything about an answer is in the signed index: where it is,
//! how long it becomes, and its digest. So a frame that grows beyond that length is stopped there.

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;
use edgec_artifact::{Sha256Digest, SignerKeys};
use edgec_packager::SecretKeys;

use crate::index::{Entry, Index, MAX_INDEX_LEN, Refusal};

/// The beginning of every pack.
const MAGIC: [u8; 16] = *b"edgec pack   01\n";
/// The longest pack, in bytes (448 MiB). An object in Redis has at most 512 MiB.
pub(crate) const MAX_PACK_LEN: u64 = 448 << 20;
/// The longest answer, in bytes (1 GiB).
const MAX_ANSWER_LEN: u64 = 1 << 30;
/// How hard zstd tries. Higher levels cost more than the network does.
const LEVEL: i32 = 1;

/// A pack whose index is signed by a trusted key. Its answers are checked when they are needed.
#[derive(Debug)]
pub(crate) struct Pack {
    bytes: Bytes,
    entries: HashMap<Sha256Digest, Located>,
}

#[derive(Debug)]
struct Located {
    kind: String,
    place: Range<usize>,
    length: usize,
    sha256: Sha256Digest,
}

/// What a pack says about a question.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Answer(Vec<u8>),
    Nothing,
    /// It is not the answer that was signed.
    Damaged,
}

impl Pack {
    /// Reads a pack. Without `edgec`, it may be of any.
    pub(crate) fn read(
        bytes: Bytes,
        trusted: &[SignerKeys],
        namespace: &str,
        edgec: Option<&Sha256Digest>,
    ) -> Result<Self, Refusal> {
        let (envelope, body) = split(&bytes).ok_or(Refusal::Damaged)?;
        let index = Index::read(
            bytes.get(envelope).unwrap_or_default(),
            trusted,
            namespace,
            edgec,
        )?;
        let mut entries = HashMap::with_capacity(index.entries.len());
        let mut from = body.start;
        for entry in index.entries {
            let located = located(&entry, from, body.end).ok_or(Refusal::Damaged)?;
            from = located.place.end;
            entries.insert(entry.key, located);
        }
        match from == body.end {
            true => Ok(Self { bytes, entries }),
            false => Err(Refusal::Damaged),
        }
    }

    /// The answer to a question.
    pub(crate) fn find(&self, kind: &str, key: &Sha256Digest) -> Found {
        match self.entries.get(key) {
            Some(located) if located.kind == kind => match self.answer(located) {
                Some(answer) => Found::Answer(answer),
                None => Found::Damaged,
            },
            _ => Found::Nothing,
        }
    }

    /// How many answers are whole, and how many are damaged.
    pub(crate) fn check(&self) -> (u64, u64) {
        let mut counts = (0, 0);
        for located in self.entries.values() {
            match self.answer(located) {
                Some(_) => counts.0 += 1,
                None => counts.1 += 1,
            }
        }
        counts
    }

    fn answer(&self, located: &Located) -> Option<Vec<u8>> {
        let packed = self.bytes.get(located.place.clone())?;
        // The buffer does not grow: a frame that becomes longer is an error.
        let answer = zstd::bulk::decompress(packed, located.length).ok()?;
        let is_signed =
            answer.len() == located.length && Sha256Digest::of(&answer) == located.sha256;
        is_signed.then_some(answer)
    }
}

/// Where the index and the answers of a pack are.
fn split(bytes: &[u8]) -> Option<(Range<usize>, Range<usize>)> {
    let rest = bytes.strip_prefix(&MAGIC)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length);
    if u64::from(length) > MAX_INDEX_LEN {
        return None;
    }
    let begin = bytes.len() - rest.len();
    let end = begin.checked_add(usize::try_from(length).ok()?)?;
    (end <= bytes.len()).then_some((begin..end, end..bytes.len()))
}

/// Where an answer is that begins at `from`.
fn located(entry: &Entry, from: usize, end: usize) -> Option<Located> {
    if entry.length > MAX_ANSWER_LEN {
        return None;
    }
    let to = from.checked_add(usize::try_from(entry.packed).ok()?)?;
    (to <= end).then_some(())?;
    Some(Located {
        kind: entry.kind.clone(),
        place: from..to,
        length: usize::try_from(entry.length).ok()?,
        sha256: entry.sha256,
    })
}

/// A pack that is being made.
#[derive(Debug)]
pub(crate) struct NewPack {
    index: Index,
    answers: Vec<Bytes>,
    length: u64,
}

impl NewPack {
    pub(crate) fn new(namespace: &str, edgec: Sha256Digest) -> Self {
        Self {
            index: Index {
                namespace: namespace.to_owned(),
                edgec,
                entries: Vec::new(),
            },
            answers: Vec::new(),
            length: 0,
        }
    }

    /// Adds an answer. Leaves it out if it is too long for a pack.
    pub(crate) fn add(&mut self, kind: &str, key: Sha256Digest, answer: &[u8]) {
        let length = answer.len() as u64;
        let Ok(packed) = zstd::bulk::compress(answer, LEVEL) else {
            return;
        };
        let packed_length = packed.len() as u64;
        let whole = self.length.saturating_add(packed_length);
        if length > MAX_ANSWER_LEN || whole > MAX_PACK_LEN - 2 * MAX_INDEX_LEN {
            return;
        }
        self.length = whole;
        self.answers.push(packed.into());
        self.index.entries.push(Entry {
            kind: kind.to_owned(),
            key,
            sha256: Sha256Digest::of(answer),
            length,
            packed: packed_length,
        });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    /// A name that only this content has.
    pub(crate) fn name(&self) -> Sha256Digest {
        let index = serde_json::to_vec(&self.index).unwrap_or_default();
        Sha256Digest::of(&index)
    }

    /// The signed pack, in parts.
    pub(crate) fn sign(self, key: &SecretKeys) -> Result<Vec<Bytes>, Refusal> {
        let envelope = self.index.sign(key)?;
        Ok(parts(&envelope, self.answers))
    }
}

/// The parts of a pack with this index.
pub(crate) fn parts(envelope: &[u8], answers: Vec<Bytes>) -> Vec<Bytes> {
    // A longer index than this does not fit, and no reader takes it.
    let length = u32::try_from(envelope.len()).unwrap_or(u32::MAX);
    let head = [&MAGIC[..], &length.to_le_bytes(), envelope].concat();
    [vec![Bytes::from(head)], answers].concat()
}
