//! The order of a copy: what is below a manifest comes before it, and what refers to it after it.

use std::collections::BTreeSet;

use edgec_artifact::{MAX_ARTIFACT_LEN, Sha256Digest};
use edgec_files::Unnamed;

use super::super::attached::AttachedKind;
use super::super::decode::MalformedManifest;
use super::super::decompressed::SLACK;
use super::super::index::{Index, is_index};
use super::super::log::{Counted, Traffic};
use super::super::manifest::Manifest;
use super::super::progress::{Progress, Unseen};
use super::super::{descriptor, media};
use super::{Copied, CopyError, named};
use crate::checked::shown;
use crate::{BlobSource, Descriptor, RegistryError, Sent, StoredManifest, Which};

/// How many indexes and referrers may lead to a manifest.
const MAX_DEPTH: usize = 8;
/// How many manifests a reference may have below it.
const MAX_MANIFESTS: usize = 8192;

/// The longest blob that is copied, in bytes (4 GiB), if nothing more is known of its kind.
const MAX_BLOB_LEN: u64 = 4 << 30;

/// The longest blob of a kind that is copied, in bytes. It comes whole into a temporary file, and
/// the manifest that states its length is not signed.
fn longest(media_type: &str) -> u64 {
    let mut kinds = AttachedKind::ALL.into_iter();
    let attached = kinds.find(|it| it.media_type() == media_type);
    match (media_type, attached) {
        // Compressed bytes are hardly longer than their content.
        (media::IMAGE | media::DIFFERENCE | media::DEBUG, _) => {
            MAX_ARTIFACT_LEN.saturating_add(SLACK)
        }
        (_, Some(kind)) => kind.limit(),
        _ => MAX_BLOB_LEN,
    }
}

