//! One folder of a store, by its descriptor: no file in it is reached through a path that another
//! user could redirect.
//!
//! Source: `openat2(2)`, `RESOLVE_BENEATH` and `RESOLVE_NO_SYMLINKS`.

use std::ffi::CStr;
use std::fs::{File, Metadata};
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, ResolveFlags, Stat, Statx, StatxFlags,
    fchmod, flock, fstat, fsync, mkdirat, openat, openat2, renameat, statat, statx, syncfs,
    unlinkat,
};
use rustix::io::Errno;

use super::temporary::{Temporary, unused_name};
use super::{StoreError, way};

/// The mode of a finished file: everyone may read it, and no user may write it.
const FINISHED: Mode = Mode::from_raw_mode(0o444);
/// The mode of a file that is there to be locked: a user who can open it can hold up the others.
const LOCK: Mode = Mode::from_raw_mode(0o600);
/// Folders are their owner's to change.
pub(super) const FOLDER: Mode = Mode::from_raw_mode(0o755);
/// How often a file is opened again that was replaced between its opening and a look at it.
const TRIES: usize = 8;
/// The longest release or envelope that is read, in bytes: no envelope that is admitted is longer.
const MAX_SMALL_LEN: u64 = edgec_verifier::MAX_ENVELOPE_LEN;

/// An open folder that only a trusted user can change.
#[derive(Debug)]
pub(crate) struct Folder {
    fd: OwnedFd,
    /// Its name, for messages.
    name: String,
}

impl Folder {
    /// Opens the folder at `path`, to which no other user leads or can write.
    pub(crate) fn root(path: &Path) -> Result<Self, StoreError> {
        let shown = path.display().to_string();
        let fails = |source: Errno| StoreError::io(&shown, source);
        let whole = way::judged(path)?;
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::open(&whole, flags, Mode::empty()).map_err(fails)?;
        let folder = Self { fd, name: shown };
        folder.judge()?;
        Ok(folder)
    }

    /// Opens the folder at `path`; makes it, and those above it, if there is none. Gives those
    /// that were made, each before those in it.
    pub(crate) fn root_or_new(path: &Path) -> Result<(Self, Vec<PathBuf>), StoreError> {
        match Self::root(path) {
            Err(error) if error.is_absence() => {
                let made = way::make(path).map_err(|error| {
                    let what = format!("cannot create: {error}");
                    let error = io::Error::new(error.kind(), what);
                    StoreError::io(path.display().to_string(), error)
                })?;
                match Self::root(path) {
                    Ok(root) => Ok((root, made)),
                    Err(error) => {
                        way::remove(&made);
                        Err(error)
                    }
                }
            }
            found => Ok((found?, Vec::new())),
        }
    }

    /// Opens a folder in this one.
    pub(crate) fn folder(&self, name: &str) -> Result<Self, StoreError> {
        let fd = self.open(name, OFlags::DIRECTORY | OFlags::RDONLY);
        let name = self.name(name);
        let fd = fd.map_err(|error| match error {
            StoreError::NotAFile { name } => StoreError::NotAFolder { name },
            StoreError::Io { name, source } if source.kind() == io::ErrorKind::NotADirectory => {
                StoreError::NotAFolder { name }
            }
            error => error,
        })?;
        let folder = Self { fd, name };
        folder.judge()?;
        Ok(folder)
    }

