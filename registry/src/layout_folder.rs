//! A repository in a folder: an OCI image layout. Tags are entries of `index.json` with the
//! annotation `org.opencontainers.image.ref.name`. Referrers are entries without it.
//!
//! Every file is written aside and then renamed, content before what names it. So a crash leaves a
//! layout that is valid, and has the tags of before or after. Processes that change a layout at the
//! same time wait for each other: the file `oci-layout` is the lock. Readers do not wait.
//!
//! Source: OCI Image Specification 1.1, `image-layout.md`.

mod blobs;
pub(crate) mod index;

use std::io::Write;
use std::path::{Path, PathBuf};

use edgec_artifact::Sha256Digest;

use self::index::Index;
use crate::checked::{
    Incoming, MAX_MANIFEST_LEN, Outline, digest_of, fallback_tag, require, require_storable,
};
use crate::referrer_list::ReferrerList;
use crate::{
    BlobSource, Descriptor, RegistryError, Repository, Sent, StoredManifest, Which, media,
};

/// An OCI layout in a folder. It is made with the first thing that is written to it.
#[derive(Debug)]
pub(crate) struct LayoutFolder {
    folder: PathBuf,
}

impl LayoutFolder {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn absent(&self, what: String) -> RegistryError {
        RegistryError::Absent {
            place: self.name(),
            what,
        }
    }

    /// The index, where the folder is a layout.
    fn index(&self) -> Result<Index, RegistryError> {
        match index::is_layout(&self.folder)? {
            true => Index::read(&self.folder),
            false => Err(self.absent("OCI layout".to_owned())),
        }
    }

    fn stored(
        &self,
        digest: Sha256Digest,
        entry: Option<&Descriptor>,
    ) -> Result<StoredManifest, RegistryError> {
        let found = blobs::read(&self.folder, digest, MAX_MANIFEST_LEN)?;
        let bytes = found.ok_or_else(|| self.absent(format!("manifest sha256:{digest}")))?;
        let what = format!("manifest sha256:{digest} of {}", self.name());
        require(&what, digest, Sha256Digest::of(&bytes))?;
        if let Some(entry) = entry
            && entry.size != bytes.len() as u64
        {
            return Err(RegistryError::Size {
                what,
                expected: entry.size,
                found: bytes.len() as u64,
            });
        }
        // The type in the manifest decides, if it has one: an index may have been changed.
        let own = Outline::of(&bytes).and_then(|it| it.media_type);
        let media_type = own.or_else(|| entry.map(|it| it.media_type.clone()));
        Ok(StoredManifest {
            bytes,
            digest,
            media_type: media_type.unwrap_or_default(),
        })
    }

