//! Enables fs-verity and checks the digest, and checks that no process can write the file any more.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::fd::AsRawFd as _;

use edgec_artifact::verity::digest;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use crate::machine::{BLOCK, disk, fsverity, pattern, unmounted, written};
use crate::verity::{Enabled, Measured, enable, measure};
use crate::{Check, Outcome, same};

pub(crate) const CHECKS: &[Check] = &[
    (
        "the kernel's digest is edgec's, and fsverity-utils', at every shape of the tree",
        the_digests_agree,
    ),
    ("the digest is there after mounting again", it_lasts),
    (
        "a file under verity cannot be opened for writing",
        no_writer,
    ),
    (
        "a file under verity cannot be made shorter, by its name either",
        no_shorter,
    ),
    (
        "a file under verity can be renamed and deleted: an open one stays what it was",
        names_are_not_kept,
    ),
    ("enabling twice is told", twice),
    ("while a process writes the file, nothing is enabled", busy),
    (
        "while a process has the file mapped for writing, nothing is enabled",
        busy_mapping,
    ),
];

/// No block, one block, several whole blocks; one, two and three levels of hashes.
const LENGTHS: &[usize] = &[
    0,
    1,
    BLOCK - 1,
    BLOCK,
    BLOCK + 1,
    128 * BLOCK,
    128 * BLOCK + 1,
    1_000_000,
    128 * 128 * BLOCK + 1,
];

fn the_digests_agree() -> Outcome {
    for len in LENGTHS {
        let path = disk(&format!("shape-{len}"));
        let bytes = pattern(*len);
        let file = written(&path, &bytes)?;
        same("before", measure(&file)?, Measured::NotEnabled)?;
        same("enabled", enable(&file)?, Enabled::Now)?;
        let signed = digest(&bytes);
        same("measured", measure(&file)?, Measured::Digest(signed))?;
        let expected = format!("sha256:{signed}");
        same("theirs", fsverity("measure", &path, &[])?, expected)?;
    }
    Ok(())
}

fn it_lasts() -> Outcome {
    let (path, bytes) = (disk("lasting"), pattern(100_000));
    same("enabled", enable(&written(&path, &bytes)?)?, Enabled::Now)?;
    unmounted(|| Ok(()))?;
    let measured = measure(&File::open(&path)?)?;
    same("measured", measured, Measured::Digest(digest(&bytes)))?;
    same("read", fs::read(&path)? == bytes, true)
}

/// A file of that name under verity.
fn sealed(name: &str) -> Result<File, Box<dyn std::error::Error>> {
    let file = written(&disk(name), &pattern(100_000))?;
    same("enabled", enable(&file)?, Enabled::Now)?;
    Ok(file)
}

fn refused(what: &str, answer: std::io::Result<File>) -> Outcome {
    let kind = answer.map_err(|error| error.kind()).err();
    same(what, kind, Some(ErrorKind::PermissionDenied))
}

fn no_writer() -> Outcome {
    let path = disk("no-writer");
    let sealed = sealed("no-writer")?;
    refused("write", File::options().write(true).open(&path))?;
    refused("append", File::options().append(true).open(&path))?;
    let both = File::options().read(true).write(true).open(&path);
    refused("read and write", both)?;
    // The same file by another name, and by the open file.
    fs::hard_link(&path, disk("no-writer-either"))?;
    let other = File::options().write(true).open(disk("no-writer-either"));
    refused("another name", other)?;
    let number = sealed.as_raw_fd();
    let again = File::options()
        .write(true)
        .open(format!("/proc/self/fd/{number}"));
    refused("the open file", again)
}

fn no_shorter() -> Outcome {
    let _sealed = sealed("no-shorter")?;
    refused("truncate", File::create(disk("no-shorter")))?;
    let read = fs::read(disk("no-shorter"))?;
    same("read", read == pattern(100_000), true)
}

fn names_are_not_kept() -> Outcome {
    let file = sealed("moved")?;
    let before = measure(&file)?;
    written(&disk("other"), b"other bytes, no verity")?;
    fs::rename(disk("other"), disk("moved"))?;
    same("the open file", measure(&file)?, before)?;
    let named = measure(&File::open(disk("moved"))?)?;
    same("what has its name now", named, Measured::NotEnabled)?;
    let deleted = sealed("deleted")?;
    fs::remove_file(disk("deleted"))?;
    same("the deleted file", measure(&deleted)?, before)
}

fn twice() -> Outcome {
    let file = sealed("twice")?;
    let before = measure(&file)?;
    same("enabled", enable(&file)?, Enabled::Before)?;
    same("measured", measure(&file)?, before)
}

fn busy() -> Outcome {
    let file = written(&disk("busy"), b"to be written on")?;
    let writer = File::options().append(true).open(disk("busy"))?;
    same("with a writer", enable(&file)?, Enabled::Busy)?;
    same("measured", measure(&file)?, Measured::NotEnabled)?;
    drop(writer);
    same("without", enable(&file)?, Enabled::Now)
}

fn busy_mapping() -> Outcome {
    let file = written(&disk("busy-mapping"), &pattern(BLOCK))?;
    let writer = File::options()
        .read(true)
        .write(true)
        .open(disk("busy-mapping"))?;
    let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
    // SAFETY: a new mapping at an address that the kernel chooses, and nothing uses it.
    #[expect(unsafe_code, reason = "mapping a file")]
    let view = unsafe { mmap(std::ptr::null_mut(), BLOCK, protection, flags, &writer, 0) }?;
    drop(writer);
    let mapped = enable(&file)?;
    // SAFETY: the mapping from above, of which there is no reference.
    #[expect(unsafe_code, reason = "unmapping it")]
    unsafe { munmap(view, BLOCK) }?;
    same("mapped", mapped, Enabled::Busy)?;
    same("measured", measure(&file)?, Measured::NotEnabled)?;
    same("not any more", enable(&file)?, Enabled::Now)
}
