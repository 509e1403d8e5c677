//! The content of a compressed layer, with a limit: a few kilobytes can expand to gigabytes.

use std::io::{self, Read as _, Seek as _, Write};
use std::path::Path;

use super::log::Counted;
use super::progress::Progress;
use super::pull_error::PullError;
use crate::{Descriptor, RegistryError};

/// The longest window, as a power of two. A reader needs so much memory at most (128 MiB).
pub(crate) const WINDOW_LOG: u32 = 27;

/// What compressed bytes may have more than their content, in bytes (1 MiB).
pub(crate) const SLACK: u64 = 1 << 20;

/// Fetches a layer into a temporary file of a folder, and decompresses at most `most` bytes of it.
/// If there is an error, what `into` got is of no use.
///
/// # Errors
///
/// [`PullError::TooLong`] if it is longer, whether it says so or not.
pub(crate) fn decompressed(
    place: &Counted,
    layer: &Descriptor,
    most: u64,
    what: &str,
    folder: &Path,
    into: &mut dyn Write,
    progress: &dyn Progress,
) -> Result<(), PullError> {
    let too_long = |found| PullError::TooLong {
        what: what.to_owned(),
        found,
        most,
    };
    if layer.size > most.saturating_add(SLACK) {
        return Err(too_long(layer.size));
    }
    let failed = |source| PullError::Io {
        path: folder.to_owned(),
        source,
    };
    let mut file = tempfile::tempfile_in(folder).map_err(failed)?;
    let fetched = place.blob(layer, &mut file, progress);
    fetched.map_err(|error| match error {
        RegistryError::Sink(source) => failed(source),
        error => error.into(),
    })?;
    file.rewind().map_err(failed)?;
    match content(file, most, into) {
        Ok(true) => Ok(()),
        Ok(false) => Err(too_long(most.saturating_add(1))),
        Err(Failed::Read(source)) => Err(PullError::Compressed {
            what: what.to_owned(),
            source,
        }),
        Err(Failed::Write(source)) => Err(RegistryError::Sink(source).into()),
    }
}

/// Why content was not passed on.
#[derive(Debug)]
enum Failed {
    /// The compressed bytes are damaged.
    Read(io::Error),
    /// The writer did not take the content.
    Write(io::Error),
}

/// Passes on the content of compressed bytes. Returns whether it has `most` bytes or fewer.
fn content(compressed: impl io::Read, most: u64, into: &mut dyn Write) -> Result<bool, Failed> {
    let mut decoder = zstd::stream::read::Decoder::new(compressed).map_err(Failed::Read)?;
    decoder.window_log_max(WINDOW_LOG).map_err(Failed::Read)?;
    let mut chunk = vec![0; 1 << 16];
    let mut left = most;
    loop {
        let read = match decoder.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(Failed::Read)?,
        };
        if read == 0 {
            return Ok(true);
        }
        let Some(rest) = left.checked_sub(read as u64) else {
            return Ok(false);
        };
        left = rest;
        let bytes = chunk.get(..read).unwrap_or_default();
        into.write_all(bytes).map_err(Failed::Write)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_read_up_to_the_limit() {
        let compressed = zstd::stream::encode_all(&[7; 1 << 20][..], 1).unwrap();
        let read = |most| {
            let mut bytes = Vec::new();
            let is_whole = content(&compressed[..], most, &mut bytes).unwrap();
            is_whole.then_some(bytes)
        };
        assert_eq!(read(1 << 20), Some(vec![7; 1 << 20]));
        assert_eq!(read((1 << 20) - 1), None);
        assert_eq!(read(0), None);
        let cut = content(&compressed[..20], 1 << 20, &mut Vec::new());
        assert!(matches!(cut, Err(Failed::Read(_))));
        let mut full = &mut [0; 8][..];
        let failed = content(&compressed[..], 1 << 20, &mut full);
        assert!(matches!(failed, Err(Failed::Write(_))));
    }
}
