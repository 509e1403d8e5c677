//! The fs-verity digest of a file, computed in user space.
//!
//! Source: Linux, `Documentation/filesystems/fsverity.rst`, "Merkle tree" and "File digest
//! computation". SHA-256, 4096-byte blocks, no salt: the digest that `FS_IOC_MEASURE_VERITY` gives
//! for a file that was sealed with these parameters.

use std::io::{self, Read};

use sha2::{Digest as _, Sha256};

use crate::VerityDigest;

const BLOCK: usize = 4096;
/// Below this many bytes a second thread costs more than it saves.
const PARALLEL_FROM: usize = 256 * 1024;

/// The fs-verity digest of `data`, computed on up to two threads.
///
/// It uses two threads at most, because builds and hosts have other work for their cores, and
/// because with more threads memory soon limits the speed of hashing.
pub fn digest(data: &[u8]) -> VerityDigest {
    of_hashes(data, block_hashes)
}

/// Like [`digest`], on one thread: for callers that hash the same bytes in another way meanwhile.
pub(crate) fn digest_on_one_thread(data: &[u8]) -> VerityDigest {
    of_hashes(data, hash_blocks)
}

fn of_hashes(data: &[u8], blocks: impl Fn(&[u8]) -> Vec<u8>) -> VerityDigest {
    let root = match data.len() {
        0 => [0; 32],
        _ => merkle_root(blocks(data)),
    };
    of_root(root, data.len() as u64)
}

/// The digest of a file of this length, whose blocks have this root.
fn of_root(root: [u8; 32], length: u64) -> VerityDigest {
    // `struct fsverity_descriptor`: version 1, hash algorithm 1 (SHA-256), log2 of the
    // block size 12, salt size 0, reserved, data size, root hash, salt, reserved.
    let mut descriptor = Vec::with_capacity(256);
    descriptor.extend_from_slice(&[1, 1, 12, 0, 0, 0, 0, 0]);
    descriptor.extend_from_slice(&length.to_le_bytes());
    descriptor.extend_from_slice(&root);
    descriptor.resize(256, 0);
    VerityDigest(Sha256::digest(&descriptor).into())
}

/// Like [`digest`], for what a source gives up to its end. The memory does not depend on the
/// length.
///
/// # Errors
///
/// Those of `source`, except interruptions.
pub fn digest_of_stream(source: impl Read) -> io::Result<VerityDigest> {
    let mut source = io::BufReader::with_capacity(64 * BLOCK, source);
    let mut tree = Tree::default();
    let mut block = Vec::with_capacity(BLOCK);
    let mut length: u64 = 0;
    loop {
        block.clear();
        source.by_ref().take(BLOCK as u64).read_to_end(&mut block)?;
        if block.is_empty() {
            return Ok(of_root(tree.root(), length));
        }
        length += block.len() as u64;
        tree.push(hash_of(&mut block));
    }
}

/// The hash of a block. A shorter one is filled with zeros.
fn hash_of(block: &mut Vec<u8>) -> [u8; 32] {
    block.resize(BLOCK, 0);
    Sha256::digest(block).into()
}

/// A Merkle tree while it grows: of each level, the hashes that fill no block yet.
#[derive(Default)]
struct Tree(Vec<Vec<u8>>);

impl Tree {
    /// Adds the hash of the next block of the file.
    fn push(&mut self, mut hash: [u8; 32]) {
        for level in &mut self.0 {
            level.extend_from_slice(&hash);
            if level.len() < BLOCK {
                return;
            }
            hash = hash_of(level);
            level.clear();
        }
        self.0.push(hash.to_vec());
    }

    /// The only hash of the highest level. Zeros for an empty file.
    fn root(self) -> [u8; 32] {
        let highest = self.0.len().saturating_sub(1);
        let mut below: Option<[u8; 32]> = None;
        for (at, mut level) in self.0.into_iter().enumerate() {
            level.extend(below.into_iter().flatten());
            below = match level.len() {
                0 => None,
                // A single hash of the highest level is the root. Below it, it fills no block.
                32 if at == highest => level.try_into().ok(),
                _ => Some(hash_of(&mut level)),
            };
        }
        below.unwrap_or([0; 32])
    }
}

