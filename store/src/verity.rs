//! fs-verity: the kernel checks a file's pages against a digest whenever it reads them.
//!
//! Source: Linux, `Documentation/filesystems/fsverity.rst`, "FS_IOC_ENABLE_VERITY" and
//! "FS_IOC_MEASURE_VERITY"; `include/uapi/linux/fsverity.h`. It is enabled with the parameters of
//! the signed digest: SHA-256, 4096-byte blocks, no salt. The measured digest covers all of them,
//! and the length: equal digests mean equal parameters.
//!
//! `tests/verity` tests this on a kernel that has fs-verity.

use std::fs::File;
use std::io;

use edgec_verifier::VerityDigest;
use rustix::io::Errno;
use rustix::ioctl::{Opcode, Setter, Updater, ioctl, opcode};

/// `FS_VERITY_HASH_ALG_SHA256`.
const SHA256: u16 = 1;
const BLOCK_SIZE: u32 = 4096;

/// Explains an error for which the number alone, `EINVAL`, is not enough.
const REFUSED: &str = "the kernel has fs-verity for this file system, but refuses it with blocks \
     of 4096 bytes, which the signed digest needs (EINVAL): use a file system in blocks of 4096 \
     bytes, or one without the feature `verity`";

/// `FS_IOC_ENABLE_VERITY`.
const ENABLE: Opcode = opcode::write::<EnableArg>(b'f', 133);
/// `FS_IOC_MEASURE_VERITY`. Its number contains the size of the digest's head, without the room
/// after it.
const MEASURE: Opcode = opcode::read_write::<[u16; 2]>(b'f', 134);

/// `struct fsverity_enable_arg`.
#[repr(C)]
struct EnableArg {
    version: u32,
    hash_algorithm: u32,
    block_size: u32,
    salt_size: u32,
    salt: u64,
    signature_size: u32,
    reserved: u32,
    signature: u64,
    reserved_too: [u64; 11],
}

/// `struct fsverity_digest`, with room for the longest digest, SHA-512's.
#[repr(C)]
struct DigestArg {
    algorithm: u16,
    size: u16,
    digest: [u8; 64],
}

/// The result of [`enable`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Enabled {
    /// The kernel has taken the file: no process can write it any more, only delete it.
    Now,
    /// It was enabled before. [`measure`] tells the parameters and the digest.
    Before,
    /// A process has the file open for writing, or is just enabling it.
    Busy,
    /// The kernel or the file system does not support it.
    NotSupported,
}

/// The kernel's statement about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measured {
    /// The kernel does not check this file, or cannot check files in this file system.
    NotEnabled,
    /// The digest. With another salt, block size or length, it is another digest.
    Digest(VerityDigest),
    /// The kernel checks with another algorithm than SHA-256. In the numbers of the source, 2 is
    /// SHA-512.
    OtherAlgorithm(u16),
}

/// Asks the kernel to take the file as it is, and to check it from now on.
///
/// `file` is open for reading, and this process must be allowed to write it. The kernel reads the
/// whole file for this, and stores the hashes. They are on the disk when it returns.
///
/// # Errors
///
/// The kernel's errors, except those that [`Enabled`] has: no right to write the file, a read-only
/// file system, no space for the hashes, or a kernel that requires a signature of its own kind
/// (`fs.verity.require_signatures`). If the kernel refuses these parameters, that is an error too:
/// the kernel then has fs-verity, and going on without it would lose it silently.
pub(crate) fn enable(file: &File) -> io::Result<Enabled> {
    let argument = EnableArg {
        version: 1,
        hash_algorithm: SHA256.into(),
        block_size: BLOCK_SIZE,
        salt_size: 0,
        salt: 0,
        signature_size: 0,
        reserved: 0,
        signature: 0,
        reserved_too: [0; 11],
    };
    // SAFETY: the number belongs to an ioctl that reads an `fsverity_enable_arg`, and the type is
    // that structure. The kernel follows no pointer in it: both sizes are 0.
    let answer = unsafe { ioctl(file, Setter::<ENABLE, EnableArg>::new(argument)) };
    came_of(answer)
}

/// The meaning of the kernel's answer to [`enable`].
fn came_of(answer: rustix::io::Result<()>) -> io::Result<Enabled> {
    match answer {
        Ok(()) => Ok(Enabled::Now),
        Err(Errno::EXIST) => Ok(Enabled::Before),
        Err(Errno::TXTBSY | Errno::BUSY) => Ok(Enabled::Busy),
        // There is no such ioctl; fs-verity is not configured, or this file system lacks it; or the
        // kernel has no SHA-256.
        Err(Errno::NOTTY | Errno::OPNOTSUPP | Errno::NOPKG) => Ok(Enabled::NotSupported),
        // Pages, or blocks of the file system, are smaller than the blocks of the tree. Before
        // Linux 6.3, this also means pages of any other size.
        Err(Errno::INVAL) => Err(io::Error::new(io::ErrorKind::InvalidInput, REFUSED)),
        Err(error) => Err(error.into()),
    }
}

