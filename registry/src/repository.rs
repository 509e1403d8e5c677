//! What push, pull and copy need of a place: a repository in a registry, or an OCI layout in a
//! folder. Both implement [`Repository`], so that every verb works with both.
//!
//! Source: OCI Distribution Specification 1.1, OCI Image Specification 1.1.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use edgec_artifact::Sha256Digest;
use serde::{Deserialize, Serialize};

use crate::RegistryError;

/// A manifest by its tag or its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The manifest that a tag names now.
    Tag(String),
    /// The manifest with this digest.
    Digest(Sha256Digest),
}

/// A manifest or an index, as the place has it. Its bytes have this digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredManifest {
    /// The exact bytes.
    pub bytes: Vec<u8>,
    /// Their SHA-256.
    pub digest: Sha256Digest,
    /// Their media type.
    pub media_type: String,
}

/// A reference to content: an entry of an index, or a layer.
///
/// Source: OCI Image Specification 1.1, `descriptor.md`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The media type of the content.
    pub media_type: String,
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// Length in bytes.
    pub size: u64,
    /// Other places of the content. Only to refuse them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// What the content is for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The kind of the manifest, in entries of an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The machine that the manifest is for, in entries of an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
}

impl Descriptor {
    /// The descriptor of content with this media type, digest and length in bytes.
    pub fn of(media_type: &str, digest: Sha256Digest, size: u64) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: format!("sha256:{digest}"),
            size,
            urls: Vec::new(),
            annotations: BTreeMap::new(),
            artifact_type: None,
            platform: None,
        }
    }

    /// The descriptor of these bytes.
    pub fn of_bytes(media_type: &str, bytes: &[u8]) -> Self {
        Self::of(media_type, Sha256Digest::of(bytes), bytes.len() as u64)
    }
}

/// The machine of an entry of an index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// Such as `amd64`, `arm64` or `wasm`.
    pub architecture: String,
    /// Such as `linux`, `wasip2` or `edgec`.
    pub os: String,
    /// Such as `v3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Features of the machine.
    #[serde(rename = "os.features", default, skip_serializing_if = "Vec::is_empty")]
    pub os_features: Vec<String>,
}

/// The content of a blob that is sent.
#[derive(Clone, Debug)]
pub enum BlobSource<'a> {
    /// In memory.
    Bytes(&'a [u8]),
    /// In a file that does not change.
    File(PathBuf),
}

/// How a blob came to its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It was there.
    Existed,
    /// It was sent: so many bytes.
    Uploaded(u64),
}

/// A place of manifests and blobs. All methods block, and may be called from several threads.
/// Every answer is checked: manifests against their digest (if `Which` has one) and their limit of
/// 4 MiB; blobs against digest and size of their descriptor, while they stream.
pub trait Repository: Send + Sync {
    /// The place, for messages: `registry.example/shop`, or the folder.
    fn name(&self) -> String;

    /// A manifest. `None` if it still has the digest `known`.
    ///
    /// # Errors
    ///
    /// [`RegistryError::Absent`] if there is none; otherwise what failed.
    fn manifest(
        &self,
        which: &Which,
        known: Option<Sha256Digest>,
    ) -> Result<Option<StoredManifest>, RegistryError>;

    /// Writes a manifest, under its digest or also under a tag.
    ///
    /// # Errors
    ///
    /// [`RegistryError`].
    fn put_manifest(
        &self,
        tag: Option<&str>,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<(), RegistryError>;

    /// Whether the place has a blob.
    ///
    /// # Errors
    ///
    /// [`RegistryError`].
    fn has_blob(&self, descriptor: &Descriptor) -> Result<bool, RegistryError>;

    /// Writes the bytes of a blob to `into` as they come. A transfer that breaks off is resumed
    /// where it ended. When it returns, exactly `descriptor.size` bytes with `descriptor.digest`
    /// were written; `into` has to throw away what it got if there is an error.
    ///
    /// # Errors
    ///
    /// [`RegistryError`].
    fn blob(&self, descriptor: &Descriptor, into: &mut dyn Write) -> Result<(), RegistryError>;

    /// Puts a blob there if it is not there.
    ///
    /// # Errors
    ///
    /// [`RegistryError`].
    fn put_blob(
        &self,
        descriptor: &Descriptor,
        source: &BlobSource<'_>,
    ) -> Result<Sent, RegistryError>;

    /// Takes a blob over from the repository `from` of the same registry, without its content.
    /// Returns whether the blob is there now. Most places cannot do that.
    ///
    /// # Errors
    ///
    /// [`RegistryError`].
    fn mount_blob(&self, _descriptor: &Descriptor, _from: &str) -> Result<bool, RegistryError> {
        Ok(false)
    }

    /// The manifests that name `subject` as their subject: from the referrers API, or from the
    /// fallback tag where the registry has no such API. Entries whose subject is another are left
    /// out.
    ///
    /// # Errors
    ///
    /// [`RegistryError`].
    fn referrers(&self, subject: Sha256Digest) -> Result<Vec<Descriptor>, RegistryError>;

    /// After `put_manifest` of a manifest with a `subject`: adds it to the fallback tag, if the
    /// registry did not say that it has the referrers API (`OCI-Subject`).
    ///
    /// # Errors
    ///
    /// [`RegistryError`].
    fn note_referrer(
        &self,
        subject: Sha256Digest,
        referrer: &Descriptor,
    ) -> Result<(), RegistryError>;
}
