//! Counts what is asked of a place, and what comes back.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use edgec_artifact::Sha256Digest;

use super::progress::Progress;
use crate::{BlobSource, Descriptor, RegistryError, Repository, Sent, StoredManifest, Which};

/// What was asked of a place. Requests are counted as edgec makes them: one for each manifest,
/// blob, or question whether a blob is there. Tokens, redirects and repetitions are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// How many requests there were.
    pub requests: u64,
    /// How many bytes came back.
    pub fetched: u64,
    /// How many bytes were sent.
    pub sent: u64,
}

impl Traffic {
    /// Both together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            fetched: self.fetched.saturating_add(other.fetched),
            sent: self.sent.saturating_add(other.sent),
        }
    }

    /// What came after `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(before.requests),
            fetched: self.fetched.saturating_sub(before.fetched),
            sent: self.sent.saturating_sub(before.sent),
        }
    }
}

/// A place whose traffic is counted.
pub(crate) struct Counted {
    inner: Box<dyn Repository>,
    requests: AtomicU64,
    fetched: AtomicU64,
    sent: AtomicU64,
}

impl Counted {
    pub(crate) fn new(inner: Box<dyn Repository>) -> Self {
        Self {
            inner,
            requests: AtomicU64::new(0),
            fetched: AtomicU64::new(0),
            sent: AtomicU64::new(0),
        }
    }

    pub(crate) fn traffic(&self) -> Traffic {
        Traffic {
            requests: self.requests.load(Ordering::Relaxed),
            fetched: self.fetched.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
        }
    }

    fn asked(&self) -> &dyn Repository {
        self.requests.fetch_add(1, Ordering::Relaxed);
        &*self.inner
    }

    pub(crate) fn name(&self) -> String {
        self.inner.name()
    }

    pub(crate) fn manifest(
        &self,
        which: &Which,
        known: Option<Sha256Digest>,
    ) -> Result<Option<StoredManifest>, RegistryError> {
        let found = self.asked().manifest(which, known)?;
        let bytes = found.as_ref().map_or(0, |it| it.bytes.len() as u64);
        self.fetched.fetch_add(bytes, Ordering::Relaxed);
        Ok(found)
    }

    pub(crate) fn put_manifest(
        &self,
        tag: Option<&str>,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<(), RegistryError> {
        self.asked().put_manifest(tag, media_type, bytes)?;
        self.sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn has_blob(&self, descriptor: &Descriptor) -> Result<bool, RegistryError> {
        self.asked().has_blob(descriptor)
    }

    pub(crate) fn blob(
        &self,
        descriptor: &Descriptor,
        into: &mut dyn Write,
        progress: &dyn Progress,
    ) -> Result<(), RegistryError> {
        let mut into = Watched {
            into,
            progress,
            fetched: &self.fetched,
        };
        self.asked().blob(descriptor, &mut into)
    }

    pub(crate) fn put_blob(
        &self,
        descriptor: &Descriptor,
        source: &BlobSource<'_>,
        progress: &dyn Progress,
    ) -> Result<Sent, RegistryError> {
        let sent = self.asked().put_blob(descriptor, source)?;
        if let Sent::Uploaded(bytes) = sent {
            self.sent.fetch_add(bytes, Ordering::Relaxed);
            progress.moved(bytes);
        }
        Ok(sent)
    }

    pub(crate) fn mount_blob(
        &self,
        descriptor: &Descriptor,
        from: &str,
    ) -> Result<bool, RegistryError> {
        self.asked().mount_blob(descriptor, from)
    }

    pub(crate) fn referrers(
        &self,
        subject: Sha256Digest,
    ) -> Result<Vec<Descriptor>, RegistryError> {
        self.asked().referrers(subject)
    }

    pub(crate) fn note_referrer(
        &self,
        subject: Sha256Digest,
        referrer: &Descriptor,
    ) -> Result<(), RegistryError> {
        self.asked().note_referrer(subject, referrer)
    }
}

/// Tells how many bytes came.
struct Watched<'a> {
    into: &'a mut dyn Write,
    progress: &'a dyn Progress,
    fetched: &'a AtomicU64,
}

impl Write for Watched<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.into.write(bytes)?;
        self.fetched.fetch_add(written as u64, Ordering::Relaxed);
        self.progress.moved(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.into.flush()
    }
}
