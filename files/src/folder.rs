//! An open folder. Files in it are reached through its descriptor, so that no other user can
//! redirect a path.
//!
//! Source: `openat2(2)`, `RESOLVE_BENEATH` and `RESOLVE_NO_SYMLINKS`.

mod change;
mod identity;
mod judge;
mod temporary;

use std::ffi::CStr;
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{
    AtFlags, Dir, Mode, OFlags, ResolveFlags, fchmod, fstat, mkdirat, openat, openat2, statat,
};
use rustix::io::Errno;

use crate::bounded::{BoundError, read_bounded};
use crate::folder_error::FolderError;
use crate::lock::{Hold, try_lock, wait_for_lock};
use crate::new_folders::{FOLDER_MODE, FolderKind, NewFolders};
use crate::way;

pub use self::identity::Identity;
use self::judge::{judge_finished, judge_lock};
pub use self::temporary::{Temporary, is_temporary_name};

/// The mode of a finished file: everyone may read it, and no user may write it.
const FINISHED: Mode = Mode::from_raw_mode(0o444);
/// The mode of a lock file. If another user could open it, that user could block all others.
const LOCK: Mode = Mode::from_raw_mode(0o600);
/// The mode of a folder: only its owner can change it.
const FOLDER: Mode = Mode::from_raw_mode(FOLDER_MODE);
/// How often a file is opened again if it is replaced between the opening and the check.
const TRIES: usize = 8;

/// An open folder that only a trusted user can change.
#[derive(Debug)]
pub struct Folder {
    fd: OwnedFd,
    /// The folder's name, for messages.
    name: String,
}

