//! Files with holes: blocks of zeros that are not written take no disk space.
//!
//! An image aligns its code to the largest page of its CPU family. A file system without holes
//! fills them itself.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};

/// The size of a hole, in bytes: a block of most file systems, and of fs-verity.
const BLOCK: usize = 4096;

/// Writes to a new file from its current position, and skips blocks of zeros. The caller must set
/// the file's length afterwards, because the end may be a hole.
///
/// # Errors
///
/// The system's error.
pub fn write_sparse(bytes: &[u8], to: &mut File) -> io::Result<()> {
    let zero = |block: &[u8]| block.iter().all(|byte| *byte == 0);
    let mut rest = bytes;
    while !rest.is_empty() {
        let zeros = rest.chunks(BLOCK).take_while(|block| zero(block));
        let (hole, after) = rest.split_at(zeros.map(<[u8]>::len).sum());
        let data = after.chunks(BLOCK).take_while(|block| !zero(block));
        let (data, after) = after.split_at(data.map(<[u8]>::len).sum());
        to.seek_relative(i64::try_from(hole.len()).map_err(io::Error::other)?)?;
        to.write_all(data)?;
        rest = after;
    }
    Ok(())
}
