//! One folder of a store, by its descriptor: nothing in it is reached through a path that
//! somebody could bend.
//!
//! Source: `openat2(2)`, `RESOLVE_BENEATH` and `RESOLVE_NO_SYMLINKS`.

use std::ffi::CStr;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{
    AtFlags, Dir, Mode, OFlags, ResolveFlags, fchmod, fsync, mkdirat, openat, openat2, renameat,
    unlinkat,
};
use rustix::io::Errno;

use super::StoreError;

/// What everybody may do with a finished file: read it. Nobody may write it.
const FINISHED: Mode = Mode::from_raw_mode(0o444);
/// Folders are their owner's to change.
const FOLDER: Mode = Mode::from_raw_mode(0o755);
/// The longest release that is read, in bytes.
const MAX_SMALL_LEN: u64 = 1 << 20;

/// An open folder that only a trusted user can change.
#[derive(Debug)]
pub(crate) struct Folder {
    fd: OwnedFd,
    /// Its name, for messages.
    name: String,
}

impl Folder {
    /// Opens the folder at `path`, to which no one else leads or can write.
    pub(crate) fn root(path: &Path) -> Result<Self, StoreError> {
        let shown = path.display().to_string();
        let fails = |source: Errno| StoreError::io(&shown, source);
        let whole = path.canonicalize().map_err(|source| StoreError::Io {
            name: shown.clone(),
            source,
        })?;
        for above in whole.ancestors().skip(1) {
            let metadata = above.metadata().map_err(|source| StoreError::Io {
                name: above.display().to_string(),
                source,
            })?;
            judge_above(&above.display().to_string(), &metadata)?;
        }
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::open(&whole, flags, Mode::empty()).map_err(fails)?;
        let folder = Self { fd, name: shown };
        folder.judge()?;
        Ok(folder)
    }

    /// Opens a folder in this one.
    pub(crate) fn folder(&self, name: &str) -> Result<Self, StoreError> {
        let fd = self.open(name, OFlags::DIRECTORY | OFlags::RDONLY)?;
        let folder = Self {
            fd,
            name: self.name(name),
        };
        folder.judge()?;
        Ok(folder)
    }

    /// Opens a folder in this one, and makes it where there is none.
    pub(crate) fn folder_or_new(&self, name: &str) -> Result<Self, StoreError> {
        match mkdirat(&self.fd, name, FOLDER) {
            Ok(()) => self.sync()?,
            Err(Errno::EXIST) => {}
            Err(error) => return Err(self.fails(name, error)),
        }
        self.folder(name)
    }

    /// Opens a finished file: a regular one, of a trusted owner, that nobody may write and that
    /// has no other name.
    pub(crate) fn file(&self, name: &str) -> Result<(File, u64), StoreError> {
        let file = File::from(self.open(name, OFlags::RDONLY)?);
        let metadata = file.metadata().map_err(|source| StoreError::Io {
            name: self.name(name),
            source,
        })?;
        let name = || self.name(name);
        if !metadata.is_file() {
            return Err(StoreError::NotAFile { name: name() });
        }
        judge_owner(&name(), &metadata)?;
        if metadata.mode() & 0o222 != 0 {
            let mode = metadata.mode() & 0o7777;
            return Err(StoreError::Writable { name: name(), mode });
        }
        if metadata.nlink() != 1 {
            return Err(StoreError::Linked { name: name() });
        }
        Ok((file, metadata.len()))
    }

    /// Reads a short finished file.
    pub(crate) fn read(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        let (file, len) = self.file(name)?;
        if len > MAX_SMALL_LEN {
            let what = "it is too long";
            return Err(StoreError::damaged(self.name(name), what));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
        file.take(MAX_SMALL_LEN)
            .read_to_end(&mut bytes)
            .map_err(|source| StoreError::Io {
                name: self.name(name),
                source,
            })?;
        Ok(bytes)
    }

    /// A new file that only this process's user can open.
    pub(crate) fn create(&self, name: &str) -> Result<File, StoreError> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = openat(&self.fd, name, flags | OFlags::NOFOLLOW, mode);
        Ok(File::from(file.map_err(|error| self.fails(name, error))?))
    }

    /// Opens or makes a file that is there to be locked.
    pub(crate) fn lock(&self, name: &str) -> Result<File, StoreError> {
        let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = openat(&self.fd, name, flags | OFlags::NONBLOCK, mode);
        Ok(File::from(file.map_err(|error| self.fails(name, error))?))
    }

