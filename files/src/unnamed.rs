//! New files without a name: they are written piece by piece, and get a name when they are
//! complete.

use std::fs::File;
use std::io::{self, Read, Seek as _, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::aside::{Aside, Durability, NewMode, builder, mode_of_new};
use crate::sparse::write_sparse;
use crate::sync::folder_of;

/// How much is kept in memory before it is written, in bytes. Whole blocks of zeros become holes.
const CHUNK: usize = 128 << 10;

/// A new file without a name. No other user can open it. The kernel removes it when this process
/// ends, even if that is by a crash.
///
/// It is written from its beginning to its end, through [`Write`].
#[derive(Debug)]
pub struct Unnamed {
    file: File,
    /// What was taken and is not in the file yet.
    waiting: Vec<u8>,
    /// Length of the file in bytes, with what is waiting.
    length: u64,
}

impl Unnamed {
    /// A new, empty file in the file system of a folder. So a full disk is noticed while the file
    /// is written.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn new_in(folder: &Path) -> io::Result<Self> {
        Ok(Self {
            file: tempfile::tempfile_in(folder)?,
            waiting: Vec::with_capacity(CHUNK),
            length: 0,
        })
    }

    /// Its length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Throws away what was written.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn clear(&mut self) -> io::Result<()> {
        self.waiting.clear();
        self.length = 0;
        self.file.set_len(0)?;
        self.file.rewind()
    }

    /// What was written, from its beginning. More is added with [`Write`].
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn read(&mut self) -> io::Result<impl Read> {
        self.flush()?;
        self.file.rewind()?;
        Ok(&self.file)
    }

    /// A path that leads to the file, complete, in this process. It ends with this value.
    ///
    /// # Errors
    ///
    /// The system's error.
    #[cfg(target_os = "linux")]
    pub fn path(&mut self) -> io::Result<PathBuf> {
        self.flush()?;
        Ok(open_path(&self.file))
    }

    /// Gives the file the place beside the one at `path`, which it can replace then. Of the old
    /// file at `path`, this reads only the mode.
    ///
    /// # Errors
    ///
    /// The system's error. In that case, no new file remains.
    pub fn aside(
        mut self,
        path: &Path,
        mode: NewMode,
        durability: Durability,
    ) -> io::Result<Aside> {
        self.flush()?;
        // Before the file has a name: until then, no other user can open it.
        let permissions = mode_of_new(path, mode)?;
        self.file.set_permissions(permissions.clone())?;
        let linked = builder().make_in(folder_of(path), |at| {
            let file = self.file.try_clone()?;
            link(&file, at)?;
            Ok(file)
        });
        // Not every file system can give such a file a name.
        let file = match linked {
            Ok(file) => file,
            Err(_) => {
                let copy = self.copied(path)?;
                copy.as_file().set_permissions(permissions)?;
                copy
            }
        };
        Aside::complete(path, file, durability)
    }

    /// A copy with a name.
    fn copied(&mut self, path: &Path) -> io::Result<NamedTempFile> {
        let mut copy = builder().tempfile_in(folder_of(path))?;
        self.file.rewind()?;
        let mut chunk = Vec::with_capacity(CHUNK);
        loop {
            chunk.clear();
            (&self.file).take(CHUNK as u64).read_to_end(&mut chunk)?;
            if chunk.is_empty() {
                copy.as_file().set_len(self.length)?;
                return Ok(copy);
            }
            write_sparse(&chunk, copy.as_file_mut())?;
        }
    }
}

impl Write for Unnamed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.waiting.len() >= CHUNK {
            self.write_waiting()?;
        }
        let room = CHUNK.saturating_sub(self.waiting.len());
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.waiting.extend_from_slice(taken);
        self.length = self.length.saturating_add(taken.len() as u64);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_waiting()?;
        // A program may keep many complete files.
        self.waiting = Vec::new();
        // The end may be a hole.
        self.file.set_len(self.length)
    }
}

impl Unnamed {
    fn write_waiting(&mut self) -> io::Result<()> {
        let at = self.length.saturating_sub(self.waiting.len() as u64);
        self.file.seek(io::SeekFrom::Start(at))?;
        write_sparse(&self.waiting, &mut self.file)?;
        self.waiting.clear();
        Ok(())
    }
}

/// Gives a file its first name.
#[cfg(target_os = "linux")]
fn link(file: &File, path: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};
    Ok(linkat(
        CWD,
        open_path(file),
        CWD,
        path,
        AtFlags::SYMLINK_FOLLOW,
    )?)
}

/// The path of an open file in this process.
#[cfg(target_os = "linux")]
fn open_path(file: &File) -> PathBuf {
    use std::os::fd::AsRawFd as _;
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

#[cfg(not(target_os = "linux"))]
fn link(_: &File, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::put_all;

    fn filled(folder: &Path, pieces: &[&[u8]]) -> Unnamed {
        let mut file = Unnamed::new_in(folder).unwrap();
        for piece in pieces {
            file.write_all(piece).unwrap();
        }
        file
    }

    fn names(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    /// Longer than what is kept in memory, with holes at its beginning, middle and end.
    fn content() -> Vec<u8> {
        let mut bytes = vec![0; 3 * CHUNK + 77];
        bytes[5000..9000].fill(1);
        bytes[2 * CHUNK..2 * CHUNK + 10].fill(2);
        bytes
    }

    #[test]
    fn a_file_gets_its_name_when_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let content = content();
        let pieces: Vec<&[u8]> = content.chunks(10_007).collect();
        let mut file = filled(folder.path(), &pieces);
        assert_eq!(file.length(), content.len() as u64);
        assert_eq!(names(folder.path()), 0, "it has no name yet");
        let mut read = Vec::new();
        file.read().unwrap().read_to_end(&mut read).unwrap();
        assert!(read == content);
        file.write_all(b"and more").unwrap();
        let aside = file.aside(&path, NewMode::AsBefore, Durability::Rebuildable);
        put_all(vec![aside.unwrap()]).unwrap();
        let whole = [&content[..], b"and more"].concat();
        assert!(fs::read(&path).unwrap() == whole);
        assert_eq!(names(folder.path()), 1);
    }

    #[test]
    fn what_failed_is_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut file = filled(folder.path(), &[&content(), b"wrong"]);
        file.clear().unwrap();
        file.write_all(b"right").unwrap();
        let aside = file.aside(&path, NewMode::AsBefore, Durability::OnDisk);
        put_all(vec![aside.unwrap()]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"right");
    }

    /// The way for file systems that cannot name such a file.
    #[test]
    fn a_copy_has_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let content = content();
        let mut file = filled(folder.path(), &[&content]);
        file.flush().unwrap();
        let copy = file.copied(&folder.path().join("file")).unwrap();
        assert!(fs::read(copy.path()).unwrap() == content);
    }

    #[cfg(unix)]
    #[test]
    fn it_gets_the_mode_of_the_file_that_it_replaces() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mode = || path.metadata().unwrap().permissions().mode() & 0o777;
        fs::write(&path, "old").unwrap();
        for expected in [0o640, 0o604] {
            fs::set_permissions(&path, fs::Permissions::from_mode(expected)).unwrap();
            let file = filled(folder.path(), &[b"new"]);
            let aside = file.aside(&path, NewMode::AsBefore, Durability::Rebuildable);
            put_all(vec![aside.unwrap()]).unwrap();
            assert_eq!(mode(), expected);
        }
    }
}