    /// Opens a folder in this one, and makes it if there is none.
    pub(crate) fn folder_or_new(&self, name: &str) -> Result<Self, StoreError> {
        match mkdirat(&self.fd, name, FOLDER) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(self.fails(name, error)),
        }
        // Also if it was there: the process that made it may have been stopped before it was on the
        // disk.
        self.sync()?;
        self.folder(name)
    }

    /// Opens a finished file: a regular one, of a trusted owner, that no user may write and that
    /// has no other name.
    pub(crate) fn file(&self, name: &str) -> Result<(File, u64), StoreError> {
        for _ in 0..TRIES {
            let file = File::from(self.open(name, OFlags::RDONLY)?);
            let metadata = file.metadata();
            let metadata = metadata.map_err(|error| StoreError::io(self.name(name), error))?;
            // Zero: replaced or removed since it was opened, which the next look tells.
            if metadata.nlink() > 0 {
                self.judge_file(name, &metadata)?;
                return Ok((file, metadata.len()));
            }
        }
        // It is there, and another each time.
        Err(StoreError::io(self.name(name), Errno::BUSY))
    }

    fn judge_file(&self, name: &str, metadata: &Metadata) -> Result<(), StoreError> {
        let name = || self.name(name);
        if !metadata.is_file() {
            return Err(StoreError::NotAFile { name: name() });
        }
        judge_finished(name, metadata.uid(), metadata.mode())?;
        if metadata.nlink() > 1 {
            return Err(StoreError::Linked { name: name() });
        }
        Ok(())
    }

    /// Reads a short finished file.
    pub(crate) fn read(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        self.read_open(name).map(|(bytes, _)| bytes)
    }

    /// Reads a short finished file; gives the open file as well.
    pub(crate) fn read_open(&self, name: &str) -> Result<(Vec<u8>, File), StoreError> {
        let (file, len) = self.file(name)?;
        if len > MAX_SMALL_LEN {
            let what = "it is too long";
            return Err(StoreError::damaged(self.name(name), what));
        }
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        (&file)
            .read_exact(&mut bytes)
            .map_err(|error| StoreError::io(self.name(name), error))?;
        Ok((bytes, file))
    }

    /// A new file that only this process's user can open.
    pub(crate) fn create(&self, name: &str) -> Result<File, StoreError> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = openat(&self.fd, name, flags | OFlags::NOFOLLOW, mode);
        Ok(File::from(file.map_err(|error| self.fails(name, error))?))
    }

    /// Waits for a lock; it is held until the file is dropped.
    pub(crate) fn locked(&self, name: &str, operation: FlockOperation) -> Result<File, StoreError> {
        let file = self.lock(name)?;
        loop {
            match flock(&file, operation) {
                Ok(()) => return Ok(file),
                // A signal came.
                Err(Errno::INTR) => {}
                Err(error) => return Err(self.fails(name, error)),
            }
        }
    }

    /// Opens or makes a file that is there to be locked. Takes from others the right to open it,
    /// which a copy of a store may give them.
    fn lock(&self, name: &str) -> Result<File, StoreError> {
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

    /// Whether users other than the owner and root can change a file that is there to be locked, if
    /// there is one of that name.
    pub(super) fn judge_lock_if_there(&self, name: &str) -> Result<(), StoreError> {
        match statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(facts) => judge_lock(|| self.name(name), &facts),
            Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(self.fails(name, error)),
        }
    }

    /// Gives a file the mode of finished ones and waits until it is on the disk.
    pub(crate) fn finish(&self, name: &str, file: &File) -> Result<(), StoreError> {
        fchmod(file, FINISHED).map_err(|error| self.fails(name, error))?;
        fsync(file).map_err(|error| self.fails(name, error))
    }

    /// Moves `from` in `other` to `to` in this folder, in place of what is there.
    pub(crate) fn take(&self, other: &Self, from: &str, to: &str) -> Result<(), StoreError> {
        renameat(&other.fd, from, &self.fd, to).map_err(|error| self.fails(to, error))
    }

    /// Writes a short finished file in place of what is there, by way of `temporary`, and waits
    /// until that is on the disk.
    pub(crate) fn replace(
        &self,
        temporary: &Self,
        name: &str,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        self.put(temporary, name, bytes)?;
        self.sync()
    }

    /// As [`Self::replace`]; that its name is on the disk, a sync of this folder waits for.
    pub(crate) fn put(&self, temporary: &Self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let aside = Temporary::new(temporary)?;
        let written = (&aside.file).write_all(bytes);
        written.map_err(|error| StoreError::io(self.name(name), error))?;
        temporary.finish(aside.name(), &aside.file)?;
        aside.moved_to(self, name)
    }

    /// Removes a file, if it is there.
    pub(crate) fn remove(&self, name: &str) -> Result<(), StoreError> {
        match unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(self.fails(name, error)),
        }
    }

    /// Removes a folder and the files in it, by way of `temporary`: other processes see all of them
    /// or none.
    pub(crate) fn remove_folder(&self, temporary: &Self, name: &str) -> Result<(), StoreError> {
        let aside = unused_name();
        match renameat(&self.fd, name, &temporary.fd, &aside) {
            Ok(()) => {
                self.sync()?;
                temporary.sync()?;
                // What cannot be removed now, a collection takes.
                let _ = temporary.clear(&aside);
                Ok(())
            }
            // A folder of a lower layer of an overlay stays where it is.
            Err(Errno::XDEV) => {
                self.clear(name)?;
                self.sync()
            }
            Err(error) => Err(self.fails(name, error)),
        }
    }

    /// Removes what is there, a file or a folder of files. A folder in that is nothing of a store's
    /// and stays; whether all went is the answer.
    pub(crate) fn clear(&self, name: &str) -> Result<bool, StoreError> {
        match unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => return Ok(true),
            Err(Errno::ISDIR | Errno::PERM) => {}
            Err(error) => return Err(self.fails(name, error)),
        }
        let folder = self.folder(name)?;
        for file in folder.names()? {
            match unlinkat(&folder.fd, &*file, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT | Errno::ISDIR) => {}
                Err(error) => return Err(folder.fails(&file, error)),
            }
        }
        match unlinkat(&self.fd, name, AtFlags::REMOVEDIR) {
            Ok(()) => Ok(true),
            Err(Errno::NOTEMPTY) => Ok(false),
            Err(error) => Err(self.fails(name, error)),
        }
    }

    /// The bytes that removing a file frees: 0 while it has another name. `None` if it is not a
    /// regular file.
    pub(crate) fn freed_without(&self, name: &str) -> Result<Option<u64>, StoreError> {
        let facts = statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW);
        let facts = facts.map_err(|error| self.fails(name, error))?;
        if !FileType::from_raw_mode(facts.st_mode).is_file() {
            return Ok(None);
        }
        let blocks = u64::try_from(facts.st_blocks).unwrap_or(0);
        Ok(Some(if facts.st_nlink == 1 { blocks * 512 } else { 0 }))
    }

    /// Which file has that name, if one has and the kernel says.
    pub(crate) fn identity(&self, name: &str) -> Option<Identity> {
        let facts = statx(
            &self.fd,
            name,
            AtFlags::SYMLINK_NOFOLLOW,
            StatxFlags::BASIC_STATS,
        );
        facts.ok().map(Identity)
    }

    /// Whether there is a file of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// The names in the folder, sorted; those that are no UTF-8 are nothing of a store's.
    pub(crate) fn names(&self) -> Result<Vec<String>, StoreError> {
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

    /// Waits until what was named, renamed or removed here is on the disk.
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        fsync(&self.fd).map_err(|error| self.fails(".", error))
    }

    /// Waits until everything of the file system that this folder is on is on the disk.
    pub(crate) fn sync_all(&self) -> Result<(), StoreError> {
        syncfs(&self.fd).map_err(|error| self.fails(".", error))
    }

    /// The name of something in here, for messages.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{}/{name}", self.name)
    }

    pub(crate) fn open(&self, name: &str, flags: OFlags) -> Result<OwnedFd, StoreError> {
        // A pipe would block on `open` until there is a writer.
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let resolve = ResolveFlags::BENEATH
            | ResolveFlags::NO_SYMLINKS
            | ResolveFlags::NO_MAGICLINKS
            | ResolveFlags::NO_XDEV;
        let opened = match openat2(&self.fd, name, flags, Mode::empty(), resolve) {
            // Where there is no `openat2`, or a filter keeps it away: names have one part, so that
            // `O_NOFOLLOW` says it all but for mounts, which are their owner's.
            Err(Errno::NOSYS | Errno::PERM) => openat(&self.fd, name, flags, Mode::empty()),
            answer => answer,
        };
        opened.map_err(|error| self.fails(name, error))
    }

    /// Whether only a trusted user can change a folder in this one.
    pub(crate) fn judge_inner(&self, name: &str) -> Result<(), StoreError> {
        let facts = statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW);
        let facts = facts.map_err(|error| self.fails(name, error))?;
        judge_folder(|| self.name(name), &facts)
    }

    /// Whether users other than the owner and root can change a finished file or a folder in this
    /// one, if there is one of that name. Whether it is what should be there is not asked.
    pub(crate) fn judge_if_there(&self, name: &str) -> Result<(), StoreError> {
        let facts = match statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(()),
            facts => facts.map_err(|error| self.fails(name, error))?,
        };
        let whole = || self.name(name);
        match FileType::from_raw_mode(facts.st_mode) {
            FileType::Directory => judge_folder(whole, &facts),
            FileType::RegularFile => judge_finished(whole, facts.st_uid, facts.st_mode),
            _ => Ok(()),
        }
    }

    /// Whether users other than the owner and root can change the folder.
    pub(crate) fn judge(&self) -> Result<(), StoreError> {
        let facts = fstat(&self.fd).map_err(|error| StoreError::io(&self.name, error))?;
        judge_folder(|| self.name.clone(), &facts)
    }

    fn fails(&self, name: &str, error: Errno) -> StoreError {
        let name = self.name(name);
        match error {
            // A link, a mount, a socket, a device that is not there.
            Errno::LOOP | Errno::XDEV | Errno::NXIO | Errno::NODEV => StoreError::NotAFile { name },
            error => StoreError::io(name, error),
        }
    }
}

