//! The start of a difference: what it is, what it is from, and what it needs.
//!
//! The header is a skippable frame of Zstandard, so that a difference is a valid file of that
//! format, as its media type says. Numbers are little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 0..4 | `0x184d2a5e`, a skippable frame |
//! | 4..8 | 32, its length |
//! | 8..16 | `edgecdif` |
//! | 16 | version: 1 |
//! | 17 | window: 10 to 27, the power of two of the bytes that the decompressor looks back |
//! | 18..24 | zero |
//! | 24..32 | length of the base in bytes |
//! | 32..40 | length of the new image in bytes |
//!
//! Source: RFC 8878, section 3.1.2.

use crate::DifferenceError;
use crate::content::PART;

/// The length of a header in bytes.
pub const HEADER_LENGTH: usize = 40;

const FRAME: u32 = 0x184d_2a5e;
const FRAME_LENGTH: u32 = 32;
const MAGIC: &[u8; 8] = b"edgecdif";
const VERSION: u8 = 1;
/// The windows that a difference may have. The largest one is that of `zstd` without options.
const WINDOWS: std::ops::RangeInclusive<u8> = 10..=27;
/// How far the decompressor of a difference made here looks back, as a power of two: 8 MiB.
pub(crate) const WINDOW: u8 = 23;
/// What an application takes beside the window and a part: the decompressor's tables and the
/// buffers for the base, the difference and the image.
const BESIDE: u64 = 2 << 20;

/// What a difference says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Header {
    /// The length of its base, in bytes.
    pub base_length: u64,
    /// The length of the new image, in bytes.
    pub length: u64,
    /// How far its decompressor looks back: two to this power, in bytes.
    pub(crate) window: u8,
}

impl Header {
    pub(crate) fn new(base_length: u64, length: u64) -> Self {
        Self {
            base_length,
            length,
            window: WINDOW,
        }
    }

    /// Reads the start of a difference.
    ///
    /// # Errors
    ///
    /// [`DifferenceError::NotADifference`], [`DifferenceError::Version`] and
    /// [`DifferenceError::Damaged`].
    pub fn decode(bytes: &[u8; HEADER_LENGTH]) -> Result<Self, DifferenceError> {
        let mut rest = bytes.as_slice();
        let frame = take(&mut rest).map(u32::from_le_bytes);
        let frame_length = take(&mut rest).map(u32::from_le_bytes);
        if (frame, frame_length) != (Some(FRAME), Some(FRAME_LENGTH))
            || take(&mut rest) != Some(*MAGIC)
        {
            return Err(DifferenceError::NotADifference);
        }
        let damaged = DifferenceError::Damaged {
            what: "its header is invalid",
            made: 0,
        };
        let Some([version, window, zeros @ ..]) = take::<8>(&mut rest) else {
            return Err(damaged);
        };
        if version != VERSION {
            return Err(DifferenceError::Version { version });
        }
        let (base, new) = (take(&mut rest), take(&mut rest));
        let (Some(base), Some(new)) = (base.map(u64::from_le_bytes), new.map(u64::from_le_bytes))
        else {
            return Err(damaged);
        };
        if zeros != [0; 6] || !WINDOWS.contains(&window) {
            return Err(damaged);
        }
        Ok(Self {
            base_length: base,
            length: new,
            window,
        })
    }

    /// The bytes of a header.
    pub(crate) fn encode(self) -> Vec<u8> {
        [
            FRAME.to_le_bytes().as_slice(),
            FRAME_LENGTH.to_le_bytes().as_slice(),
            MAGIC.as_slice(),
            &[VERSION, self.window, 0, 0, 0, 0, 0, 0],
            self.base_length.to_le_bytes().as_slice(),
            self.length.to_le_bytes().as_slice(),
        ]
        .concat()
    }

    /// How much memory [`apply`](crate::apply()) takes for this difference, in bytes.
    pub fn memory(&self) -> u64 {
        (1_u64 << self.window.min(*WINDOWS.end())) + PART as u64 + BESIDE
    }
}

/// Takes bytes from the front.
fn take<const LENGTH: usize>(rest: &mut &[u8]) -> Option<[u8; LENGTH]> {
    let (first, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(*first)
}
