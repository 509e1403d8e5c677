//! Reads with a bound: a source of any length takes at most the allowed memory.

use std::io::{self, Read};

/// Why a source was not read to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BoundError {
    /// The system's error, or there is not enough memory.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The source has more bytes than the limit.
    #[error("it has more than {most} bytes, which is the limit")]
    TooLong {
        /// The limit, in bytes.
        most: u64,
    },
}

impl From<BoundError> for io::Error {
    fn from(error: BoundError) -> Self {
        match error {
            BoundError::Io(error) => error,
            BoundError::TooLong { .. } => Self::new(io::ErrorKind::FileTooLarge, error.to_string()),
        }
    }
}

/// Reads a source of at most `most` bytes to its end.
///
/// Allocates once: the `expected` bytes that the file says it has (0 if unknown), and one byte to
/// detect its end. Growing by doubling would take twice the memory.
///
/// # Errors
///
/// [`BoundError`].
pub fn read_bounded(source: impl Read, most: u64, expected: u64) -> Result<Vec<u8>, BoundError> {
    let mut bytes = Vec::new();
    let room = usize::try_from(expected).unwrap_or(0).saturating_add(1);
    bytes.try_reserve_exact(room).map_err(io::Error::from)?;
    read_bounded_into(source, most, &mut bytes)?;
    Ok(bytes)
}

/// Like [`read_bounded`], but appends to a buffer of the caller.
///
/// # Errors
///
/// [`BoundError`]. Then the buffer holds the bytes that were read so far.
pub fn read_bounded_into(
    source: impl Read,
    most: u64,
    bytes: &mut Vec<u8>,
) -> Result<(), BoundError> {
    let read = source.take(most.saturating_add(1)).read_to_end(bytes)?;
    match read as u64 > most {
        true => Err(BoundError::TooLong { most }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_bytes_as_are_allowed_are_read_and_no_more() {
        assert_eq!(read_bounded(&b"12345"[..], 5, 0).unwrap(), b"12345");
        // The length that a file states may be wrong.
        assert_eq!(read_bounded(&b"12345"[..], 5, 2).unwrap(), b"12345");
        assert_eq!(read_bounded(&b"12345"[..], 5, 9).unwrap(), b"12345");
        let error = read_bounded(&b"123456"[..], 5, 6).unwrap_err();
        assert!(matches!(error, BoundError::TooLong { most: 5 }));
        let error = io::Error::from(error);
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert!(error.to_string().contains("more than 5 bytes"), "{error}");
    }

    #[test]
    fn a_source_without_end_is_too_long() {
        let error = read_bounded(io::repeat(1), 1 << 10, 0).unwrap_err();
        assert!(matches!(error, BoundError::TooLong { .. }));
    }

    #[test]
    fn what_is_in_the_buffer_does_not_count() {
        let mut bytes = b"before".to_vec();
        read_bounded_into(&b"12345"[..], 5, &mut bytes).unwrap();
        assert_eq!(bytes, b"before12345");
    }

    #[test]
    fn more_than_the_memory_holds_is_an_error() {
        let error = read_bounded(io::empty(), u64::MAX, u64::MAX - 1).unwrap_err();
        assert!(matches!(error, BoundError::Io(_)));
    }
}