    /// Gives a file the mode of finished ones and waits until it is on the disk.
    pub(crate) fn finish(&self, name: &str, file: &File) -> Result<(), StoreError> {
        fchmod(file, FINISHED).map_err(|error| self.fails(name, error))?;
        fsync(file).map_err(|error| self.fails(name, error))
    }

    /// Moves `from` in `other` to `to` in this folder, in place of what is there, and waits until that is
    /// on the disk.
    pub(crate) fn take(&self, other: &Self, from: &str, to: &str) -> Result<(), StoreError> {
        renameat(&other.fd, from, &self.fd, to).map_err(|error| self.fails(to, error))?;
        self.sync()
    }

    /// Writes a short finished file in place of what is there, by way of `temporary`.
    pub(crate) fn replace(
        &self,
        temporary: &Self,
        name: &str,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let aside = Temporary::new(temporary)?;
        let written = (&aside.file).write_all(bytes);
        written.map_err(|source| StoreError::Io {
            name: self.name(name),
            source,
        })?;
        temporary.finish(&aside.name, &aside.file)?;
        aside.moved_to(self, name)
    }

    /// Removes a file, if it is there.
    pub(crate) fn remove(&self, name: &str) -> Result<(), StoreError> {
        match unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(self.fails(name, error)),
        }
    }

    /// Removes an empty folder.
    pub(crate) fn remove_folder(&self, name: &str) -> Result<(), StoreError> {
        unlinkat(&self.fd, name, AtFlags::REMOVEDIR).map_err(|error| self.fails(name, error))
    }

    /// Whether there is a file of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
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

    /// The name of something in here, for messages.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{}/{name}", self.name)
    }

    fn open(&self, name: &str, flags: OFlags) -> Result<OwnedFd, StoreError> {
        // A pipe would block on `open` until somebody writes to it.
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

    fn judge(&self) -> Result<(), StoreError> {
        let metadata =
            File::from(
                self.fd
                    .as_fd()
                    .try_clone_to_owned()
                    .map_err(|source| StoreError::Io {
                        name: self.name.clone(),
                        source,
                    })?,
            )
            .metadata()
            .map_err(|source| StoreError::Io {
                name: self.name.clone(),
                source,
            })?;
        judge_owner(&self.name, &metadata)?;
        if metadata.mode() & 0o022 != 0 {
            let mode = metadata.mode() & 0o7777;
            let name = self.name.clone();
            return Err(StoreError::Writable { name, mode });
        }
        Ok(())
    }

    fn fails(&self, name: &str, error: Errno) -> StoreError {
        let name = self.name(name);
        match error {
            Errno::LOOP | Errno::XDEV => StoreError::NotAFile { name },
            error => StoreError::io(&name, error),
        }
    }
}

/// A file in the making, which goes when it is not moved.
pub(crate) struct Temporary<'a> {
    folder: &'a Folder,
    name: String,
    pub(crate) file: File,
}

impl<'a> Temporary<'a> {
    pub(crate) fn new(folder: &'a Folder) -> Result<Self, StoreError> {
        // Of this process and moment; `create` refuses a name that is taken.
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let moment = since.map_or(0, |since| since.as_nanos());
        static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("{}.{moment}.{count}", std::process::id());
        let file = folder.create(&name)?;
        Ok(Self { folder, name, file })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Opens the file anew, for reading, and lets go of the descriptor that writes.
    pub(crate) fn reopened(mut self) -> Result<Self, StoreError> {
        self.file = File::from(self.folder.open(&self.name, OFlags::RDONLY)?);
        Ok(self)
    }

    /// Puts the file in its place.
    pub(crate) fn moved_to(self, folder: &Folder, name: &str) -> Result<(), StoreError> {
        folder.take(self.folder, &self.name, name)
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        // Moved, it is not there any more; else a collection takes what cannot be removed now.
        let _ = self.folder.remove(&self.name);
    }
}

/// The owner is this user or root: whoever that is could as well replace the program.
fn judge_owner(name: &str, metadata: &std::fs::Metadata) -> Result<(), StoreError> {
    let uid = metadata.uid();
    if uid == 0 || uid == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    let name = name.to_owned();
    Err(StoreError::Owner { name, uid })
}

/// A folder above the store: who can write it could put another store there, unless only
/// owners may move what is in it (the sticky bit).
fn judge_above(name: &str, metadata: &std::fs::Metadata) -> Result<(), StoreError> {
    judge_owner(name, metadata)?;
    let mode = metadata.mode() & 0o7777;
    if mode & 0o022 != 0 && mode & 0o1000 == 0 {
        let name = name.to_owned();
        return Err(StoreError::Writable { name, mode });
    }
    Ok(())
}
