//! A file that takes exactly the bytes that were signed.

use std::io::{self, Write};

use edgec_artifact::Sha256Digest;
use edgec_files::Unnamed;
use sha2::{Digest as _, Sha256};

use super::super::pull_error::PullError;
use super::Wanted;

/// A file under a limit. What is written is hashed.
pub(super) struct Checked<'f> {
    into: &'f mut Unnamed,
    hasher: Sha256,
    length: u64,
    most: u64,
    /// Whether more came than the limit.
    is_full: bool,
    /// Whether the file did not take the bytes.
    has_failed: bool,
}

impl<'f> Checked<'f> {
    pub(super) fn new(into: &'f mut Unnamed, most: u64) -> Self {
        Self {
            into,
            hasher: Sha256::new(),
            length: 0,
            most,
            is_full: false,
            has_failed: false,
        }
    }

    /// Compares what was written with what was signed.
    pub(super) fn end(mut self, wanted: &Wanted<'_>) -> Result<(), PullError> {
        if let Err(source) = self.flush() {
            return Err(self.failure(wanted, source));
        }
        let what = || format!("the image for {}", wanted.fits);
        if self.length != self.most {
            return Err(PullError::Length {
                what: what(),
                found: self.length,
                wanted: self.most,
            });
        }
        let found = Sha256Digest(self.hasher.finalize().into());
        let signed = wanted.image.sha256;
        match found == signed {
            true => Ok(()),
            false => Err(PullError::OtherBytes {
                fits: wanted.fits.clone(),
                found,
                signed,
            }),
        }
    }

    /// Whether the file did not take the bytes, for example because the disk is full.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// The error of a writer in front of this file.
    pub(super) fn failure(&self, wanted: &Wanted<'_>, source: io::Error) -> PullError {
        let what = format!("the image for {}", wanted.fits);
        if self.is_full {
            return PullError::Length {
                what,
                found: self.most.saturating_add(1),
                wanted: self.most,
            };
        }
        match self.has_failed {
            true => PullError::Io {
                path: wanted.folder.clone(),
                source,
            },
            false => PullError::Compressed { what, source },
        }
    }
}

impl Write for Checked<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.length.saturating_add(bytes.len() as u64);
        if length > self.most {
            self.is_full = true;
            return Err(io::Error::other("more bytes than were signed"));
        }
        if let Err(error) = self.into.write_all(bytes) {
            self.has_failed = true;
            return Err(error);
        }
        self.hasher.update(bytes);
        self.length = length;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.into.flush();
        self.has_failed |= flushed.is_err();
        flushed
    }
}
