//! Files that are not under verity with the signed digest are recognized.

use std::error::Error;
use std::fs::{self, File};

use edgec_artifact::VerityDigest;
use edgec_artifact::verity::digest;

use crate::machine::{
    clear_the_flag, disk, fsverity, pattern, plain_disk, remount, unmounted, written,
};
use crate::verity::{Enabled, Measured, enable, measure};
use crate::{Check, Outcome, same};

pub(crate) const CHECKS: &[Check] = &[
    ("a file without verity", without),
    ("other bytes under verity", other_bytes),
    ("the same bytes, another salt", || others(&["--salt=5a"])),
    ("the same bytes, blocks of 1024 bytes", || {
        others(&["--block-size=1024"])
    }),
    ("the same bytes, SHA-512", || others(&["--hash-alg=sha512"])),
    ("the same bytes, SHA-512 and a salt", || {
        others(&["--hash-alg=sha512", "--salt=5a"])
    }),
    ("the verity flag taken off on the disk", flag_removed),
    ("a file system without the feature", no_feature),
    ("a file system that cannot have it", no_such_thing),
    (
        "a disk mounted read-only: no enabling, but measuring",
        read_only,
    ),
];

fn without() -> Outcome {
    let file = written(&disk("without"), &pattern(100_000))?;
    same("measured", measure(&file)?, Measured::NotEnabled)
}

fn other_bytes() -> Outcome {
    let signed = pattern(100_000);
    let mut bytes = signed.clone();
    bytes[99_999] ^= 1;
    let file = written(&disk("other-bytes"), &bytes)?;
    same("enabled", enable(&file)?, Enabled::Now)?;
    told_apart(&file, digest(&signed))
}

/// The kernel checks the file with a digest that is not the signed one.
fn told_apart(file: &File, signed: VerityDigest) -> Outcome {
    match measure(file)? {
        Measured::Digest(other) if other != signed => Ok(()),
        measured => Err(format!("measured: {measured:?}").into()),
    }
}

/// A file that another program put under verity, with these options.
fn others(options: &[&str]) -> Outcome {
    let name = format!("others{}", options.concat());
    let (path, bytes) = (disk(&name), pattern(100_000));
    let file = written(&path, &bytes)?;
    fsverity("enable", &path, options)?;
    same("enabled", enable(&file)?, Enabled::Before)?;
    let theirs = fsverity("measure", &path, &[])?;
    if theirs.starts_with("sha512:") {
        same("measured", measure(&file)?, Measured::OtherAlgorithm(2))?;
    } else {
        let theirs: VerityDigest = theirs.trim_start_matches("sha256:").parse()?;
        same("measured", measure(&file)?, Measured::Digest(theirs))?;
        told_apart(&file, digest(&bytes))?;
    }
    same("read", fs::read(&path)? == bytes, true)
}

fn flag_removed() -> Outcome {
    let path = disk("flag");
    let file = written(&path, &pattern(100_000))?;
    same("enabled", enable(&file)?, Enabled::Now)?;
    drop(file);
    unmounted(|| clear_the_flag("flag"))?;
    let file = File::open(&path)?;
    same("measured", measure(&file)?, Measured::NotEnabled)?;
    // It is now a file without verity.
    File::options().write(true).open(&path)?;
    Ok(())
}

fn not_supported(file: &File) -> Outcome {
    same("enabled", enable(file)?, Enabled::NotSupported)?;
    same("measured", measure(file)?, Measured::NotEnabled)
}

fn no_feature() -> Outcome {
    not_supported(&written(&plain_disk("file"), &pattern(100_000))?)
}

/// The machine's root file system is in memory.
fn no_such_thing() -> Outcome {
    not_supported(&written("/file".as_ref(), &pattern(100_000))?)?;
    not_supported(&File::open("/proc/self/status")?)
}

fn read_only() -> Outcome {
    let bytes = pattern(100_000);
    let sealed = written(&disk("read-only-sealed"), &bytes)?;
    same("enabled", enable(&sealed)?, Enabled::Now)?;
    let unsealed = written(&disk("read-only-unsealed"), &bytes)?;
    remount("ro")?;
    let seen = read_only_answers(&sealed, &unsealed);
    remount("rw")?;
    let (measured, kind) = seen?;
    same("measured", measured, Measured::Digest(digest(&bytes)))?;
    let expected = Some(std::io::ErrorKind::ReadOnlyFilesystem);
    same("enabling", kind, expected)
}

fn read_only_answers(
    sealed: &File,
    unsealed: &File,
) -> Result<(Measured, Option<std::io::ErrorKind>), Box<dyn Error>> {
    let kind = enable(unsealed).map_err(|error| error.kind()).err();
    Ok((measure(sealed)?, kind))
}
