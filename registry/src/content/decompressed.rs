//! The content of a compressed layer in memory, with a limit: a few kilobytes can expand to
//! gigabytes.

use std::io::{self, Read as _, Seek as _};

use super::log::Counted;
use super::progress::Progress;
use super::pull_error::PullError;
use crate::{Descriptor, RegistryError};

/// The longest window, as a power of two. A reader needs so much memory at most (128 MiB).
pub(crate) const WINDOW_LOG: u32 = 27;

/// What compressed bytes may have more than their content, in bytes (1 MiB).
const SLACK: u64 = 1 << 20;

/// Fetches a layer into a temporary file, and decompresses at most `most` bytes of it.
///
/// # Errors
///
/// [`PullError::Length`] if it is longer, whether it says so or not.
pub(crate) fn decompressed(
    place: &Counted,
    layer: &Descriptor,
    most: u64,
    what: &str,
    progress: &dyn Progress,
) -> Result<Vec<u8>, PullError> {
    let too_long = |found| PullError::Length {
        what: what.to_owned(),
        found,
        wanted: most,
    };
    if layer.size > most.saturating_add(SLACK) {
        return Err(too_long(layer.size));
    }
    let failed = |source| PullError::Io {
        path: std::env::temp_dir(),
        source,
    };
    let mut file = tempfile::tempfile().map_err(failed)?;
    let fetched = place.blob(layer, &mut file, progress);
    fetched.map_err(|error| match error {
        RegistryError::Sink(source) => failed(source),
        error => error.into(),
    })?;
    file.rewind().map_err(failed)?;
    let bytes = content(file, most).map_err(|source| PullError::Compressed {
        what: what.to_owned(),
        source,
    })?;
    bytes.ok_or_else(|| too_long(most.saturating_add(1)))
}

/// The content of compressed bytes. `None` if it is longer than `most` bytes.
fn content(compressed: impl io::Read, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut decoder = zstd::stream::read::Decoder::new(compressed)?;
    decoder.window_log_max(WINDOW_LOG)?;
    let mut bytes = Vec::new();
    let mut limited = decoder.take(most.saturating_add(1));
    limited.read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_read_up_to_the_limit() {
        let compressed = zstd::stream::encode_all(&[7; 1 << 20][..], 1).unwrap();
        let read = |most| content(&compressed[..], most).unwrap();
        assert_eq!(read(1 << 20), Some(vec![7; 1 << 20]));
        assert_eq!(read((1 << 20) - 1), None);
        assert_eq!(read(0), None);
        assert!(
            content(&compressed[..20], 1 << 20).is_err(),
            "it is cut off"
        );
    }
}
