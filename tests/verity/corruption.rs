//! A disk that gives other bytes than were sealed: an error, never the bytes.

use std::error::Error;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

use edgec_artifact::VerityDigest;
use edgec_artifact::verity::digest;
use rustix::io::Errno;

use crate::machine::{
    BLOCK, damage, disk, drop_caches, first_hash_block, pattern, unmounted, written,
};
use crate::mapping::Mapped;
use crate::verity::{Enabled, Measured, enable, measure};
use crate::{Check, Outcome, same};

pub(crate) const CHECKS: &[Check] = &[
    ("a damaged page: reading is an error", damaged_page_read),
    (
        "a damaged page: a mapped access is SIGBUS",
        damaged_page_mapped,
    ),
    (
        "a page damaged while the file is open, mapped and in use",
        damaged_in_use,
    ),
    (
        "a page damaged behind the file's end, where a mapping would show it",
        damaged_tail,
    ),
    (
        "a damaged hash: an error for the pages under it",
        damaged_hash,
    ),
    ("a damaged root: an error for every page", damaged_root),
    (
        "a damaged descriptor: another digest, and no page to read",
        damaged_descriptor,
    ),
    (
        "without verity the same damage gives wrong bytes: the checks see it",
        without_verity,
    ),
];

/// What a reader got of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The bytes that were sealed.
    Right,
    /// Others.
    Wrong,
    /// `EIO`, or `SIGBUS` of a mapping.
    Error,
}

impl Seen {
    pub(crate) fn of(bytes: &[u8], expected: &[u8]) -> Self {
        if bytes == expected {
            Self::Right
        } else {
            Self::Wrong
        }
    }
}

/// 245 blocks: two blocks of hashes and the root's; the last block has 576 bytes.
const LEN: usize = 1_000_000;
/// Far from the first: reading ahead does not reach it.
const PAGE: usize = 200;
/// Hashed in the same block as `PAGE`, and in the other one.
const NEAR: usize = 190;
const FAR: usize = 20;

fn expected(page: usize) -> Vec<u8> {
    let bytes = pattern(LEN);
    bytes[page * BLOCK..((page + 1) * BLOCK).min(LEN)].to_vec()
}

fn read(name: &str, page: usize) -> Result<Seen, Box<dyn Error>> {
    read_open(&File::open(disk(name))?, page)
}

fn read_open(file: &File, page: usize) -> Result<Seen, Box<dyn Error>> {
    let expected = expected(page);
    let mut bytes = vec![0; expected.len()];
    match file.read_exact_at(&mut bytes, (page * BLOCK) as u64) {
        Ok(()) => Ok(Seen::of(&bytes, &expected)),
        Err(error) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => Ok(Seen::Error),
        Err(error) => Err(error.into()),
    }
}

fn mapped(name: &str, page: usize) -> Result<Seen, Box<dyn Error>> {
    Mapped::start(&disk(name), page)?.look(&expected(page))
}

/// A file under verity whose `block` was damaged while the disk was not mounted.
fn sealed_and_damaged(name: &str, block: usize, offset: usize) -> Result<(), Box<dyn Error>> {
    let file = written(&disk(name), &pattern(LEN))?;
    same("enabled", enable(&file)?, Enabled::Now)?;
    drop(file);
    same("before", read(name, PAGE)?, Seen::Right)?;
    unmounted(|| damage(name, block, offset))
}

/// The file says of itself that it is what was signed.
fn still_measured(name: &str) -> Outcome {
    let measured = measure(&File::open(disk(name))?)?;
    same("measured", measured, Measured::Digest(signed()))
}

fn signed() -> VerityDigest {
    digest(&pattern(LEN))
}

fn damaged_page_read() -> Outcome {
    sealed_and_damaged("page-read", PAGE, 17)?;
    still_measured("page-read")?;
    same("the page", read("page-read", PAGE)?, Seen::Error)?;
    // Asking again does not help.
    same("again", read("page-read", PAGE)?, Seen::Error)?;
    for page in [0, PAGE - 1, PAGE + 1, LEN / BLOCK] {
        same("another page", read("page-read", page)?, Seen::Right)?;
    }
    Ok(())
}

fn damaged_page_mapped() -> Outcome {
    sealed_and_damaged("page-mapped", PAGE, 4095)?;
    still_measured("page-mapped")?;
    same("the page", mapped("page-mapped", PAGE)?, Seen::Error)?;
    same("again", mapped("page-mapped", PAGE)?, Seen::Error)?;
    for page in [0, PAGE - 1, PAGE + 1, LEN / BLOCK] {
        same("another page", mapped("page-mapped", page)?, Seen::Right)?;
    }
    Ok(())
}

/// The file system is mounted all the time, as on a host that runs.
fn damaged_in_use() -> Outcome {
    let path = disk("in-use");
    let file = written(&path, &pattern(LEN))?;
    same("enabled", enable(&file)?, Enabled::Now)?;
    drop_caches()?;
    let mapping = Mapped::start(&path, PAGE)?;
    same("before", read_open(&file, PAGE)?, Seen::Right)?;
    damage("in-use", PAGE, 0)?;
    // What is in memory was checked when it came there.
    same("in memory", read_open(&file, PAGE)?, Seen::Right)?;
    drop_caches()?;
    same(
        "the mapped page",
        mapping.look(&expected(PAGE))?,
        Seen::Error,
    )?;
    same("the open file", read_open(&file, PAGE)?, Seen::Error)?;
    same("another page", read_open(&file, FAR)?, Seen::Right)?;
    still_measured("in-use")
}

fn damaged_tail() -> Outcome {
    let last = LEN / BLOCK;
    sealed_and_damaged("tail", last, LEN % BLOCK)?;
    same("read", read("tail", last)?, Seen::Error)?;
    same("mapped", mapped("tail", last)?, Seen::Error)
}

fn damaged_hash() -> Outcome {
    // The root's block, the hashes of blocks 0 to 127, and of the others.
    let block = first_hash_block(LEN) + 2;
    sealed_and_damaged("hash", block, (NEAR - 128) * 32)?;
    still_measured("hash")?;
    for page in [PAGE, NEAR] {
        same("read", read("hash", page)?, Seen::Error)?;
        same("mapped", mapped("hash", page)?, Seen::Error)?;
    }
    same("the other half", read("hash", FAR)?, Seen::Right)
}

fn damaged_root() -> Outcome {
    sealed_and_damaged("root", first_hash_block(LEN), 0)?;
    still_measured("root")?;
    for page in [0, FAR, NEAR, PAGE] {
        same("read", read("root", page)?, Seen::Error)?;
    }
    Ok(())
}

fn damaged_descriptor() -> Outcome {
    // `struct fsverity_descriptor` has the root's hash at byte 16.
    sealed_and_damaged("descriptor", first_hash_block(LEN) + 3, 16)?;
    match measure(&File::open(disk("descriptor"))?)? {
        Measured::Digest(other) if other != signed() => {}
        measured => return Err(format!("measured: {measured:?}").into()),
    }
    for page in [0, FAR, NEAR, PAGE] {
        same("read", read("descriptor", page)?, Seen::Error)?;
    }
    Ok(())
}

fn without_verity() -> Outcome {
    written(&disk("nothing"), &pattern(LEN))?;
    unmounted(|| damage("nothing", PAGE, 17))?;
    same("read", read("nothing", PAGE)?, Seen::Wrong)?;
    same("mapped", mapped("nothing", PAGE)?, Seen::Wrong)
}
