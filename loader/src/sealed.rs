//! Bytes in a memory file that the kernel protects from changes.
//!
//! Source: `memfd_create(2)`, `fcntl(2)` "File sealing"; Linux,
//! `Documentation/userspace-api/mfd_noexec.rst`. Before any code looks at the bytes, the file is
//! sealed against writing, shrinking, growing and further seals. The engine maps the same file
//! through `/proc`, so the verified bytes are the bytes that run.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;

use edgec_store::StableFile;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::Errno;

use crate::LoadMode;

/// The load mode of these bytes.
pub(crate) const MODE: LoadMode = LoadMode::SealedMemfd;

/// Copies `len` bytes of `source` and seals the copy.
///
/// # Errors
///
/// The kernel's error; `UnexpectedEof` if there are fewer bytes, for example because the file
/// became shorter meanwhile.
pub(crate) fn read(source: impl Read, len: u64) -> io::Result<StableFile> {
    let mut file = memory_file(|flags| memfd_create("edgec-artifact", flags))?;
    let copied = io::copy(&mut source.take(len), &mut file)?;
    if copied != len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    fcntl_add_seals(&file, seals)?;
    // SAFETY: the kernel enforces the seals for every process that has the file open.
    unsafe { StableFile::new(file, len) }
}

/// A memory file that can be sealed, and that no process can execute as a program. Code in it can
/// still be mapped for execution. With `vm.memfd_noexec=2` the kernel gives no other memory files:
/// it refuses `MFD_EXEC`, and before Linux 6.6 also a file with neither flag.
fn memory_file(create: impl Fn(MemfdFlags) -> rustix::io::Result<OwnedFd>) -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let made = match create(flags | MemfdFlags::NOEXEC_SEAL) {
        // The kernel is older than Linux 6.3, which does not know the flag.
        Err(Errno::INVAL) => create(flags),
        made => made,
    };
    Ok(File::from(made?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::io::{Seek as _, Write as _};
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::PermissionsExt as _;

    use rustix::fs::fcntl_get_seals;
    use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

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
    fn the_copy_cannot_be_executed_and_can_be_mapped_for_it() {
        let mut source = tempfile::tempfile().unwrap();
        source.write_all(&[0xc3; 4096]).unwrap();
        source.rewind().unwrap();
        let sealed = read(source, 4096).unwrap().into_file();
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::NOEXEC_SEAL;
        let known = memfd_create("edgec-test", flags).is_ok();
        let mode = sealed.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o111 == 0, known, "{mode:o}");
        let seals = fcntl_get_seals(&sealed).unwrap();
        assert_eq!(seals.contains(SealFlags::EXEC), known, "{seals:?}");

        let protection = ProtFlags::READ | ProtFlags::EXEC;
        // SAFETY: the mapping is new, at a place that the kernel chooses.
        let mapped = unsafe {
            mmap(
                std::ptr::null_mut(),
                4096,
                protection,
                MapFlags::PRIVATE,
                &sealed,
                0,
            )
        };
        let mapped = mapped.unwrap();
        // SAFETY: this is the same mapping, and nothing refers to it.
        let unmapped = unsafe { munmap(mapped, 4096) };
        unmapped.unwrap();
    }

    #[test]
    fn an_older_kernel_is_asked_without_the_flag_that_it_does_not_know() {
        let asked = RefCell::new(Vec::new());
        let old = |flags: MemfdFlags| {
            asked.borrow_mut().push(flags);
            match flags.contains(MemfdFlags::NOEXEC_SEAL) {
                true => Err(Errno::INVAL),
                false => memfd_create("edgec-test", flags),
            }
        };
        memory_file(old).unwrap();
        let sealable = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let expected = [sealable | MemfdFlags::NOEXEC_SEAL, sealable];
        assert_eq!(*asked.borrow(), expected);
    }

    #[test]
    fn another_error_of_the_kernel_is_an_error() {
        for errno in [Errno::ACCESS, Errno::MFILE, Errno::NOMEM, Errno::NOSYS] {
            let asked = RefCell::new(0);
            let refuse = |_| {
                *asked.borrow_mut() += 1;
                Err(errno)
            };
            let error = memory_file(refuse).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(errno.raw_os_error()));
            assert_eq!(*asked.borrow(), 1);
        }
    }

    #[test]
    fn a_file_that_shrank_is_an_error() {
        let source = tempfile::tempfile().unwrap();
        let error = read(source, 9).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
