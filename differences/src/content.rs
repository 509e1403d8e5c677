//! What is compressed in a difference: parts, each with four columns.
//!
//! A part is four lengths, as little-endian numbers of 32 bits, and the columns:
//!
//! 1. *steps*: for each, how many bytes are like the base, how many are new, and how far its place
//!    in the base is from the end of the place of the step before;
//! 2. *gaps*: for each byte that is not the same as in the base, how many are the same before it;
//! 3. *changes*: what is added to each of these bytes, modulo 256;
//! 4. *new*: the new bytes.
//!
//! Numbers in columns are LEB128; the distance has its sign in the lowest bit. A step makes at
//! least one byte. All columns of a part are used up by its steps. The place in the base goes on
//! from part to part, gaps do not. Values of one kind stand together, because that compresses
//! best: where everything moved by the same distance, gaps and changes repeat.

/// The longest part, in bytes: all columns together.
pub(crate) const PART: usize = 4 << 20;

/// The columns of a part.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    pub(crate) steps: Vec<u8>,
    pub(crate) gaps: Vec<u8>,
    pub(crate) changes: Vec<u8>,
    pub(crate) new: Vec<u8>,
}

impl Columns {
    /// The length of all columns, in bytes.
    pub(crate) fn length(&self) -> usize {
        self.steps.len() + self.gaps.len() + self.changes.len() + self.new.len()
    }
}

/// Appends a number as LEB128.
pub(crate) fn write_number(into: &mut Vec<u8>, mut number: u64) {
    while let Ok(low) = u8::try_from(number & 0x7f) {
        number >>= 7;
        if number == 0 {
            into.push(low);
            return;
        }
        into.push(low | 0x80);
    }
}

/// Takes a number from the front. `None` if there is none, or it has more than 64 bits.
pub(crate) fn read_number(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        let low = u64::from(byte & 0x7f);
        if shift == 63 && low > 1 {
            return None;
        }
        number |= low << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// A distance with its sign in the lowest bit.
pub(crate) fn fold(distance: i64) -> u64 {
    (distance.cast_unsigned() << 1) ^ (distance >> 63).cast_unsigned()
}

/// The distance that was folded.
pub(crate) fn unfold(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}
