//! The fs-verity digest of a file, computed in user space.
//!
//! Source: Linux, `Documentation/filesystems/fsverity.rst`, "Merkle tree" and "File digest
//! computation". SHA-256, 4096-byte blocks, no salt: the digest that `FS_IOC_MEASURE_VERITY` gives
//! for a file that was sealed with these parameters.

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
    // `struct fsverity_descriptor`: version 1, hash algorithm 1 (SHA-256), log2 of the
    // block size 12, salt size 0, reserved, data size, root hash, salt, reserved.
    let mut descriptor = Vec::with_capacity(256);
    descriptor.extend_from_slice(&[1, 1, 12, 0, 0, 0, 0, 0]);
    descriptor.extend_from_slice(&(data.len() as u64).to_le_bytes());
    descriptor.extend_from_slice(&root);
    descriptor.resize(256, 0);
    VerityDigest(Sha256::digest(&descriptor).into())
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
