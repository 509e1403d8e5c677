//! The machine: its two disks, and tools outside edgec that examine them.

use std::error::Error;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;

/// An ext4 file system with the verity feature, in blocks of 4096 bytes.
const DISK: &str = "/dev/vda";
const MOUNTED: &str = "/disk";
/// An ext4 file system without it.
const PLAIN_DISK: &str = "/dev/vdb";
const PLAIN_MOUNTED: &str = "/plain";

pub(crate) const BLOCK: usize = 4096;

pub(crate) fn mount_disks() -> Outcome {
    for (disk, folder) in [(DISK, MOUNTED), (PLAIN_DISK, PLAIN_MOUNTED)] {
        fs::create_dir_all(folder)?;
        run("mount", &["-t", "ext4", disk, folder])?;
    }
    Ok(())
}

/// A path on the disk whose file system has verity.
pub(crate) fn disk(name: &str) -> PathBuf {
    Path::new(MOUNTED).join(name)
}

/// A path on the disk whose file system does not.
pub(crate) fn plain_disk(name: &str) -> PathBuf {
    Path::new(PLAIN_MOUNTED).join(name)
}

/// `len` bytes that differ from block to block.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| (i % 251 + i / BLOCK % 239).to_le_bytes()[0])
        .collect()
}

/// Writes a file and opens it for reading, as a store does.
pub(crate) fn written(path: &Path, bytes: &[u8]) -> io::Result<File> {
    fs::write(path, bytes)?;
    File::open(path)
}

/// Runs a program to its end and returns what it printed.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    let output = Command::new(program).args(arguments).output()?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("{program} {arguments:?}: {}", stderr.trim()).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// What `fsverity` of fsverity-utils prints about the file, without the file's name.
pub(crate) fn fsverity(
    verb: &str,
    path: &Path,
    options: &[&str],
) -> Result<String, Box<dyn Error>> {
    let path = path.to_str().ok_or("a path that is no text")?;
    let printed = run("fsverity", &[&[verb, path], options].concat())?;
    Ok(printed.split(' ').next().unwrap_or_default().to_owned())
}

/// Changes the disk while no file system uses it, and mounts it again.
pub(crate) fn unmounted(
    act: impl FnOnce() -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    run("umount", &[MOUNTED])?;
    let done = act();
    run("mount", &["-t", "ext4", DISK, MOUNTED])?;
    done
}

/// Remounts the disk `ro` or `rw`.
pub(crate) fn remount(how: &str) -> Outcome {
    run("mount", &["-o", &format!("remount,{how}"), MOUNTED])?;
    Ok(())
}

/// Drops everything from memory that was read from the disks, except what is mapped now.
pub(crate) fn drop_caches() -> Outcome {
    run("sync", &[])?;
    fs::write("/proc/sys/vm/drop_caches", "3")?;
    Ok(())
}

/// Changes one byte of a file's block on the disk, bypassing the file system. The blocks of the
/// hashes follow those of the data: see [`first_hash_block`].
pub(crate) fn damage(name: &str, block: usize, offset: usize) -> Outcome {
    let answer = debugfs(&["-R", &format!("bmap /{name} {block}"), DISK])?;
    let place: u64 = answer.trim().parse()?;
    if place == 0 {
        return Err(format!("{name} has no block {block}").into());
    }
    let place = place * BLOCK as u64 + offset as u64;
    let disk = File::options().read(true).write(true).open(DISK)?;
    let mut byte = [0];
    disk.read_exact_at(&mut byte, place)?;
    byte[0] ^= 0x10;
    disk.write_all_at(&byte, place)?;
    disk.sync_all()?;
    Ok(())
}

/// The place of the hashes of a file of `len` bytes on ext4, counted in blocks of the file: at the
/// next multiple of 64 KiB, the root's block first. Source: `fs/ext4/verity.c`,
/// `ext4_verity_metadata_pos`.
pub(crate) fn first_hash_block(len: usize) -> usize {
    len.next_multiple_of(65_536) / BLOCK
}

/// Removes the verity flag from a file. `EXT4_EXTENTS_FL` remains.
pub(crate) fn clear_the_flag(name: &str) -> Outcome {
    let request = format!("set_inode_field /{name} flags 0x80000");
    debugfs(&["-w", "-R", &request, DISK])?;
    Ok(())
}

fn debugfs(arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    run("debugfs", arguments)
}
