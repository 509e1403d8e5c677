//! A disk that returns other bytes than were sealed: the reader gets an error, never the bytes.

use std::error::Error;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

use edgec_artifact::VerityDigest;
use edgec_artifact::verity::digest;
use rustix::io::Errno;

use crate::machine::{
    BLOCK, damage, disk, drop_caches, first_hash_block, pattern, unmounted, written,
};
use crate::mapping::{Mapped, Use};
use crate::verity::{Enabled, Measured, enable, measure};
use crate::{Check, Outcome, same};

pub(crate) const CHECKS: &[Check] = &[
    ("a damaged page: reading is an error", damaged_page_read),
    (
        "a damaged page: a mapped access is SIGBUS",
        damaged_page_mapped,
    ),
    ("a damaged page of code: calling it is SIGBUS", damaged_code),
    (
        "a damaged page: MADV_POPULATE_READ is an error, without a signal",
        damaged_page_populated,
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

/// What a reader got from a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The sealed bytes.
    Right,
    /// Other bytes.
    Wrong,
    /// No bytes: `EIO`, or the error of `madvise`.
    Error,
    /// No bytes: `SIGBUS`.
    Signal,
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
/// Far from the first page, so that reading ahead does not reach it.
const PAGE: usize = 200;
/// Pages whose hashes are in the same block as that of `PAGE`, and in the other one.
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
    Mapped::start(Use::Read, &disk(name), page)?.look(&expected(page))
}

/// A file under verity, whose `block` was damaged while the disk was not mounted.
fn sealed_and_damaged(name: &str, block: usize, offset: usize) -> Outcome {
    seal(name, &pattern(LEN))?;
    same("before", read(name, PAGE)?, Seen::Right)?;
    unmounted(|| damage(name, block, offset))
}

fn seal(name: &str, bytes: &[u8]) -> Outcome {
    let file = written(&disk(name), bytes)?;
    same("enabled", enable(&file)?, Enabled::Now)
}

/// The kernel still reports the signed digest for the file.
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
    // A second attempt does not help.
    same("again", read("page-read", PAGE)?, Seen::Error)?;
    for page in [0, PAGE - 1, PAGE + 1, LEN / BLOCK] {
        same("another page", read("page-read", page)?, Seen::Right)?;
    }
    Ok(())
}

fn damaged_page_mapped() -> Outcome {
    sealed_and_damaged("page-mapped", PAGE, 4095)?;
    still_measured("page-mapped")?;
    same("the page", mapped("page-mapped", PAGE)?, Seen::Signal)?;
    same("again", mapped("page-mapped", PAGE)?, Seen::Signal)?;
    for page in [0, PAGE - 1, PAGE + 1, LEN / BLOCK] {
        same("another page", mapped("page-mapped", page)?, Seen::Right)?;
    }
    Ok(())
}

/// A page that is a function of x86-64, `mov eax, page; ret`, for each page of a file.
fn code() -> Vec<u8> {
    let mut bytes = pattern(LEN);
    for (page, block) in (0_u32..).zip(bytes.chunks_exact_mut(BLOCK)) {
        block[0] = 0xb8;
        block[1..5].copy_from_slice(&page.to_le_bytes());
        block[5] = 0xc3;
    }
    bytes
}

fn called(name: &str, page: u32) -> Result<Seen, Box<dyn Error>> {
    let path = disk(name);
    Mapped::start(Use::Call, &path, usize::try_from(page)?)?.look(&page.to_le_bytes())
}

fn damaged_code() -> Outcome {
    seal("code", &code())?;
    written(&disk("code-without"), &code())?;
    same("before", called("code", 200)?, Seen::Right)?;
    unmounted(|| {
        damage("code", 200, 1)?;
        damage("code-without", 200, 1)
    })?;
    same("the page", called("code", 200)?, Seen::Signal)?;
    same("another page", called("code", 190)?, Seen::Right)?;
    // The damage does change what the code does.
    same("without verity", called("code-without", 200)?, Seen::Wrong)
}

/// A way to notice damage before the pages are needed, for hosts that prefer an error.
fn damaged_page_populated() -> Outcome {
    let populated = |page| {
        let path = disk("populated");
        Mapped::start(Use::Populate, &path, page)?.look(&expected(page))
    };
    seal("populated", &pattern(LEN))?;
    same("before", populated(PAGE)?, Seen::Right)?;
    unmounted(|| damage("populated", PAGE, 17))?;
    same("any page", populated(FAR)?, Seen::Error)
}

/// The file system stays mounted, as on a running host.
fn damaged_in_use() -> Outcome {
    let path = disk("in-use");
    seal("in-use", &pattern(LEN))?;
    let file = File::open(&path)?;
    drop_caches()?;
    let mapping = Mapped::start(Use::Read, &path, PAGE)?;
    same("before", read_open(&file, PAGE)?, Seen::Right)?;
    damage("in-use", PAGE, 0)?;
    // A page in memory was checked when it was read.
    same("in memory", read_open(&file, PAGE)?, Seen::Right)?;
    drop_caches()?;
    same(
        "the mapped page",
        mapping.look(&expected(PAGE))?,
        Seen::Signal,
    )?;
    same("the open file", read_open(&file, PAGE)?, Seen::Error)?;
    same("another page", read_open(&file, FAR)?, Seen::Right)?;
    still_measured("in-use")
}

fn damaged_tail() -> Outcome {
    let last = LEN / BLOCK;
    sealed_and_damaged("tail", last, LEN % BLOCK)?;
    same("read", read("tail", last)?, Seen::Error)?;
    same("mapped", mapped("tail", last)?, Seen::Signal)
}

fn damaged_hash() -> Outcome {
    // The root's block, the hashes of blocks 0 to 127, and the hashes of the others.
    let block = first_hash_block(LEN) + 2;
    sealed_and_damaged("hash", block, (NEAR - 128) * 32)?;
    still_measured("hash")?;
    for page in [PAGE, NEAR] {
        same("read", read("hash", page)?, Seen::Error)?;
        same("mapped", mapped("hash", page)?, Seen::Signal)?;
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