impl Folder {
    /// Opens the folder at `path`. No other user may be able to redirect the path or to write in
    /// the folder.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn root(path: &Path) -> Result<Self, FolderError> {
        let shown = path.display().to_string();
        let fails = |source: Errno| FolderError::io(&shown, source);
        let whole = way::end(path).map_err(|error| FolderError::of_way(path, error))?;
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::open(&whole, flags, Mode::empty()).map_err(fails)?;
        let folder = Self { fd, name: shown };
        folder.judge()?;
        Ok(folder)
    }

    /// Opens the folder at `path`. If it does not exist, makes it and the missing folders above it.
    /// Also returns the folders that it made.
    ///
    /// # Errors
    ///
    /// [`FolderError`]. In that case, no new folder remains.
    pub fn root_or_new(path: &Path) -> Result<(Self, NewFolders), FolderError> {
        let mut made = NewFolders::default();
        match Self::root(path) {
            Err(error) if error.is_absence() => {
                made.make(path, FolderKind::Durable).map_err(|error| {
                    let what = format!("cannot create: {error}");
                    let error = io::Error::new(error.kind(), what);
                    FolderError::io(path.display().to_string(), error)
                })?;
                Ok((Self::root(path)?, made))
            }
            found => Ok((found?, made)),
        }
    }

    /// Opens a folder in this one.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn folder(&self, name: &str) -> Result<Self, FolderError> {
        let fd = self.open(name, OFlags::DIRECTORY | OFlags::RDONLY);
        let name = self.name(name);
        let fd = fd.map_err(|error| match error {
            FolderError::NotAFile { name } => FolderError::NotAFolder { name },
            FolderError::Io { name, source } if source.kind() == io::ErrorKind::NotADirectory => {
                FolderError::NotAFolder { name }
            }
            error => error,
        })?;
        let folder = Self { fd, name };
        folder.judge()?;
        Ok(folder)
    }

    /// Opens a folder in this one, and makes it if it does not exist.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn folder_or_new(&self, name: &str) -> Result<Self, FolderError> {
        match mkdirat(&self.fd, name, FOLDER) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(self.fails(name, error)),
        }
        // Also if it existed: the process that made it may have stopped before it was on disk.
        self.sync()?;
        self.folder(name)
    }

    /// Opens a finished file and returns its length. It must be a regular file of a trusted owner,
    /// without another name, and no user may write it.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn file(&self, name: &str) -> Result<(File, u64), FolderError> {
        for _ in 0..TRIES {
            let file = File::from(self.open(name, OFlags::RDONLY)?);
            let metadata = file.metadata();
            let metadata = metadata.map_err(|error| FolderError::io(self.name(name), error))?;
            // Zero means that it was replaced or removed since it was opened. The next attempt
            // shows which.
            if metadata.nlink() > 0 {
                self.judge_file(name, &metadata)?;
                return Ok((file, metadata.len()));
            }
        }
        // The file exists, but was replaced at each attempt.
        Err(FolderError::io(self.name(name), Errno::BUSY))
    }

    fn judge_file(&self, name: &str, metadata: &Metadata) -> Result<(), FolderError> {
        let name = || self.name(name);
        if !metadata.is_file() {
            return Err(FolderError::NotAFile { name: name() });
        }
        judge_finished(name, metadata.uid(), metadata.mode())?;
        if metadata.nlink() > 1 {
            return Err(FolderError::Linked { name: name() });
        }
        Ok(())
    }

    /// Reads a finished file of at most `most` bytes.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn read(&self, name: &str, most: u64) -> Result<Vec<u8>, FolderError> {
        self.read_open(name, most).map(|(bytes, _)| bytes)
    }

    /// Like [`Self::read`], but also returns the open file.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn read_open(&self, name: &str, most: u64) -> Result<(Vec<u8>, File), FolderError> {
        let (file, len) = self.file(name)?;
        let too_long = || FolderError::TooLong {
            name: self.name(name),
        };
        if len > most {
            return Err(too_long());
        }
        let fails = |error: io::Error| FolderError::io(self.name(name), error);
        let bytes = read_bounded((&file).take(len), len, len).map_err(|error| match error {
            BoundError::Io(error) => fails(error),
            BoundError::TooLong { .. } => too_long(),
        })?;
        // It became shorter since it was opened.
        if bytes.len() as u64 != len {
            return Err(fails(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok((bytes, file))
    }

    /// Creates a new file that only this process's user can open.
    pub(crate) fn create(&self, name: &str) -> Result<File, FolderError> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = openat(&self.fd, name, flags | OFlags::NOFOLLOW, mode);
        Ok(File::from(file.map_err(|error| self.fails(name, error))?))
    }

    /// Waits for a lock, which is held until the file is dropped.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn locked(&self, name: &str, hold: Hold) -> Result<File, FolderError> {
        let file = self.lock(name)?;
        wait_for_lock(&file, hold).map_err(|error| FolderError::io(self.name(name), error))?;
        Ok(file)
    }

    /// Like [`Self::locked`], but only if the lock is free now.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn try_locked(&self, name: &str, hold: Hold) -> Result<Option<File>, FolderError> {
        let file = self.lock(name)?;
        let held = try_lock(&file, hold);
        let held = held.map_err(|error| FolderError::io(self.name(name), error))?;
        Ok(held.then_some(file))
    }

    /// Opens or makes a lock file. Removes other users' right to open it, which they may have after
    /// the folder was copied.
    fn lock(&self, name: &str) -> Result<File, FolderError> {
        let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = openat(&self.fd, name, flags | OFlags::NONBLOCK, LOCK);
        let file = File::from(file.map_err(|error| self.fails(name, error))?);
        let facts = fstat(&file).map_err(|error| self.fails(name, error))?;
        judge_lock(|| self.name(name), &facts)?;
        let ours = facts.st_uid == rustix::process::geteuid().as_raw();
        if ours && facts.st_mode & 0o077 != 0 {
            fchmod(&file, LOCK).map_err(|error| self.fails(name, error))?;
        }
        Ok(file)
    }

    /// Whether a file of that name exists.
    pub fn has(&self, name: &str) -> bool {
        statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// The names in the folder, sorted, without those that are not UTF-8.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn names(&self) -> Result<Vec<String>, FolderError> {
        let mut names = Vec::new();
        let fails = |error| self.fails(".", error);
        for entry in Dir::read_from(&self.fd).map_err(fails)? {
            let entry = entry.map_err(fails)?;
            let name: &CStr = entry.file_name();
            let real = !matches!(name.to_bytes(), b"." | b"..");
            if let (true, Ok(name)) = (real, name.to_str()) {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The full name of a file or folder in this folder, for messages.
    pub fn name(&self, name: &str) -> String {
        format!("{}/{name}", self.name)
    }

    /// Opens a regular file for reading, whatever its owner and mode.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn open_unjudged(&self, name: &str) -> Result<File, FolderError> {
        Ok(File::from(self.open(name, OFlags::RDONLY)?))
    }

    fn open(&self, name: &str, flags: OFlags) -> Result<OwnedFd, FolderError> {
        // A pipe without a writer would block `open`.
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let resolve = ResolveFlags::BENEATH
            | ResolveFlags::NO_SYMLINKS
            | ResolveFlags::NO_MAGICLINKS
            | ResolveFlags::NO_XDEV;
        let opened = match openat2(&self.fd, name, flags, Mode::empty(), resolve) {
            // There is no `openat2`, or a filter forbids it. Names have one part, so `O_NOFOLLOW`
            // does the same, except for mounts, which only the folder's owner could make.
            Err(Errno::NOSYS | Errno::PERM) => openat(&self.fd, name, flags, Mode::empty()),
            answer => answer,
        };
        opened.map_err(|error| self.fails(name, error))
    }

    fn fails(&self, name: &str, error: Errno) -> FolderError {
        let name = self.name(name);
        match error {
            // A link, a mount, a socket, or a device that does not exist.
            Errno::LOOP | Errno::XDEV | Errno::NXIO | Errno::NODEV => {
                FolderError::NotAFile { name }
            }
            error => FolderError::io(name, error),
        }
    }
}
