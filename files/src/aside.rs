//! Files that are written aside, and then replace the old files together: all of them, or none.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, PathPersistError, TempPath};

use crate::sparse::write_sparse;
use crate::sync::{folder_of, sync_folder};

/// The mode that a new file gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewMode {
    /// The old file's mode. If there is no old file, the process's umask decides.
    AsBefore,
    /// Only the owner can read and write the file.
    OwnerOnly,
}

/// What a crash of the machine may do to a new file. A crash of this process never leaves a part of
/// a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing: the file and its name are on disk before the call returns.
    OnDisk,
    /// It may lose or cut the file, as it may with any compiler's output. This is for files that
    /// can be made again, and that every reader checks: waiting for the disk takes longer than many
    /// builds. A full disk is still reported.
    Rebuildable,
}

/// A new file that is complete and has not replaced the old file yet. It is removed when this value
/// is dropped.
#[derive(Debug)]
pub struct Aside {
    path: PathBuf,
    file: NamedTempFile,
    durability: Durability,
}

/// Why files were not put in place.
#[derive(Debug, thiserror::Error)]
#[error("cannot write `{}`", .path.display())]
#[non_exhaustive]
pub struct PutError {
    /// The first file that could not be put in place.
    pub path: PathBuf,
    /// The system's error.
    pub source: io::Error,
    /// What has changed nevertheless, one sentence for each change.
    pub changed: Vec<String>,
}

/// Writes a new file beside the one at `path`. Blocks of zeros become holes. Of the old file at
/// `path`, this reads only the mode.
///
/// # Errors
///
/// The system's error. In that case, no new file remains.
pub fn write_aside(
    path: &Path,
    bytes: &[u8],
    mode: NewMode,
    durability: Durability,
) -> io::Result<Aside> {
    let mut builder = builder();
    set_mode(&mut builder, path, mode);
    let mut file = builder.tempfile_in(folder_of(path))?;
    write_sparse(bytes, file.as_file_mut())?;
    file.as_file().set_len(bytes.len() as u64)?;
    Aside::complete(path, file, durability)
}

/// Makes files with a temporary name.
pub(crate) fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".edgec-");
    builder
}

/// The mode of the new file at `path`: only a file that is made tells what the umask leaves.
pub(crate) fn mode_of_new(path: &Path, mode: NewMode) -> io::Result<fs::Permissions> {
    let mut builder = builder();
    set_mode(&mut builder, path, mode);
    let made = builder.tempfile_in(folder_of(path))?;
    Ok(made.as_file().metadata()?.permissions())
}

/// Whether the file system reserves the room for bytes when they are written, and so reports a full
/// disk at once. Others, such as NFS, may report it only when the file is synced.
///
/// Source: `statfs(2)`.
#[cfg(target_os = "linux")]
fn reports_when_written(file: &fs::File) -> bool {
    const EXT4: u32 = 0xef53;
    const XFS: u32 = 0x5846_5342;
    const BTRFS: u32 = 0x9123_683e;
    const F2FS: u32 = 0xf2f5_2010;
    const TMPFS: u32 = 0x0102_1994;
    // Its upper layer is always one of the others.
    const OVERLAY: u32 = 0x794c_7630;
    let system = rustix::fs::fstatfs(file).ok();
    let kind = system.and_then(|it| u32::try_from(it.f_type).ok());
    kind.is_some_and(|kind| [EXT4, XFS, BTRFS, F2FS, TMPFS, OVERLAY].contains(&kind))
}

#[cfg(not(target_os = "linux"))]
fn reports_when_written(_: &fs::File) -> bool {
    false
}

#[cfg(unix)]
fn set_mode(builder: &mut tempfile::Builder<'_, '_>, path: &Path, mode: NewMode) {
    use std::os::unix::fs::PermissionsExt as _;
    let replaced = || fs::metadata(path).map(|old| old.permissions().mode() & 0o777);
    let mode = match mode {
        NewMode::OwnerOnly => 0o600,
        NewMode::AsBefore => replaced().unwrap_or(0o666),
    };
    builder.permissions(fs::Permissions::from_mode(mode));
}

#[cfg(not(unix))]
fn set_mode(_: &mut tempfile::Builder<'_, '_>, _: &Path, _: NewMode) {}

