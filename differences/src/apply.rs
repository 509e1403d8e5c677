//! Applies a difference: reads it part by part, and writes the image as it is made.
//!
//! Every number is from a stranger. What is allocated is bounded by the window, which the header
//! states and the caller limits, and by the length of a part. What is written is bounded by the
//! length that the caller expects. Each step makes a byte, so the work is bounded too.

use std::io::{BufRead, Read, Seek, SeekFrom, Write};

use zstd::stream::read::Decoder;

use crate::DifferenceError;
use crate::content::{PART, read_number, unfold};
use crate::header::{HEADER_LENGTH, Header};

/// How many bytes are made at a time.
const CHUNK: usize = 1 << 16;

/// How much memory [`apply`] takes for the differences that this version of edgec makes, in bytes:
/// it does not depend on the lengths of the images, because the base is read as it is needed.
/// [`Header::memory`] says it for a certain difference.
pub fn memory_for() -> u64 {
    Header::new(0, 0).memory()
}

/// Makes the new image from `base` and a difference, and writes it to `into`. It has `length`
/// bytes. `memory` is what this may take, in bytes.
///
/// What was written is *not* verified, and if there is an error, it is not complete.
///
/// # Errors
///
/// [`DifferenceError`]: everything except [`DifferenceError::TooLong`] and
/// [`DifferenceError::Compress`].
pub fn apply<Base: Read + Seek>(
    base: &mut Base,
    mut difference: impl Read,
    length: u64,
    memory: u64,
    into: &mut dyn Write,
) -> Result<(), DifferenceError> {
    let mut start = [0; HEADER_LENGTH];
    read_start(&mut difference, &mut start)?;
    let header = Header::decode(&start)?;
    let actual = base
        .seek(SeekFrom::End(0))
        .map_err(DifferenceError::ReadBase)?;
    if header.base_length != actual {
        let stated = header.base_length;
        return Err(DifferenceError::Base { stated, actual });
    }
    if header.length != length {
        let stated = header.length;
        return Err(DifferenceError::Length {
            stated,
            expected: length,
        });
    }
    if header.memory() > memory {
        let (needs, allowed) = (header.memory(), memory);
        return Err(DifferenceError::Memory { needs, allowed });
    }
    let read = |source| DifferenceError::Read { made: 0, source };
    let mut decoder = Decoder::new(difference).map_err(read)?.single_frame();
    decoder.window_log_max(header.window.into()).map_err(read)?;
    let mut making = Making {
        base,
        into,
        length,
        base_length: actual,
        made: 0,
        place: 0,
    };
    while making.made < length {
        let part = Part::read(&mut decoder, making.made)?;
        making.part(&part)?;
    }
    making.end(decoder)
}

/// Reads the header. If the bytes end before, they are something else.
fn read_start(difference: &mut impl Read, start: &mut [u8]) -> Result<(), DifferenceError> {
    difference
        .read_exact(start)
        .map_err(|source| match source.kind() {
            std::io::ErrorKind::UnexpectedEof => DifferenceError::NotADifference,
            _ => DifferenceError::Read { made: 0, source },
        })
}

/// A part: its columns, one behind the other.
struct Part {
    bytes: Vec<u8>,
    lengths: [usize; 4],
}

impl Part {
    fn read(from: &mut impl Read, made: u64) -> Result<Self, DifferenceError> {
        let read = |source| DifferenceError::Read { made, source };
        let mut lengths = [0_usize; 4];
        let mut total = 0_usize;
        for length in &mut lengths {
            let mut number = [0; 4];
            from.read_exact(&mut number).map_err(read)?;
            let long = DifferenceError::Damaged {
                what: "a part is too long",
                made,
            };
            let Ok(number) = usize::try_from(u32::from_le_bytes(number)) else {
                return Err(long);
            };
            *length = number;
            total = total.saturating_add(number);
            if total > PART {
                return Err(long);
            }
        }
        let mut bytes = vec![0; total];
        from.read_exact(&mut bytes).map_err(read)?;
        Ok(Self { bytes, lengths })
    }

    /// Steps, gaps, changes and new bytes.
    fn columns(&self) -> [&[u8]; 4] {
        let mut rest = self.bytes.as_slice();
        self.lengths.map(|length| {
            let (column, behind) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            rest = behind;
            column
        })
    }
}

/// The image while it is made.
struct Making<'a, Base> {
    base: &'a mut Base,
    into: &'a mut dyn Write,
    /// How long it becomes.
    length: u64,
    base_length: u64,
    /// How many bytes of it were written.
    made: u64,
    /// Where the step before ended in the base.
    place: u64,
}

