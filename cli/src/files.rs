//! Files: written whole or not at all, read with a bound, and what is said if that fails.

mod folders;
mod input;
mod output;
mod replace;
mod secret;
mod way;

use std::collections::BTreeMap;
#[cfg(unix)]
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::failure::{Exit, Failure};
use crate::file_kind::Wanted;
use crate::signals;

use input::ReadBefore;
use replace::Placed;

pub(crate) use folders::{NewFolders, create_private};
pub(crate) use input::{
    read, read_artifact, read_log, read_public, read_short, read_text, unreadable,
};
pub(crate) use output::{
    exists, refuse_dash, refuse_existing, refuse_other, refuse_stdin_twice, refuse_unwritable,
    same, spare, spare_inputs,
};
pub(crate) use secret::{
    Sensitive, is_for_owner, look_at_key, read_secret, refuse_place_of_key, refuse_shared_secret,
};
pub(crate) use way::remedy_of_way;

/// The name that means standard input.
pub(crate) const STDIN: &str = "-";

/// Writes a file of this kind under a temporary name beside its own and renames it: a reader sees
/// the old file or the new one, and a failure leaves the old one.
pub(crate) fn write(path: &Path, bytes: &[u8], kind: Wanted) -> Result<(), Failure> {
    signals::uninterrupted(|| stage(path, bytes, kind)?.commit())
}

/// A file that is complete on disk and has not replaced its predecessor yet.
pub(crate) struct Staged {
    path: PathBuf,
    kind: Wanted,
    file: tempfile::NamedTempFile,
}

/// Writes the new file beside the old one. A private key is for its owner only. Another file gets
/// the old file's mode, or the one that the process's umask gives. What lies at `path` is looked at
/// when the new file takes its place.
pub(crate) fn stage(path: &Path, bytes: &[u8], kind: Wanted) -> Result<Staged, Failure> {
    let stage = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".edgec-");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let replaced = fs::metadata(path).map(|old| old.permissions().mode() & 0o777);
            let mode = match kind {
                Wanted::PrivateKey => 0o600,
                _ => replaced.unwrap_or(0o666),
            };
            builder.permissions(fs::Permissions::from_mode(mode));
        }
        let mut file = builder.tempfile_in(folder(path))?;
        edgec_loader::write_sparse(bytes, file.as_file_mut())?;
        file.as_file().set_len(bytes.len() as u64)?;
        file.as_file().sync_all()?;
        Ok(file)
    };
    match stage() {
        Ok(file) => Ok(Staged {
            path: path.to_owned(),
            kind,
            file,
        }),
        Err(error) => Err(cannot("write", path, &error)),
    }
}

impl Staged {
    /// Puts the new file in the old one's place.
    pub(crate) fn commit(self) -> Result<(), Failure> {
        commit_all(vec![self])
    }

    /// Puts the new file in place unless there is one already; `false` then.
    pub(crate) fn commit_if_absent(self) -> Result<bool, Failure> {
        let folder = folder(&self.path).to_owned();
        match self.file.persist_noclobber(&self.path) {
            Ok(_) => match sync(&folder) {
                Ok(()) => Ok(true),
                Err(error) => Err(cannot("write", &self.path, &error)),
            },
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(cannot("write", &self.path, &error.error)),
        }
    }
}

/// Puts all new files in the places of the old ones, then syncs each folder once. If one of the old
/// files must not be replaced, or one of the new ones cannot take its place, all old files are
/// where they were.
pub(crate) fn commit_all(staged: Vec<Staged>) -> Result<(), Failure> {
    for it in &staged {
        refuse_other(&it.path, it.kind)?;
    }
    let mut changed = BTreeMap::new();
    let mut placed = Vec::new();
    let mut failed = None;
    let mut left = staged.len();
    for Staged { path, file, .. } in staged {
        left -= 1;
        // After the last one, nothing can fail for which its old file would have to come back.
        let put = match left {
            0 => replace::put(file, &path),
            _ => Placed::put(file, &path).map(|it| placed.push(it)),
        };
        if let Err(error) = put {
            failed = Some(put_back(placed, cannot("write", &path, &error)));
            placed = Vec::new();
            break;
        }
        changed.entry(folder(&path).to_owned()).or_insert(path);
    }
    // The old files go.
    drop(placed);
    let synced = changed.into_iter().try_for_each(|(folder, path)| {
        sync(&folder).map_err(|error| cannot("write", &path, &error))
    });
    failed.map_or(synced, Err)
}

/// Puts the old files back. What is not as it was, the failure says.
fn put_back(placed: Vec<Placed>, failure: Failure) -> Failure {
    let undone = placed.into_iter().rev().map(Placed::undo);
    let other: Vec<String> = undone.filter_map(Result::err).collect();
    match other.is_empty() {
        true => failure,
        false => failure.hint(other.join("\n")),
    }
}

/// The folder that a path's last component lies in.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(unix)]
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}

pub(crate) fn cannot(verb: &str, path: &Path, error: &io::Error) -> Failure {
    let inner = error.get_ref();
    if inner.is_some_and(<dyn std::error::Error + Send + Sync>::is::<ReadBefore>) {
        return Failure::usage("stdin", ReadBefore.to_string()).about(path.display());
    }
    if verb == "read" && error.kind() == io::ErrorKind::IsADirectory {
        return folder_named(path);
    }
    // The innermost cause is the system's; what is around it names temporary files.
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let cause = cause.to_string();
    // The name of the temporary file, which `tempfile` adds.
    let cause = cause.split(" at path ").next().unwrap_or_default();
    let failure = Failure::environment(
        "io",
        &io::Error::new(error.kind(), format!("cannot {verb}: {cause}")),
    )
    .about(path.display());
    match remedy(error.kind()).filter(|_| verb != "read") {
        Some(remedy) => failure.hint(remedy),
        None => failure,
    }
}

/// What to do if a file cannot be written.
pub(crate) fn remedy(kind: io::ErrorKind) -> Option<&'static str> {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Some("the disk is full: make room, or name another place")
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            Some("you cannot write there: name another place")
        }
        io::ErrorKind::FileTooLarge => Some(
            "this is more than a file may have here: raise the limit where edgec is started (ulimit -f unlimited)",
        ),
        _ => None,
    }
}

/// What to do if a folder is named instead of a file.
pub(crate) const NAME_THE_FILES: &str = "this is a folder: name the files in it";

/// The failure of a folder where a file should be named.
fn folder_named(path: &Path) -> Failure {
    Failure::new(Exit::Rejected, "not-a-file", "not a regular file")
        .about(path.display())
        .hint(NAME_THE_FILES)
}
