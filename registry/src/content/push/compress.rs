//! Compression of images and debug files, into temporary files.
//!
//! The same bytes give the same file, on every machine and with any number of threads: one thread
//! compresses a file, with fixed settings, and the frame states its length.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use edgec_artifact::Sha256Digest;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::super::decompressed::WINDOW_LOG;
use crate::Descriptor;

/// The level of Zstandard. Images are compressed once and fetched by every host.
pub(super) const LEVEL: i32 = 19;

/// A compressed file.
pub(crate) struct Compressed {
    pub(crate) descriptor: Descriptor,
    file: NamedTempFile,
}

impl Compressed {
    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }
}

/// Compresses `bytes` as the content of a layer.
pub(crate) fn compress(media_type: &str, bytes: &[u8]) -> io::Result<Compressed> {
    let mut file = NamedTempFile::new()?;
    let (digest, length) = compress_into(file.as_file_mut(), bytes)?;
    Ok(Compressed {
        descriptor: Descriptor::of(media_type, digest, length),
        file,
    })
}

/// Compresses `bytes` into a file. Returns the digest and the length of the file.
fn compress_into(file: &mut File, bytes: &[u8]) -> io::Result<(Sha256Digest, u64)> {
    let mut encoder = zstd::stream::Encoder::new(Hashing::new(file), LEVEL)?;
    encoder.set_pledged_src_size(Some(bytes.len() as u64))?;
    encoder.include_contentsize(true)?;
    encoder.include_checksum(false)?;
    encoder.window_log(WINDOW_LOG)?;
    encoder.long_distance_matching(true)?;
    encoder.write_all(bytes)?;
    let mut output = encoder.finish()?;
    output.flush()?;
    let digest = Sha256Digest(output.hasher.finalize().into());
    Ok((digest, output.length))
}

/// A file, and the digest of what is written to it.
struct Hashing<'f> {
    into: BufWriter<&'f mut File>,
    hasher: Sha256,
    length: u64,
}

impl<'f> Hashing<'f> {
    fn new(file: &'f mut File) -> Self {
        Self {
            into: BufWriter::new(file),
            hasher: Sha256::new(),
            length: 0,
        }
    }
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.into.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or_default());
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.into.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_give_the_same_file_which_states_its_length() {
        let bytes: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
        let (one, two) = (
            compress("x", &bytes).unwrap(),
            compress("x", &bytes).unwrap(),
        );
        assert_eq!(one.descriptor, two.descriptor);
        let file = std::fs::read(one.path()).unwrap();
        assert_eq!(one.descriptor, Descriptor::of_bytes("x", &file));
        assert!(file.len() < bytes.len() / 2);
        assert_eq!(zstd::stream::decode_all(&file[..]).unwrap(), bytes);
    }
}