/// A copy under way.
pub(super) struct Walk<'a> {
    source: &'a Counted,
    target: &'a Counted,
    progress: &'a dyn Progress,
    /// How many manifests a reference may have below it.
    most: usize,
    /// The repository of the same registry from which blobs can be taken over.
    pub(super) mount_from: Option<&'a str>,
    manifests: BTreeSet<Sha256Digest>,
    blobs: BTreeSet<Sha256Digest>,
    copied: Copied,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        source: &'a Counted,
        target: &'a Counted,
        progress: &'a dyn Progress,
    ) -> Self {
        Self {
            source,
            target,
            progress,
            most: MAX_MANIFESTS,
            mount_from: None,
            manifests: BTreeSet::new(),
            blobs: BTreeSet::new(),
            copied: Copied {
                digest: Sha256Digest([0; 32]),
                manifests: 0,
                referrers: 0,
                existed: 0,
                mounted: 0,
                uploaded: 0,
                from: Traffic::default(),
                to: Traffic::default(),
            },
        }
    }

    pub(super) fn copied(self, digest: Sha256Digest) -> Copied {
        Copied {
            digest,
            ..self.copied
        }
    }

    /// Copies a manifest with everything below it, and then moves the tag.
    pub(super) fn copy(
        &mut self,
        found: &StoredManifest,
        tag: Option<&str>,
    ) -> Result<(), CopyError> {
        self.below(found, tag, 0)
    }

    /// Copies a manifest with everything below it. So many indexes and referrers lead to it.
    fn below(
        &mut self,
        found: &StoredManifest,
        tag: Option<&str>,
        depth: usize,
    ) -> Result<(), CopyError> {
        if depth > MAX_DEPTH {
            return Err(CopyError::TooDeep {
                digest: found.digest,
                depth,
                most: MAX_DEPTH,
            });
        }
        if !self.manifests.insert(found.digest) && tag.is_none() {
            return Ok(());
        }
        if self.manifests.len() > self.most {
            return Err(CopyError::TooMany { most: self.most });
        }
        let malformed = |source| CopyError::Malformed {
            what: named(found, &self.source.name()),
            source,
        };
        let subject = match is_index(&found.media_type) {
            true => {
                let index = Index::decode(&found.bytes).map_err(malformed)?;
                for entry in &index.manifests {
                    let child = self.fetched(entry)?;
                    self.below(&child, None, depth + 1)?;
                }
                index.subject
            }
            false => {
                let manifest = Manifest::decode(&found.bytes).map_err(malformed)?;
                for blob in manifest.layers.iter().chain([&manifest.config]) {
                    self.blob(blob)?;
                }
                manifest.subject
            }
        };
        self.put(found, None)?;
        self.referrers(found, depth)?;
        // The tag names something whose referrers are there too.
        if tag.is_some() {
            self.progress.step("moving the tag");
            self.put(found, tag)?;
        }
        if let Some(subject) = subject.as_ref().and_then(descriptor::digest) {
            self.note(subject, found)?;
        }
        Ok(())
    }

    /// Copies what refers to a manifest.
    fn referrers(&mut self, found: &StoredManifest, depth: usize) -> Result<(), CopyError> {
        for entry in self.source.referrers(found.digest)? {
            let digest = descriptor::digest(&entry);
            if !digest.is_some_and(|it| self.manifests.contains(&it)) {
                let referrer = self.fetched(&entry)?;
                self.below(&referrer, None, depth + 1)?;
                self.copied.referrers += 1;
            }
        }
        Ok(())
    }

    /// Notes a referrer where the target has no list of its own.
    fn note(&self, subject: Sha256Digest, found: &StoredManifest) -> Result<(), CopyError> {
        let mut entry = Descriptor::of(&found.media_type, found.digest, found.bytes.len() as u64);
        if let Ok(manifest) = Manifest::decode(&found.bytes) {
            let kind = manifest.artifact_type;
            entry.artifact_type = Some(kind.unwrap_or(manifest.config.media_type));
            entry.annotations = manifest.annotations;
        } else if let Ok(index) = Index::decode(&found.bytes) {
            entry.artifact_type = index.artifact_type;
            entry.annotations = index.annotations;
        }
        Ok(self.target.note_referrer(subject, &entry)?)
    }

    fn put(&mut self, found: &StoredManifest, tag: Option<&str>) -> Result<(), CopyError> {
        let (media_type, bytes) = (&found.media_type, &found.bytes);
        self.target.put_manifest(tag, media_type, bytes)?;
        self.copied.manifests += usize::from(tag.is_none());
        Ok(())
    }

    fn fetched(&self, entry: &Descriptor) -> Result<StoredManifest, CopyError> {
        let what = || format!("the manifest {}", shown(&entry.digest));
        let malformed = |source| CopyError::Malformed {
            what: what(),
            source,
        };
        let digest = descriptor::digest(entry).ok_or_else(|| {
            let found = shown(&entry.digest);
            malformed(MalformedManifest::Digest { found })
        })?;
        let found = self.source.manifest(&Which::Digest(digest), None)?;
        found.ok_or_else(|| {
            let what = "it is not there".to_owned();
            malformed(MalformedManifest::Part { what })
        })
    }

    fn blob(&mut self, blob: &Descriptor) -> Result<(), CopyError> {
        let Some(digest) = descriptor::digest(blob) else {
            return Ok(());
        };
        if !self.blobs.insert(digest) {
            return Ok(());
        }
        let most = longest(&blob.media_type);
        if blob.size > most {
            return Err(CopyError::TooLong {
                digest: shown(&blob.digest),
                found: blob.size,
                most,
            });
        }
        self.progress.step(&format!("copying {}", blob.digest));
        if self.target.has_blob(blob)? {
            self.copied.count(Sent::Existed);
            return Ok(());
        }
        if let Some(from) = self.mount_from
            && self.target.mount_blob(blob, from)?
        {
            self.copied.mounted += 1;
            return Ok(());
        }
        let folder = std::env::temp_dir();
        let failed = |source| RegistryError::Io {
            path: folder.clone(),
            source,
        };
        let mut file = Unnamed::new_in(&folder).map_err(failed)?;
        let fetched = self.source.blob(blob, &mut file, self.progress);
        fetched.map_err(|error| match error {
            RegistryError::Sink(source) => failed(source),
            error => error,
        })?;
        let content = BlobSource::File(file.path().map_err(failed)?);
        let sent = self.target.put_blob(blob, &content, &Unseen)?;
        self.copied.count(sent);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout_folder::LayoutFolder;

    /// A manifest with one foreign layer of this stated length, and a folder that has it.
    fn with_layer(source: &Counted, size: u64) -> Descriptor {
        let config = Descriptor::of_bytes(media::EMPTY, descriptor::EMPTY_CONFIG);
        let content = BlobSource::Bytes(descriptor::EMPTY_CONFIG);
        source.put_blob(&config, &content, &Unseen).unwrap();
        let mut layer = Descriptor::of_bytes("application/x-tar", b"layer");
        let content = BlobSource::Bytes(b"layer");
        source.put_blob(&layer, &content, &Unseen).unwrap();
        layer.size = size;
        let manifest = Manifest::of_kind(media::NATIVE, vec![layer]).encode();
        source
            .put_manifest(None, media::MANIFEST, &manifest)
            .unwrap();
        Descriptor::of_bytes(media::MANIFEST, &manifest)
    }

    /// A registry can state any length, and send as much.
    #[test]
    fn a_blob_that_is_longer_than_any_is_not_copied() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name| Counted::new(Box::new(LayoutFolder::new(folder.path().join(name))));
        let (source, target) = (place("source"), place("target"));
        for size in [5, MAX_BLOB_LEN + 1, 1 << 50, u64::MAX] {
            let entry = with_layer(&source, size);
            let mut walk = Walk::new(&source, &target, &Unseen);
            let found = walk.fetched(&entry).unwrap();
            match walk.copy(&found, Some("v1")) {
                Ok(()) => assert_eq!(size, 5),
                Err(error) => {
                    let is_named =
                        matches!(error, CopyError::TooLong { found, .. } if found == size);
                    assert!(is_named && size > MAX_BLOB_LEN, "{error}");
                    assert_eq!(error.code(), "copy-manifest");
                }
            }
        }
        assert!(longest(media::IMAGE) < MAX_BLOB_LEN);
        assert_eq!(longest(media::SPDX), AttachedKind::Spdx.limit());
    }

    #[test]
    fn referrers_of_referrers_end() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name| Counted::new(Box::new(LayoutFolder::new(folder.path().join(name))));
        let (source, target) = (place("source"), place("target"));
        let first = with_layer(&source, 5);
        let index = Index::new(vec![first.clone()]).encode();
        source.put_manifest(None, media::INDEX, &index).unwrap();
        let index = Descriptor::of_bytes(media::INDEX, &index);
        let mut last = first;
        for referrers in 1..MAX_DEPTH + 1 {
            let mut manifest = Manifest::of_kind(media::NATIVE, Vec::new());
            manifest.subject = Some(last.clone());
            let bytes = manifest.encode();
            source.put_manifest(None, media::MANIFEST, &bytes).unwrap();
            let entry = Descriptor::of_bytes(media::MANIFEST, &bytes);
            let subject = descriptor::digest(&last).unwrap();
            source.note_referrer(subject, &entry).unwrap();
            let digest = descriptor::digest(&entry).unwrap();
            last = entry;
            let mut walk = Walk::new(&source, &target, &Unseen);
            let found = walk.fetched(&index).unwrap();
            match walk.copy(&found, Some("v1")) {
                Ok(()) => assert!(referrers < MAX_DEPTH),
                Err(error) => {
                    assert_eq!(referrers, MAX_DEPTH, "{error}");
                    assert_eq!(error.code(), "copy-manifest");
                    let said = format!(
                        "the manifest sha256:{digest} is too deep: 9 indexes and referrers \
                         lead to it, and edgec follows at most 8"
                    );
                    assert_eq!(error.to_string(), said);
                }
            }
        }
    }

    #[test]
    fn more_manifests_than_any_reference_has_are_not_copied() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name| Counted::new(Box::new(LayoutFolder::new(folder.path().join(name))));
        let (source, target) = (place("source"), place("target"));
        let put = |media_type: &str, bytes: &[u8]| {
            source.put_manifest(None, media_type, bytes).unwrap();
            Descriptor::of_bytes(media_type, bytes)
        };
        let listed = (0..3).map(|at: usize| {
            let mut manifest = Manifest::of_kind(media::NATIVE, Vec::new());
            manifest.annotations.insert(at.to_string(), String::new());
            put(media::MANIFEST, &manifest.encode())
        });
        let index = Index::new(listed.collect());
        let index = put(media::INDEX, &index.encode());
        let config = Descriptor::of_bytes(media::EMPTY, descriptor::EMPTY_CONFIG);
        let content = BlobSource::Bytes(descriptor::EMPTY_CONFIG);
        source.put_blob(&config, &content, &Unseen).unwrap();
        let copied = |most| {
            let mut walk = Walk::new(&source, &target, &Unseen);
            walk.most = most;
            let found = walk.fetched(&index).unwrap();
            walk.copy(&found, Some("v1"))
        };
        let error = copied(3).unwrap_err();
        assert!(matches!(error, CopyError::TooMany { most: 3 }), "{error}");
        assert_eq!(error.code(), "copy-manifest");
        let which = Which::Tag("v1".to_owned());
        assert!(target.manifest(&which, None).is_err(), "the tag has moved");
        copied(4).unwrap();
    }
}
