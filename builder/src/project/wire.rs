//! The length of an image on its way to a host, for budgets: compressed with zstd.
//!
//! edgec compresses nothing that it writes. Registries, HTTP servers and CI systems do, and zstd's
//! own default level is what they use most. So the number is an estimate of what a host downloads,
//! and the same bytes give the same number with the same version of zstd (1.5.7).
//! `zstd -3 --no-check` makes a file of nearly the same length.

use std::io::{self, Write};

use zstd::stream::write::Encoder;

/// The level of zstd: its default. Higher ones compress images by a few percent more, and take many
/// times as long.
pub const WIRE_LEVEL: i32 = 3;

/// Counts bytes, and keeps none of them.
struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len() as u64);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The length of bytes that are compressed. `None` if zstd gets no memory.
pub(super) fn compressed(bytes: &[u8]) -> Option<u64> {
    let length = || -> io::Result<u64> {
        let mut encoder = Encoder::new(Counter(0), WIRE_LEVEL)?;
        encoder.set_pledged_src_size(Some(bytes.len() as u64))?;
        encoder.write_all(bytes)?;
        encoder.finish().map(|Counter(length)| length)
    };
    length().ok()
}

/// The length of bytes as they are.
pub(super) fn plain(bytes: &[u8]) -> Option<u64> {
    Some(bytes.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_that_of_the_compressed_bytes() {
        let text = b"native code ".repeat(10_000);
        let whole = zstd::bulk::compress(&text, WIRE_LEVEL).unwrap();
        assert_eq!(compressed(&text), Some(whole.len() as u64));
        assert!(whole.len() < text.len() / 100);
        // A frame has a head.
        assert!(compressed(b"").is_some_and(|length| length > 0));
        assert_eq!(plain(&text), Some(120_000));
    }
}
