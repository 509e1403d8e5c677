//! Errors of differences.

use std::io;

/// Why a difference cannot be made or applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DifferenceError {
    /// An image is too long: the limit is 4 GiB.
    #[error("an image of {length} bytes is too long for a difference")]
    TooLong {
        /// Its length in bytes.
        length: u64,
    },
    /// The compressor failed: it has too little memory.
    #[error("cannot compress the difference")]
    Compress(#[source] io::Error),
    /// The bytes are something else.
    #[error("this is not a difference between images")]
    NotADifference,
    /// A later edgec made it, in a way that this one does not know.
    #[error("the difference has version {version}, and this edgec reads version 1")]
    Version {
        /// The version.
        version: u8,
    },
    /// It was made against another base.
    #[error("the difference is from a base of {stated} bytes, and this base has {actual} bytes")]
    Base {
        /// The length of its base, in bytes.
        stated: u64,
        /// The length of the base that was given, in bytes.
        actual: u64,
    },
    /// It makes an image of another length than is expected.
    #[error("the difference makes {stated} bytes, and {expected} bytes are expected")]
    Length {
        /// The length that it states, in bytes.
        stated: u64,
        /// The length that the caller expects, in bytes.
        expected: u64,
    },
    /// It needs more memory than the caller allows.
    #[error("the difference needs {needs} bytes of memory, and {allowed} are allowed")]
    Memory {
        /// The memory that it needs, in bytes.
        needs: u64,
        /// The memory that is allowed, in bytes.
        allowed: u64,
    },
    /// Its content is damaged.
    #[error("the difference is damaged: {what}, after {made} bytes of the image")]
    Damaged {
        /// What is wrong.
        what: &'static str,
        /// How many bytes of the new image were made before.
        made: u64,
    },
    /// The difference cannot be read, or its compression is damaged.
    #[error("cannot read the difference, after {made} bytes of the image")]
    Read {
        /// How many bytes of the new image were made before.
        made: u64,
        /// What failed.
        source: io::Error,
    },
    /// The base cannot be read.
    #[error("cannot read the base of the difference")]
    ReadBase(#[source] io::Error),
    /// The new image cannot be written.
    #[error("cannot write the image, after {made} bytes")]
    Write {
        /// How many bytes of the new image were made before.
        made: u64,
        /// What failed.
        source: io::Error,
    },
}

impl DifferenceError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. }
            | Self::Base { .. }
            | Self::Memory { .. }
            | Self::NotADifference
            | Self::Version { .. }
            | Self::Length { .. }
            | Self::Damaged { .. } => "difference",
            Self::Compress(_) | Self::Read { .. } | Self::ReadBase(_) | Self::Write { .. } => "io",
        }
    }
}
