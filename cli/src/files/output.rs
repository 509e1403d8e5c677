//! What an output may replace, for every verb: an empty file, or a file of the same kind. It never
//! replaces an input of the same command, a private key, a program or an unknown file.

use std::fs;
use std::path::{Path, PathBuf};

use super::{STDIN, cannot};
use crate::failure::Failure;
use crate::file_kind::{Wanted, in_the_way};

/// Refuses `-` as an output, because a terminal should not print an artifact or a key.
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

/// Refuses a path that exists, for outputs that never overwrite, such as keys.
pub(crate) fn refuse_existing(path: &Path) -> Result<(), Failure> {
    refuse_folder_name(path, Wanted::Key)?;
    match path.symlink_metadata() {
        Ok(_) => Err(exists(path)),
        Err(_) => Ok(()),
    }
}

/// The failure to write a new key, or the first policy, where a file exists.
pub(crate) fn exists(path: &Path) -> Failure {
    if let Some(other) = not_a_file(path, Wanted::Key) {
        return other;
    }
    let message = "the file already exists, and edgec does not replace it";
    Failure::usage("exists", message)
        .about(path.display())
        .hint("choose another name, or move the old file away")
}

/// Refuses a path where this user may not make the file or the folders that lead there. Makes
/// nothing.
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

/// Refuses an output of this kind if it would replace a file that it must not. Verbs call this
/// before they begin to work, and again for each file before it is put in place. A symbolic link is
/// replaced itself, and its target stays.
pub(crate) fn refuse_other(path: &Path, kind: Wanted) -> Result<(), Failure> {
    if !path.symlink_metadata().is_ok_and(|there| there.is_file()) {
        return match not_a_file(path, kind) {
            Some(failure) => Err(failure),
            None => refuse_folder_name(path, kind),
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
    let message = format!("{what} is there, and {kind} does not replace it");
    Err(Failure::usage("output", message)
        .about(path.display())
        .hint(match there.lost_for_ever {
            true => "name another file: a private key that is lost cannot be made again",
            false => "name another file, or remove this one first",
        }))
}

/// The failure for an output that would replace a folder, a pipe or a device.
fn not_a_file(path: &Path, kind: Wanted) -> Option<Failure> {
    let there = fs::metadata(path).ok().filter(|there| !there.is_file())?;
    let (what, hint) = match there.is_dir() {
        true => ("a folder", "name a file in this folder, or another place"),
        false => (
            "a pipe or a device",
            "name another file: it is written whole or not at all, which a pipe cannot promise",
        ),
    };
    let message = format!("{what} is there, and {} does not replace it", kind.what());
    let failure = Failure::usage("output", message);
    Some(failure.about(path.display()).hint(hint))
}

/// Refuses an output below a file, and an output with the name of a folder.
fn refuse_folder_name(path: &Path, kind: Wanted) -> Result<(), Failure> {
    let above = path.parent().unwrap_or(Path::new(""));
    let there = above.ancestors().find(|it| it.symlink_metadata().is_ok());
    if let Some(file) = there.filter(|there| !there.is_dir()) {
        let message = "this is not a folder, so nothing can be written in it";
        return Err(Failure::usage("output", message)
            .about(file.display())
            .hint("name another folder, or remove this file first"));
    }
    if path.as_os_str().as_encoded_bytes().ends_with(b"/") && !path.is_dir() {
        let message = format!(
            "this is the name of a folder, and {} is one file",
            kind.what()
        );
        return Err(Failure::usage("output", message)
            .about(path.display())
            .hint("name a file, without `/` at the end"));
    }
    Ok(())
}

/// Refuses to write over an input or a file of another kind, and to read standard input twice.
pub(crate) fn spare(read: &[PathBuf], written: &Path, kind: Wanted) -> Result<(), Failure> {
    spare_inputs(read, written)?;
    refuse_other(written, kind)
}

/// Refuses to write over an input, and to read standard input twice.
pub(crate) fn spare_inputs(read: &[PathBuf], written: &Path) -> Result<(), Failure> {
    refuse_dash(written)?;
    if read.iter().any(|read| same(read, written)) {
        let message = "this file is an input, and would be overwritten";
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
        let message = "standard input is named for more than one input";
        return Err(Failure::usage("stdin", message)
            .hint("`-` can be used only once; name a file for the others"));
    }
    Ok(())
}

/// Whether two names lead to the same existing file.
pub(crate) fn same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}
