//! Bytes in a memory file that the kernel keeps as they are.
//!
//! Source: `memfd_create(2)`, `fcntl(2)` "File sealing". Sealed before anything looks at
//! them, against writing, shrinking, growing and further seals; the engine maps the same
//! file through `/proc`, so what was verified is what runs.

use std::fs::File;
use std::io::{self, Read as _};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use crate::LoadMode;
use crate::stable::StableFile;

/// What it guarantees.
pub(crate) const MODE: LoadMode = LoadMode::SealedMemfd;

/// Copies `len` bytes of `source` and seals the copy.
///
/// # Errors
///
/// What the kernel says; `UnexpectedEof` when the file became shorter meanwhile.
pub(crate) fn read(source: File, len: u64) -> io::Result<StableFile> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(memfd_create("edgec-artifact", flags)?);
    let copied = io::copy(&mut source.take(len), &mut file)?;
    if copied != len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    fcntl_add_seals(&file, seals)?;
    // SAFETY: the kernel holds the file to that for every process that has it open.
    unsafe { StableFile::new(file, len) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek as _, Write as _};
    use std::os::fd::AsRawFd as _;

    #[test]
    fn the_copy_cannot_be_changed() {
        let mut source = tempfile::tempfile().unwrap();
        source.write_all(b"as it was").unwrap();
        source.rewind().unwrap();
        let sealed = read(source.try_clone().unwrap(), 9).unwrap();
        source.rewind().unwrap();
        source.write_all(b"now other").unwrap();
        assert_eq!(&*sealed.view().unwrap(), b"as it was");

        let sealed = sealed.into_file();
        let path = format!("/proc/self/fd/{}", sealed.as_raw_fd());
        let mut again = File::options().write(true).open(path);
        if let Ok(file) = &mut again {
            assert!(file.write_all(b"x").is_err());
            assert!(file.set_len(0).is_err());
            assert!(file.set_len(100).is_err());
        }
        assert!(fcntl_add_seals(&sealed, SealFlags::empty()).is_err());
    }

    #[test]
    fn a_file_that_shrank_is_an_error() {
        let source = tempfile::tempfile().unwrap();
        let error = read(source, 9).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
