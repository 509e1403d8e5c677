//! What an output may replace, for every verb: an empty file, or one of the kind that is written.
//! It replaces no input of the same command, no private key, no program and no unknown file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{STDIN, cannot};
use crate::failure::Failure;
use crate::file_kind::{Wanted, in_the_way};

/// Refuses `-` as an output: an artifact or a key must not end up in a terminal's text.
pub(crate) fn refuse_dash(path: &Path) -> Result<(), Failure> {
    if path.as_os_str() == STDIN {
        return Err(
            Failure::usage("output", "standard output is not written to")
                .about("-o -")
                .hint(
                    "name a file: it is written whole or not at all, which a pipe cannot promise",
                ),
        );
    }
    Ok(())
}

/// For what is never overwritten, such as a key.
pub(crate) fn refuse_existing(path: &Path) -> Result<(), Failure> {
    match path.symlink_metadata() {
        Ok(_) => Err(exists(path)),
        Err(_) => Ok(()),
    }
}

/// The failure of a new key where a file lies.
pub(crate) fn exists(path: &Path) -> Failure {
    let message = "there is such a file already, and a key is never overwritten";
    Failure::usage("exists", message)
        .about(path.display())
        .hint("choose another name, or move the old key away")
}

/// Refuses a place where this user may make no file, nor the folders that lead there. Makes nothing.
#[cfg(unix)]
pub(crate) fn refuse_unwritable(path: &Path) -> Result<(), Failure> {
    use rustix::fs::{Access, access};
    let mut folders = path.ancestors().skip(1);
    let there = folders.find(|folder| folder.symlink_metadata().is_ok());
    let there = there.unwrap_or(Path::new("."));
    let writable = access(there, Access::WRITE_OK | Access::EXEC_OK);
    writable.map_err(|error| cannot("write", path, &error.into()))
}

#[cfg(not(unix))]
pub(crate) fn refuse_unwritable(_: &Path) -> Result<(), Failure> {
    Ok(())
}

/// Refuses an output of this kind where a file lies that it must not replace. Verbs ask before they
/// begin to work, and every file is asked about again before it takes its place. A symbolic link is
/// replaced itself: what it leads to stays.
pub(crate) fn refuse_other(path: &Path, kind: Wanted) -> Result<(), Failure> {
    if !path.symlink_metadata().is_ok_and(|there| there.is_file()) {
        let not_a_file = || io::Error::other("not a regular file");
        return match fs::metadata(path) {
            Ok(there) if !there.is_file() => Err(cannot("write", path, &not_a_file())),
            _ => Ok(()),
        };
    }
    let there = in_the_way(path, kind).map_err(|error| {
        cannot("read", path, &error)
            .hint("edgec does not know what it would replace: name another file")
    })?;
    let Some(there) = there else {
        return Ok(());
    };
    let (what, kind) = (there.what, kind.what());
    let message = format!("{what} lies there, and {kind} does not replace it");
    Err(Failure::usage("output", message)
        .about(path.display())
        .hint(match there.lost_for_ever {
            true => "name another file: a private key that is lost cannot be made again",
            false => "name another file, or remove this one first",
        }))
}

/// Refuses to write over a file that is read or is of another kind, and to read standard input
/// twice.
pub(crate) fn spare(read: &[PathBuf], written: &Path, kind: Wanted) -> Result<(), Failure> {
    spare_inputs(read, written)?;
    refuse_other(written, kind)
}

/// Refuses to write over a file that is read, and to read standard input twice.
pub(crate) fn spare_inputs(read: &[PathBuf], written: &Path) -> Result<(), Failure> {
    refuse_dash(written)?;
    if read.iter().any(|read| same(read, written)) {
        let message = "this file is read, and would be overwritten";
        return Err(Failure::usage("output", message)
            .about(written.display())
            .hint("name another file or folder with -o"));
    }
    refuse_stdin_twice(read)
}

/// Refuses to read standard input twice.
pub(crate) fn refuse_stdin_twice(read: &[PathBuf]) -> Result<(), Failure> {
    let read = read.iter().filter(|path| path.as_os_str() == STDIN);
    if read.count() > 1 {
        let message = "standard input is named for more than one of the files that are read";
        return Err(Failure::usage("stdin", message)
            .hint("`-` stands for it once; name a file for the others"));
    }
    Ok(())
}

/// Whether two names mean one existing file.
pub(crate) fn same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}
