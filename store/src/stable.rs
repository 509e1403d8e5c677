//! Files whose bytes do not change.

use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::ops::Deref;
use std::os::fd::AsRawFd as _;
use std::ptr::NonNull;

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// An open file whose bytes no longer change.
#[derive(Debug)]
pub struct StableFile {
    file: File,
    len: usize,
}

impl StableFile {
    /// States that `file` has `len` bytes and does not change.
    ///
    /// # Safety
    ///
    /// Neither the file's first `len` bytes nor its length may change while the value exists, nor
    /// while a program exists that was loaded from it.
    ///
    /// # Errors
    ///
    /// The file does not fit into the address space.
    pub unsafe fn new(file: File, len: u64) -> io::Result<Self> {
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        Ok(Self { file, len })
    }

    /// The file.
    pub fn into_file(self) -> File {
        self.file
    }

    /// The bytes, in memory.
    ///
    /// # Errors
    ///
    /// The error of the kernel.
    pub fn view(&self) -> io::Result<View<'_>> {
        Ok(View {
            start: map(&self.file, self.len)?,
            len: self.len,
            of: PhantomData,
        })
    }

    /// A path of the open file itself. It uses this thread's table of files, since a thread can
    /// have a table of its own.
    pub fn path(&self) -> String {
        format!("/proc/thread-self/fd/{}", self.file.as_raw_fd())
    }
}

/// A read-only mapping of a [`StableFile`].
#[derive(Debug)]
pub struct View<'a> {
    start: NonNull<u8>,
    len: usize,
    of: PhantomData<&'a StableFile>,
}

impl Deref for View<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `start` is the start of a readable mapping of `len` bytes. If `len` is 0, it is
        // dangling. The mapping ends only when `self` is dropped. The bytes do not change: a
        // `StableFile` states that.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl Drop for View<'_> {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: `start` and `len` belong to a mapping that this value made, and no slice of
            // it outlives `self`. If unmapping fails, the memory stays mapped.
            let _ = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
        }
    }
}

fn map(file: &File, len: usize) -> io::Result<NonNull<u8>> {
    if len == 0 {
        return Ok(NonNull::dangling());
    }
    // SAFETY: a new mapping at an address that the kernel chooses touches no memory in use.
    let start = unsafe {
        mmap(
            std::ptr::null_mut(),
            len,
            ProtFlags::READ,
            MapFlags::PRIVATE,
            file,
            0,
        )
    }?;
    NonNull::new(start.cast()).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}