fn merkle_root(mut level: Vec<u8>) -> [u8; 32] {
    while level.len() > 32 {
        level = hash_blocks(&level);
    }
    // One hash is left. It has 32 bytes, because each level is a whole number of hashes.
    level.try_into().unwrap_or([0; 32])
}

/// The hashes of all blocks of the file, in order.
fn block_hashes(data: &[u8]) -> Vec<u8> {
    if data.len() < PARALLEL_FROM {
        return hash_blocks(data);
    }
    let half = (data.len() / 2).next_multiple_of(BLOCK);
    let (first, second) = data.split_at(half);
    std::thread::scope(|scope| {
        // If the system gives no thread, this one does all the work.
        let worker = std::thread::Builder::new().spawn_scoped(scope, || hash_blocks(first));
        let mut tail = hash_blocks(second);
        let theirs = worker.ok().and_then(|worker| worker.join().ok());
        let mut hashes = theirs.unwrap_or_else(|| hash_blocks(first));
        hashes.append(&mut tail);
        hashes
    })
}

fn hash_blocks(data: &[u8]) -> Vec<u8> {
    let (blocks, tail) = data.as_chunks::<BLOCK>();
    let mut hashes = Vec::with_capacity((blocks.len() + 1) * 32);
    for block in blocks {
        hashes.extend_from_slice(&Sha256::digest(block));
    }
    if !tail.is_empty() {
        let mut block = tail.to_vec();
        block.resize(BLOCK, 0);
        hashes.extend_from_slice(&Sha256::digest(&block));
    }
    hashes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data of the fsverity-utils test vectors.
    fn pattern(len: usize) -> Vec<u8> {
        (0..len)
            .map(|i| u8::try_from((i % 11 + i % 439 + i % 1103) % 256).unwrap())
            .collect()
    }

    #[test]
    fn a_stream_has_the_same_digest() {
        let pattern = pattern(129 * 128 * BLOCK + 1);
        let blocks = [0, 1, 2, 127, 128, 129, 255, 256, 257, 128 * 128, 128 * 129];
        let lengths = blocks.iter().flat_map(|it| [it * BLOCK, it * BLOCK + 1]);
        for length in lengths {
            let data = &pattern[..length];
            assert_eq!(digest_of_stream(data).unwrap(), digest(data), "{length}");
        }
    }

    #[test]
    fn public_vectors() {
        let check = |data: &[u8], expected: &str| assert_eq!(digest(data).to_string(), expected);
        check(
            b"",
            "3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95",
        );
        // The vector of composefs.
        check(
            b"hello world",
            "1e2eaa4202d750a41174ee454970b92c1bc2f925b1e35076d8c7d5f56362ba64",
        );
        // The vectors of fsverity-utils.
        check(
            &pattern(4096),
            "6ac39979016e3ddf3d39fff6cb984f7c118acdf1852919f5c100c4b142c1818e",
        );
        check(
            &pattern(100_000),
            "f2096a36c5cdca4fa33ee8852833150bb324992e5417a9d571f1bffff73b9efc",
        );
        check(
            &pattern(1_000_000),
            "48df0c462329cd879661bd05b39aa81b05cc16afd27a7196a559da83531d39d9",
        );
    }

    #[test]
    fn two_threads_compute_what_one_does() {
        for len in [PARALLEL_FROM, PARALLEL_FROM + 1, PARALLEL_FROM + BLOCK + 7] {
            let data = pattern(len);
            assert_eq!(block_hashes(&data), hash_blocks(&data), "{len}");
            assert_eq!(digest(&data), digest_on_one_thread(&data), "{len}");
        }
    }
}
