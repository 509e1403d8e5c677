//! Bytes in a memory file that the kernel keeps as they are.
//!
//! Source: `memfd_create(2)`, `fcntl(2)` "File sealing". Sealed before anything looks at
//! them, against writing, shrinking, growing and further seals; the engine maps the same
//! file through `/proc`, so what was verified is what runs.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::ptr::NonNull;

use edgec_verifier::VerifiedArtifact;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use wasmtime::component::Component;
use wasmtime::{Engine, Module, Result};

use crate::LoadMode;

/// A sealed memory file and a read-only view of it.
#[derive(Debug)]
pub(crate) struct SealedBytes {
    file: File,
    view: NonNull<u8>,
    len: usize,
}

impl SealedBytes {
    pub(crate) const MODE: LoadMode = LoadMode::SealedMemfd;

    /// Copies `len` bytes of `source` and seals the copy.
    ///
    /// # Errors
    ///
    /// What the kernel says; `UnexpectedEof` when the file became shorter meanwhile.
    pub(crate) fn read(source: File, len: u64) -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut file = File::from(memfd_create("edgec-artifact", flags)?);
        let copied = io::copy(&mut source.take(len), &mut file)?;
        if copied != len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        fcntl_add_seals(&file, seals)?;
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        Ok(Self {
            view: map(&file, len)?,
            file,
            len,
        })
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        // SAFETY: `view` is the start of a readable mapping of `len` bytes, or dangling
        // with `len` 0; it is unmapped only when `self` is dropped. Nobody can write the
        // bytes: the file has been sealed against that since before the mapping was made.
        unsafe { std::slice::from_raw_parts(self.view.as_ptr(), self.len) }
    }

    pub(crate) fn component(&self, engine: &Engine, _: &VerifiedArtifact<'_>) -> Result<Component> {
        // SAFETY: the engine wants a file that an engine of its own version wrote and that
        // stays as it is. A signer whom the caller trusts vouches for the first, which is
        // what the `VerifiedArtifact` proves; the seals are the second.
        unsafe { Component::deserialize_file(engine, self.path()) }
    }

    pub(crate) fn module(&self, engine: &Engine, _: &VerifiedArtifact<'_>) -> Result<Module> {
        // SAFETY: as in `component`.
        unsafe { Module::deserialize_file(engine, self.path()) }
    }

    /// A name for the open file itself. Of this thread's table of files, which a thread
    /// may have for itself alone.
    fn path(&self) -> String {
        format!("/proc/thread-self/fd/{}", self.file.as_raw_fd())
    }
}

fn map(file: &File, len: usize) -> io::Result<NonNull<u8>> {
    if len == 0 {
        return Ok(NonNull::dangling());
    }
    // SAFETY: a new mapping at an address that the kernel chooses touches no memory that
    // is in use.
    let view = unsafe {
        mmap(
            std::ptr::null_mut(),
            len,
            ProtFlags::READ,
            MapFlags::PRIVATE,
            file,
            0,
        )
    }?;
    NonNull::new(view.cast()).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}

impl Drop for SealedBytes {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: `view` and `len` are those of a mapping that this value made, and
            // no slice of it outlives `self`. Should unmapping fail, the memory stays.
            let _ = unsafe { munmap(self.view.as_ptr().cast(), self.len) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek as _, Write as _};

    #[test]
    fn the_copy_cannot_be_changed() {
        let mut source = tempfile::tempfile().unwrap();
        source.write_all(b"as it was").unwrap();
        source.rewind().unwrap();
        let bytes = SealedBytes::read(source.try_clone().unwrap(), 9).unwrap();
        source.rewind().unwrap();
        source.write_all(b"now other").unwrap();
        assert_eq!(bytes.as_slice(), b"as it was");

        let mut again = File::options().write(true).open(bytes.path());
        if let Ok(file) = &mut again {
            assert!(file.write_all(b"x").is_err());
            assert!(file.set_len(0).is_err());
            assert!(file.set_len(100).is_err());
        }
        assert!(fcntl_add_seals(&bytes.file, SealFlags::empty()).is_err());
    }

    #[test]
    fn a_file_that_shrank_is_an_error() {
        let source = tempfile::tempfile().unwrap();
        let error = SealedBytes::read(source, 9).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
