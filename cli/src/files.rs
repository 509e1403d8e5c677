//! Files: written completely or not at all, read with a bound, and the failures of both.

mod input;
mod output;
mod secret;
mod way;

use std::io;
use std::path::Path;

pub(crate) use edgec_files::NewFolders;
#[cfg(feature = "registry")]
use edgec_files::Unnamed;
use edgec_files::{Aside, Durability, FolderKind, NewMode, put_all, write_aside};

use crate::failure::{Exit, Failure};
use crate::file_kind::Wanted;
use crate::signals;
use crate::stdin::ReadBefore;
pub(crate) use crate::stdin::STDIN;

pub(crate) use input::{
    digest, read, read_artifact, read_attestation, read_log, read_public, read_sbom, read_short,
    read_text, unreadable,
};
pub(crate) use output::{
    exists, refuse_dash, refuse_existing, refuse_other, refuse_stdin_twice, refuse_unwritable,
    same, spare, spare_inputs,
};
pub(crate) use secret::{
    Sensitive, VARIABLE_PREFIX, is_for_owner, look_at_key, read_secret, refuse_place_of_key,
    refuse_shared_secret,
};
pub(crate) use way::remedy_of_way;

/// Writes a file of this kind under a temporary name in the same folder, and renames it. A reader
/// sees the old file or the new one, and a failure keeps the old one.
pub(crate) fn write(path: &Path, bytes: &[u8], kind: Wanted) -> Result<(), Failure> {
    signals::uninterrupted(|| stage(path, bytes, kind)?.commit())
}

/// A file that is complete and has not replaced the old file yet.
pub(crate) struct Staged {
    kind: Wanted,
    file: Aside,
}

/// Writes the new file beside the old one. Only its owner can read a private key. Another file gets
/// the old file's mode, or the mode that the process's umask gives. The old file is checked when
/// the new one replaces it.
pub(crate) fn stage(path: &Path, bytes: &[u8], kind: Wanted) -> Result<Staged, Failure> {
    let mode = match kind {
        Wanted::PrivateKey => NewMode::OwnerOnly,
        _ => NewMode::AsBefore,
    };
    match write_aside(path, bytes, mode, durability(kind)) {
        Ok(file) => Ok(Staged { kind, file }),
        Err(error) => Err(cannot("write", path, &error)),
    }
}

/// Like [`stage`], for a file that has its content and no name yet.
#[cfg(feature = "registry")]
pub(crate) fn name(path: &Path, content: Unnamed, kind: Wanted) -> Result<Staged, Failure> {
    match content.aside(path, NewMode::AsBefore, durability(kind)) {
        Ok(file) => Ok(Staged { kind, file }),
        Err(error) => Err(cannot("write", path, &error)),
    }
}

/// What edgec makes from other files can be made again, and its readers check it. Keys cannot be
/// made again. A policy can be what keeps a host from loading old artifacts.
fn durability(kind: Wanted) -> Durability {
    match kind {
        Wanted::Artifact
        | Wanted::DebugFile
        | Wanted::Attestation
        | Wanted::Sbom
        | Wanted::Report
        | Wanted::HostProfile
        | Wanted::ManualPage => Durability::Rebuildable,
        Wanted::Program
        | Wanted::Envelope
        | Wanted::Pae
        | Wanted::PolicyPae
        | Wanted::Policy
        | Wanted::SignedPolicy
        | Wanted::Project
        | Wanted::PublicKey
        | Wanted::PrivateKey
        | Wanted::Key => Durability::OnDisk,
    }
}

impl Staged {
    /// Replaces the old file.
    pub(crate) fn commit(self) -> Result<(), Failure> {
        commit_all(vec![self])
    }

    /// Puts the new file in place, unless a file is already there; then returns `false`.
    pub(crate) fn commit_if_absent(self) -> Result<bool, Failure> {
        let path = self.file.path().to_owned();
        let put = self.file.put_if_absent();
        put.map_err(|error| cannot("write", &path, &error))
    }
}

/// Replaces all old files with the new ones. If an old file must not be replaced, or a new one
/// cannot be put in place, all old files are put back.
pub(crate) fn commit_all(staged: Vec<Staged>) -> Result<(), Failure> {
    for it in &staged {
        refuse_other(it.file.path(), it.kind)?;
    }
    let files = staged.into_iter().map(|it| it.file).collect();
    put_all(files).map_err(|error| {
        let failure = cannot("write", &error.path, &error.source);
        match error.changed.is_empty() {
            true => failure,
            false => failure.hint(error.changed.join("\n")),
        }
    })
}

/// Makes a folder for outputs, and the missing folders above it.
pub(crate) fn make_folder(new: &mut NewFolders, path: &Path) -> Result<(), Failure> {
    let made = new.make(path, FolderKind::Outputs);
    made.map_err(|error| cannot("create", path, &error))
}

/// Makes a folder and the missing folders above it, for this user alone. edgec reads no key from a
/// folder in which others can replace it.
pub(crate) fn create_private(path: &Path) -> Result<(), Failure> {
    let mut new = NewFolders::default();
    match new.make(path, FolderKind::Private) {
        Ok(()) => {
            new.keep();
            Ok(())
        }
        Err(error) => Err(cannot("create", path, &error)),
    }
}

pub(crate) fn cannot(verb: &str, path: &Path, error: &io::Error) -> Failure {
    let inner = error.get_ref();
    if inner.is_some_and(<dyn std::error::Error + Send + Sync>::is::<ReadBefore>) {
        return Failure::usage("stdin", ReadBefore.to_string()).about(path.display());
    }
    if verb == "read" && error.kind() == io::ErrorKind::IsADirectory {
        return folder_named(path);
    }
    // The innermost cause is the system's. The outer ones name temporary files.
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let cause = cause.to_string();
    // Removes the name of the temporary file, which `tempfile` adds.
    let cause = cause.split(" at path ").next().unwrap_or_default();
    let failure = Failure::environment(
        "io",
        &io::Error::new(error.kind(), format!("cannot {verb}: {cause}")),
    )
    .in_file(path);
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

/// The failure for a folder in place of a file.
fn folder_named(path: &Path) -> Failure {
    Failure::new(Exit::Rejected, "not-a-file", "not a regular file")
        .in_file(path)
        .hint(NAME_THE_FILES)
}
