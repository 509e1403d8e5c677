//! Finds where bytes occur in a base: every place by a hash of what begins there, as in deflate.
//!
//! A suffix array, as in bsdiff, would find the longest match. It takes twice the memory, and much
//! longer to make. Chains of limited length find matches that are as good for images.

/// How many bytes the hash of a place covers. No shorter match is found.
pub(crate) const SHORTEST: usize = 10;
/// How many places with the same hash are tried.
const TRIED: usize = 24;
/// The longest match that is looked for, in bytes: a run of zeros would be compared again and
/// again.
const LONGEST: usize = 1 << 12;
/// Ends a chain.
const NONE: u32 = u32::MAX;

/// The places of a base.
pub(crate) struct Index<'a> {
    base: &'a [u8],
    /// The last place with each hash.
    last: Vec<u32>,
    /// For each place, the one before with the same hash.
    before: Vec<u32>,
    bits: u32,
}

/// Where bytes occur in the base.
#[derive(Clone, Copy, Default)]
pub(crate) struct Match {
    /// Where they begin there.
    pub(crate) at: usize,
    /// How many bytes are the same.
    pub(crate) length: usize,
}

impl<'a> Index<'a> {
    /// The base must be shorter than 4 GiB.
    pub(crate) fn new(base: &'a [u8]) -> Self {
        let places = base.len().saturating_sub(SHORTEST - 1);
        let bits = (usize::BITS - places.leading_zeros()).clamp(8, 24);
        let mut index = Self {
            base,
            last: vec![NONE; 1 << bits],
            before: vec![NONE; places],
            bits,
        };
        for (place, bytes) in base.windows(SHORTEST).enumerate() {
            let slot = hash(bytes, index.bits).and_then(|slot| index.last.get_mut(slot));
            if let (Some(slot), Ok(number)) = (slot, u32::try_from(place)) {
                if let Some(before) = index.before.get_mut(place) {
                    *before = *slot;
                }
                *slot = number;
            }
        }
        index
    }

    /// The longest match of the start of `wanted` among the places that are tried.
    pub(crate) fn find(&self, wanted: &[u8]) -> Match {
        let mut best = Match::default();
        let Some(slot) = hash(wanted, self.bits) else {
            return best;
        };
        let mut place = self.last.get(slot).copied().unwrap_or(NONE);
        for _ in 0..TRIED {
            let Ok(at) = usize::try_from(place) else {
                break;
            };
            let Some(there) = self.base.get(at..) else {
                break;
            };
            let length = same(there, wanted);
            if length > best.length {
                best = Match { at, length };
            }
            if length == LONGEST {
                break;
            }
            place = self.before.get(at).copied().unwrap_or(NONE);
        }
        best
    }
}

/// How many bytes are the same at the start of both, at most [`LONGEST`].
pub(crate) fn same(one: &[u8], other: &[u8]) -> usize {
    let length = one.len().min(other.len()).min(LONGEST);
    let (one, other) = (one.iter(), other.iter());
    one.zip(other)
        .take(length)
        .take_while(|(one, other)| one == other)
        .count()
}

/// The hash of the first bytes, in so many bits.
fn hash(bytes: &[u8], bits: u32) -> Option<usize> {
    let (first, rest) = bytes.split_first_chunk::<8>()?;
    let second = rest.first_chunk::<2>()?;
    let mixed = u64::from_le_bytes(*first)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(29)
        ^ u64::from(u16::from_le_bytes(*second));
    usize::try_from(mixed.wrapping_mul(0xd6e8_feb8_6659_fd93) >> (64 - bits)).ok()
}