    /// Whether an entry has this subject, if it is sound. Layouts may list what they do not have,
    /// and what is damaged or no manifest at all: only a referrer of the subject matters here.
    fn says_to_refer(
        &self,
        digest: Sha256Digest,
        subject: Sha256Digest,
    ) -> Result<bool, RegistryError> {
        match blobs::read(&self.folder, digest, MAX_MANIFEST_LEN) {
            Ok(bytes) => {
                let outline = bytes.and_then(|it| Outline::of(&it));
                Ok(outline.is_some_and(|it| it.subject() == Some(subject)))
            }
            Err(RegistryError::TooLong { .. } | RegistryError::Layout { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The entries of a list of referrers. One that edgec cannot copy is an error: it could be a
    /// signature.
    fn listed(&self, list: &StoredManifest) -> Result<Vec<Descriptor>, RegistryError> {
        let entries = ReferrerList::decode(&list.bytes).and_then(|it| it.entries());
        let entries = entries.map_err(|what| RegistryError::Layout {
            path: self.folder.clone(),
            what: format!("the list of referrers sha256:{}: {what}", list.digest),
        })?;
        for entry in &entries {
            digest_of(entry)?;
        }
        Ok(entries)
    }

    /// Changes the index while no other process does.
    fn change(&self, change: impl FnOnce(&mut Index)) -> Result<(), RegistryError> {
        let _lock = index::lock(&self.folder)?;
        let mut index = Index::read(&self.folder)?;
        change(&mut index);
        index.write(&self.folder)
    }
}

impl Repository for LayoutFolder {
    fn name(&self) -> String {
        format!("oci-layout:{}", self.folder.display())
    }

    fn manifest(
        &self,
        which: &Which,
        known: Option<Sha256Digest>,
    ) -> Result<Option<StoredManifest>, RegistryError> {
        let index = self.index()?;
        let (digest, entry) = match which {
            Which::Digest(digest) => (*digest, None),
            Which::Tag(tag) => {
                let entry = index.tagged(tag);
                let entry = entry.ok_or_else(|| self.absent(format!("tag {tag}")))?;
                (digest_of(entry)?, Some(entry))
            }
        };
        match known == Some(digest) {
            true => Ok(None),
            false => self.stored(digest, entry).map(Some),
        }
    }

    fn put_manifest(
        &self,
        tag: Option<&str>,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<(), RegistryError> {
        let digest = Sha256Digest::of(bytes);
        require_storable(&format!("manifest sha256:{digest}"), bytes)?;
        index::make(&self.folder)?;
        blobs::write(&self.folder, digest, bytes)?;
        let Some(tag) = tag else {
            return Ok(());
        };
        let entry = Descriptor::of(media_type, digest, bytes.len() as u64);
        self.change(|index| index.tag(tag, entry))
    }

    fn has_blob(&self, descriptor: &Descriptor) -> Result<bool, RegistryError> {
        let length = blobs::length(&self.folder, digest_of(descriptor)?)?;
        Ok(length == Some(descriptor.size))
    }

    fn blob(&self, descriptor: &Descriptor, into: &mut dyn Write) -> Result<(), RegistryError> {
        let mut incoming = Incoming::new(descriptor, &self.name(), into)?;
        match blobs::stream(&self.folder, &mut incoming)? {
            true => incoming.finish(),
            false => Err(self.absent(format!("blob sha256:{}", incoming.digest()))),
        }
    }

    fn put_blob(
        &self,
        descriptor: &Descriptor,
        source: &BlobSource<'_>,
    ) -> Result<Sent, RegistryError> {
        if self.has_blob(descriptor)? {
            return Ok(Sent::Existed);
        }
        index::make(&self.folder)?;
        blobs::put(&self.folder, descriptor, source)?;
        Ok(Sent::Uploaded(descriptor.size))
    }

    /// Entries of `index.json`, and of the fallback tag, which copies from registries have.
    fn referrers(&self, subject: Sha256Digest) -> Result<Vec<Descriptor>, RegistryError> {
        let index = self.index()?;
        let mut candidates: Vec<Descriptor> = index.entries().to_vec();
        if let Some(entry) = index.tagged(&fallback_tag(subject)) {
            let fallback = self.stored(digest_of(entry)?, Some(entry))?;
            if fallback.digest != subject && fallback.media_type == media::INDEX {
                candidates.extend(self.listed(&fallback)?);
            }
        }
        let mut found: Vec<Descriptor> = Vec::new();
        for mut candidate in candidates {
            let Ok(digest) = digest_of(&candidate) else {
                continue;
            };
            if digest == subject || found.iter().any(|it| it.digest == candidate.digest) {
                continue;
            }
            if self.says_to_refer(digest, subject)? {
                self.stored(digest, Some(&candidate))?;
                candidate.annotations.remove(index::REF_NAME);
                found.push(candidate);
            }
        }
        Ok(found)
    }

    fn note_referrer(
        &self,
        _subject: Sha256Digest,
        referrer: &Descriptor,
    ) -> Result<(), RegistryError> {
        digest_of(referrer)?;
        index::make(&self.folder)?;
        self.change(|index| index.list(referrer.clone()))
    }
}

fn io(path: &Path, source: impl Into<std::io::Error>) -> RegistryError {
    RegistryError::Io {
        path: path.to_owned(),
        source: source.into(),
    }
}

#[cfg(test)]
mod tests;
