//! Files with holes: zeros that are not written take no room.
//!
//! An image aligns its code to the largest page of its CPU family. Where a file system has no
//! holes, it fills them itself.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};

/// What is left out when it is all zeros, in bytes: a block of most file systems, and of fs-verity.
const BLOCK: usize = 4096;

/// Writes to a new file from its current position, and leaves out blocks of zeros. The caller must
/// set the file's length afterwards, because the end may be a hole.
///
/// # Errors
///
/// What the system says.
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