/// The digest by which the kernel checks the file. This reads no data and takes no time: the kernel
/// knows the digest since the file was opened.
///
/// # Errors
///
/// The kernel's errors, except those that [`Measured`] has.
pub(crate) fn measure(file: &File) -> io::Result<Measured> {
    let mut argument = DigestArg {
        algorithm: 0,
        size: 64,
        digest: [0; 64],
    };
    // SAFETY: the number belongs to an ioctl that reads and writes an `fsverity_digest`. The type
    // is that structure. `size` states the room after its head, and the kernel writes no more than
    // that.
    let answer = unsafe { ioctl(file, Updater::<MEASURE, DigestArg>::new(&mut argument)) };
    match answer {
        Ok(()) => Ok(argument.measured()),
        Err(Errno::NODATA | Errno::NOTTY | Errno::OPNOTSUPP) => Ok(Measured::NotEnabled),
        Err(error) => Err(error.into()),
    }
}

impl DigestArg {
    fn measured(&self) -> Measured {
        match (self.algorithm, self.size, self.digest.first_chunk()) {
            (SHA256, 32, Some(digest)) => Measured::Digest(VerityDigest(*digest)),
            (algorithm, ..) => Measured::OtherAlgorithm(algorithm),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of `linux/fsverity.h` on the usual architectures.
    #[test]
    fn the_numbers_are_the_kernels() {
        assert_eq!(ENABLE, 0x4080_6685);
        assert_eq!(MEASURE, 0xc004_6686);
        assert_eq!(size_of::<EnableArg>(), 128);
        assert_eq!(std::mem::offset_of!(EnableArg, salt), 16);
        assert_eq!(std::mem::offset_of!(EnableArg, signature), 32);
        assert_eq!(std::mem::offset_of!(DigestArg, digest), 4);
    }

    /// A memory file has no fs-verity, on any kernel.
    #[test]
    fn where_there_is_none() {
        let flags = rustix::fs::MemfdFlags::CLOEXEC;
        let file = File::from(rustix::fs::memfd_create("edgec-test", flags).unwrap());
        assert_eq!(enable(&file).unwrap(), Enabled::NotSupported);
        assert_eq!(measure(&file).unwrap(), Measured::NotEnabled);
        // This is not a file of any file system.
        let (reader, _writer) = std::io::pipe().unwrap();
        let pipe = File::from(std::os::fd::OwnedFd::from(reader));
        assert_eq!(enable(&pipe).unwrap(), Enabled::NotSupported);
        assert_eq!(measure(&pipe).unwrap(), Measured::NotEnabled);
    }

    #[test]
    fn parameters_that_the_kernel_refuses_are_an_error() {
        let error = came_of(Err(Errno::INVAL)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("4096 bytes"), "{error}");
        for errno in [Errno::NOTTY, Errno::OPNOTSUPP, Errno::NOPKG] {
            assert_eq!(came_of(Err(errno)).unwrap(), Enabled::NotSupported);
        }
        for errno in [Errno::ACCESS, Errno::NOSPC, Errno::ROFS, Errno::KEYREJECTED] {
            let error = came_of(Err(errno)).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(errno.raw_os_error()));
        }
    }

    #[test]
    fn what_the_kernel_cannot_do_is_an_error() {
        let handle = rustix::fs::open(
            "/",
            rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC,
            rustix::fs::Mode::empty(),
        );
        let handle = File::from(handle.unwrap());
        assert_eq!(
            enable(&handle).unwrap_err().raw_os_error(),
            Some(Errno::BADF.raw_os_error())
        );
        assert_eq!(
            measure(&handle).unwrap_err().raw_os_error(),
            Some(Errno::BADF.raw_os_error())
        );
    }

    #[test]
    fn only_sha_256_is_the_signed_digest() {
        let measured = |algorithm, size| {
            let mut argument = DigestArg {
                algorithm,
                size,
                digest: [0; 64],
            };
            argument.digest[..32].fill(7);
            argument.measured()
        };
        assert_eq!(measured(1, 32), Measured::Digest(VerityDigest([7; 32])));
        assert_eq!(measured(1, 31), Measured::OtherAlgorithm(1));
        assert_eq!(measured(2, 64), Measured::OtherAlgorithm(2));
        // Current kernels have no third algorithm.
        assert_eq!(measured(3, 32), Measured::OtherAlgorithm(3));
    }
}