impl Aside {
    /// A file that has all its bytes.
    pub(crate) fn complete(
        path: &Path,
        file: NamedTempFile,
        durability: Durability,
    ) -> io::Result<Self> {
        if durability == Durability::OnDisk || !reports_when_written(file.as_file()) {
            file.as_file().sync_all()?;
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            durability,
        })
    }

    /// The path that the file will get.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the new file in place, unless a file is already there; then returns `false`.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn put_if_absent(self) -> io::Result<bool> {
        match self.file.persist_noclobber(&self.path) {
            Ok(_) if self.durability == Durability::Rebuildable => Ok(true),
            Ok(_) => sync_folder(folder_of(&self.path)).map(|()| true),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error.error),
        }
    }
}

/// Replaces all old files with the new ones, then syncs once each folder of a file that must be on
/// disk.
///
/// # Errors
///
/// [`PutError`]. If one of the new files cannot be put in place, all old files are put back, except
/// for those that the error names.
pub fn put_all(files: Vec<Aside>) -> Result<(), PutError> {
    let mut changed = BTreeMap::new();
    let mut placed = Vec::new();
    let mut failed = None;
    let mut left = files.len();
    for Aside {
        path,
        file,
        durability,
    } in files
    {
        left -= 1;
        // If this is the last file, nothing can fail later, so its old file is not needed again.
        let put = match left {
            0 => put(file, &path),
            _ => Placed::put(file, &path).map(|it| placed.push(it)),
        };
        if let Err(source) = put {
            failed = Some(PutError {
                path,
                source,
                changed: put_back(placed),
            });
            placed = Vec::new();
            break;
        }
        if durability == Durability::OnDisk {
            changed.entry(folder_of(&path).to_owned()).or_insert(path);
        }
    }
    // This removes the old files.
    drop(placed);
    let synced = changed.into_iter().try_for_each(|(folder, path)| {
        sync_folder(&folder).map_err(|source| PutError {
            path,
            source,
            changed: Vec::new(),
        })
    });
    failed.map_or(synced, Err)
}

/// Puts the old files back. Returns what could not be restored.
fn put_back(placed: Vec<Placed>) -> Vec<String> {
    let undone = placed.into_iter().rev().map(Placed::undo);
    undone.filter_map(Result::err).collect()
}

/// A new file in its place. The old file can be put back until this is dropped, which removes it.
struct Placed {
    path: PathBuf,
    old: Old,
}

/// Where the old file is.
enum Old {
    /// There was no old file.
    Absent,
    /// Under a temporary name.
    Kept(TempPath),
    /// Replaced: the file system can neither exchange two files nor give a file a second name.
    Gone,
}

impl Placed {
    fn put(file: NamedTempFile, path: &Path) -> io::Result<Self> {
        let placed = |old| {
            let path = path.to_owned();
            Self { path, old }
        };
        if path.symlink_metadata().is_err() {
            put(file, path)?;
            return Ok(placed(Old::Absent));
        }
        if exchange(file.path(), path).is_ok() {
            return Ok(placed(Old::Kept(file.into_temp_path())));
        }
        // If this fails for another reason than the file system, renaming fails too and returns the
        // error.
        let kept = second_name(path, file.path());
        put(file, path)?;
        Ok(placed(kept.map_or(Old::Gone, Old::Kept)))
    }

    /// Puts the old file back. If that fails, says which file is there instead.
    fn undo(self) -> Result<(), String> {
        let Self { path, old } = self;
        let shown = path.display();
        match old {
            Old::Absent => fs::remove_file(&path)
                .map_err(|error| format!("the new {shown} cannot be removed again: {error}")),
            Old::Kept(old) => old
                .persist(&path)
                .map_err(|PathPersistError { error, path }| match path.keep() {
                    Ok(kept) => format!("the old {shown} is now {}: {error}", kept.display()),
                    Err(_) => format!("the old {shown} is lost: {error}"),
                }),
            Old::Gone => Err(format!("{shown} is new, and the old file is gone")),
        }
    }
}

/// Replaces an old file with a new one, for good.
fn put(file: NamedTempFile, path: &Path) -> io::Result<()> {
    match file.persist(path) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.error),
    }
}

/// Exchanges the names of two files, atomically.
#[cfg(target_os = "linux")]
fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

#[cfg(not(target_os = "linux"))]
fn exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Gives a file a second name, derived from that of a temporary file.
fn second_name(path: &Path, temporary: &Path) -> Option<TempPath> {
    let mut name = temporary.as_os_str().to_owned();
    name.push(".old");
    fs::hard_link(path, &name).ok()?;
    TempPath::try_from_path(name).ok()
}

#[cfg(test)]
mod tests;
