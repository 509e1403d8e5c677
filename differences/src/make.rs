//! Makes a difference: steps become columns, columns become parts, and parts are compressed.

use std::io::{self, Write};

use zstd::stream::write::Encoder;

use crate::content::{Columns, PART, fold, write_number};
use crate::header::{Header, WINDOW};
use crate::matching::{Step, steps};
use crate::{DifferenceError, HEADER_LENGTH};

/// Steps are cut into pieces of so many bytes. What a piece adds to a part is at most a small
/// multiple.
const PIECE: usize = 1 << 16;
/// A part ends when it has so many bytes, so that another piece fits.
const FULL: usize = PART - 4 * PIECE;

/// Makes the difference with which [`apply`](crate::apply()) makes `new` from `base`. The same
/// images and level give the same bytes.
///
/// `level` is that of Zstandard: 1 to 22. `progress` gets how many bytes of `new` have been
/// compared. It takes about a second for each 5 MiB of `new`, and memory for eight times the length
/// of the base.
///
/// # Errors
///
/// [`DifferenceError::TooLong`] if an image has 4 GiB or more; [`DifferenceError::Compress`].
pub fn make(
    base: &[u8],
    new: &[u8],
    level: i32,
    progress: &mut dyn FnMut(u64),
) -> Result<Vec<u8>, DifferenceError> {
    let header = Header::new(length(base)?, length(new)?);
    let steps = steps(base, new, &mut |done| progress(done as u64));
    compressed(header, base, new, &steps, level, Vec::new())
}

/// The length of an image that is short enough.
fn length(image: &[u8]) -> Result<u64, DifferenceError> {
    within_limit(image.len() as u64)
}

fn within_limit(length: u64) -> Result<u64, DifferenceError> {
    if length >= u64::from(u32::MAX) {
        return Err(DifferenceError::TooLong { length });
    }
    Ok(length)
}

fn compressed<W: Write>(
    header: Header,
    base: &[u8],
    new: &[u8],
    steps: &[Step],
    level: i32,
    into: W,
) -> Result<W, DifferenceError> {
    let written = write_compressed(header, base, new, steps, level, into);
    written.map_err(DifferenceError::Compress)
}

fn write_compressed<W: Write>(
    header: Header,
    base: &[u8],
    new: &[u8],
    steps: &[Step],
    level: i32,
    mut into: W,
) -> io::Result<W> {
    let bytes = header.encode();
    debug_assert_eq!(bytes.len(), HEADER_LENGTH, "the documented length");
    into.write_all(&bytes)?;
    let mut encoder = Encoder::new(into, level)?;
    encoder.window_log(WINDOW.into())?;
    let mut parts = Parts::default();
    let mut at = 0_usize;
    for step in steps {
        let like_end = at + step.like;
        let end = like_end + step.new;
        let mut from = step.from;
        while at < end {
            let like = PIECE.min(like_end.saturating_sub(at));
            // New bytes come with the last piece that is like the base.
            let fresh = if at + like == like_end.max(at) {
                (PIECE - like).min(end - at - like)
            } else {
                0
            };
            let here = new.get(at..at + like + fresh).unwrap_or_default();
            parts.add(base.get(from..from + like).unwrap_or_default(), from, here);
            at += here.len();
            from += like;
            if parts.columns.length() >= FULL {
                parts.flush(&mut encoder)?;
            }
        }
    }
    parts.flush(&mut encoder)?;
    encoder.finish()
}

/// The part that is being made.
#[derive(Default)]
struct Parts {
    columns: Columns,
    /// How many bytes were the same since the last one that was not.
    gap: u64,
    /// Where the step before ended in the base.
    place: usize,
}

impl Parts {
    /// Adds a step: `here` are the bytes of the new image, the first of them like `base`, which is
    /// at `from`.
    fn add(&mut self, base: &[u8], from: usize, here: &[u8]) {
        let (like, fresh) = here.split_at_checked(base.len()).unwrap_or((&[], here));
        let Columns {
            steps,
            gaps,
            changes,
            new,
        } = &mut self.columns;
        write_number(steps, like.len() as u64);
        write_number(steps, fresh.len() as u64);
        // Images are shorter than 4 GiB, so both places fit.
        let distance = from as u64;
        write_number(
            steps,
            fold(distance.wrapping_sub(self.place as u64).cast_signed()),
        );
        self.place = from + like.len();
        for (base, like) in base.iter().zip(like) {
            if base == like {
                self.gap += 1;
            } else {
                write_number(gaps, self.gap);
                changes.push(like.wrapping_sub(*base));
                self.gap = 0;
            }
        }
        new.extend_from_slice(fresh);
    }

    fn flush(&mut self, into: &mut dyn Write) -> io::Result<()> {
        let columns = std::mem::take(&mut self.columns);
        self.gap = 0;
        if columns.steps.is_empty() {
            return Ok(());
        }
        let columns = [columns.steps, columns.gaps, columns.changes, columns.new];
        for column in &columns {
            // A part is shorter than 4 MiB.
            let length = u32::try_from(column.len()).map_err(io::Error::other)?;
            into.write_all(&length.to_le_bytes())?;
        }
        columns.iter().try_for_each(|column| into.write_all(column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A compressor without memory fails as one whose writer takes nothing.
    #[test]
    fn a_compressor_that_fails_is_named() {
        let header = Header::new(0, 4);
        let failed = compressed(header, b"", b"1234", &[], 1, &mut [][..]);
        let error = failed.map(|_| ()).unwrap_err();
        assert_eq!(error.code(), "io");
        assert!(matches!(error, DifferenceError::Compress(_)));
    }

    /// Such an image needs no bytes here: only its length counts.
    #[test]
    fn an_image_of_4_gib_is_too_long() {
        let most = u64::from(u32::MAX);
        assert_eq!(within_limit(most - 1).unwrap(), most - 1);
        let error = within_limit(most).unwrap_err();
        assert_eq!(error.code(), "difference");
        assert!(error.to_string().contains("4294967295 bytes"), "{error}");
    }
}