/// What tells an open file from all others, and from itself before it was changed, renamed or given
/// to another user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity(Statx);

impl Identity {
    pub(crate) fn of(file: &File) -> Option<Self> {
        let facts = statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS);
        facts.ok().map(Self)
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        let place = |it: &Statx| (it.stx_dev_major, it.stx_dev_minor, it.stx_ino);
        let changed = |it: &Statx| (it.stx_ctime.tv_sec, it.stx_ctime.tv_nsec);
        let (one, other) = (&self.0, &other.0);
        place(one) == place(other)
            && changed(one) == changed(other)
            && (one.stx_mode, one.stx_uid) == (other.stx_mode, other.stx_uid)
    }
}

fn judge_folder(name: impl Fn() -> String, facts: &Stat) -> Result<(), StoreError> {
    judge_owner(&name, facts.st_uid)?;
    if facts.st_mode & 0o022 != 0 {
        return Err(StoreError::Writable {
            name: name(),
            mode: facts.st_mode & 0o7777,
            expected: FOLDER.bits(),
        });
    }
    Ok(())
}

/// Only the owner may write a file that is there to be locked.
fn judge_lock(name: impl Fn() -> String, facts: &Stat) -> Result<(), StoreError> {
    if !FileType::from_raw_mode(facts.st_mode).is_file() {
        return Err(StoreError::NotAFile { name: name() });
    }
    judge_owner(&name, facts.st_uid)?;
    if facts.st_mode & 0o022 != 0 {
        return Err(StoreError::Writable {
            name: name(),
            mode: facts.st_mode & 0o7777,
            expected: LOCK.bits(),
        });
    }
    match facts.st_nlink {
        0 | 1 => Ok(()),
        _ => Err(StoreError::Linked { name: name() }),
    }
}

/// No user may write a finished file.
pub(super) fn judge_finished(
    name: impl Fn() -> String,
    uid: u32,
    mode: u32,
) -> Result<(), StoreError> {
    judge_owner(&name, uid)?;
    if mode & 0o222 != 0 {
        return Err(StoreError::Writable {
            name: name(),
            mode: mode & 0o7777,
            expected: FINISHED.bits(),
        });
    }
    Ok(())
}

/// The owner must be this user or root, who could replace this program as well.
fn judge_owner(name: impl Fn() -> String, uid: u32) -> Result<(), StoreError> {
    if uid == 0 || uid == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    Err(StoreError::Owner { name: name(), uid })
}