impl<Base: Read + Seek> Making<'_, Base> {
    fn part(&mut self, part: &Part) -> Result<(), DifferenceError> {
        let [mut steps, gaps, changes, mut new] = part.columns();
        let mut changes = Changes {
            gaps,
            changes,
            gap: None,
        };
        if steps.is_empty() {
            return Err(self.damaged("a part has no steps"));
        }
        while !steps.is_empty() {
            let mut number = || read_number(&mut steps);
            let (Some(like), Some(fresh), Some(distance)) = (number(), number(), number()) else {
                return Err(self.damaged("a step is incomplete"));
            };
            let makes = like.checked_add(fresh);
            if !makes.is_some_and(|makes| makes > 0 && makes <= self.length - self.made) {
                return Err(self.damaged("a step makes too much or nothing"));
            }
            let from = self.place.checked_add_signed(unfold(distance));
            let end = from.and_then(|from| from.checked_add(like));
            let (Some(from), Some(end)) = (from, end) else {
                return Err(self.damaged("a step begins outside the base"));
            };
            if end > self.base_length {
                return Err(self.damaged("a step ends outside the base"));
            }
            self.like(from, like, &mut changes)?;
            self.place = end;
            let split = usize::try_from(fresh)
                .ok()
                .and_then(|fresh| new.split_at_checked(fresh));
            let Some((fresh, rest)) = split else {
                return Err(self.damaged("new bytes are missing"));
            };
            new = rest;
            self.write(fresh)?;
        }
        if !new.is_empty() || !changes.used_up() {
            return Err(self.damaged("a part has more than its steps use"));
        }
        Ok(())
    }

    /// Copies a part of the base, with its changes.
    fn like(
        &mut self,
        from: u64,
        like: u64,
        changes: &mut Changes<'_>,
    ) -> Result<(), DifferenceError> {
        if like == 0 {
            return Ok(());
        }
        self.base
            .seek(SeekFrom::Start(from))
            .map_err(DifferenceError::ReadBase)?;
        let mut buffer = [0; CHUNK];
        let mut left = like;
        while left > 0 {
            let now = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            let Some(bytes) = buffer.get_mut(..now) else {
                return Ok(());
            };
            self.base
                .read_exact(bytes)
                .map_err(DifferenceError::ReadBase)?;
            if !changes.apply(bytes) {
                return Err(self.damaged("changes are missing or invalid"));
            }
            self.write(bytes)?;
            left -= now as u64;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), DifferenceError> {
        let made = self.made;
        let write = |source| DifferenceError::Write { made, source };
        self.into.write_all(bytes).map_err(write)?;
        self.made += bytes.len() as u64;
        Ok(())
    }

    /// The difference must end here.
    fn end<R: BufRead>(&self, mut decoder: Decoder<'_, R>) -> Result<(), DifferenceError> {
        let read = |source| DifferenceError::Read {
            made: self.made,
            source,
        };
        let more = decoder.read(&mut [0]).map_err(read)?;
        let behind = decoder.finish().fill_buf().map_err(read)?.len();
        if more + behind > 0 {
            return Err(self.damaged("it goes on behind the image"));
        }
        Ok(())
    }

    fn damaged(&self, what: &'static str) -> DifferenceError {
        let made = self.made;
        DifferenceError::Damaged { what, made }
    }
}

/// The bytes of a part that are not as in the base.
struct Changes<'a> {
    gaps: &'a [u8],
    changes: &'a [u8],
    /// How many bytes come before the next change, if its gap was read.
    gap: Option<u64>,
}

impl Changes<'_> {
    /// Changes the next bytes. Returns `false` if a gap is invalid or a change is missing.
    fn apply(&mut self, mut bytes: &mut [u8]) -> bool {
        loop {
            let gap = match self.gap {
                Some(gap) => gap,
                // No more changes in this part.
                None if self.gaps.is_empty() => return true,
                None => match read_number(&mut self.gaps) {
                    Some(gap) => gap,
                    None => return false,
                },
            };
            if gap >= bytes.len() as u64 {
                self.gap = Some(gap - bytes.len() as u64);
                return true;
            }
            let here = usize::try_from(gap).ok();
            let here = here.and_then(|gap| bytes.get_mut(gap..)?.split_first_mut());
            let Some((byte, rest)) = here else {
                return false;
            };
            let Some((change, changes)) = self.changes.split_first() else {
                return false;
            };
            *byte = byte.wrapping_add(*change);
            self.changes = changes;
            self.gap = None;
            bytes = rest;
        }
    }

    fn used_up(&self) -> bool {
        self.gap.is_none() && self.gaps.is_empty() && self.changes.is_empty()
    }
}
