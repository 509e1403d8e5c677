//! Checks what a descriptor says against the bytes that come.

use std::io::Write;

use edgec_artifact::Sha256Digest;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::{Descriptor, RegistryError, StoredManifest};

/// The maximum length of a manifest or an index, in bytes. Registries need not store longer ones.
///
/// Source: OCI Distribution Specification 1.1, "Pushing Manifests".
pub(crate) const MAX_MANIFEST_LEN: u64 = 4 << 20;

/// Refuses a manifest that registries need not store.
pub(crate) fn require_storable(what: &str, bytes: &[u8]) -> Result<(), RegistryError> {
    match bytes.len() as u64 > MAX_MANIFEST_LEN {
        true => Err(RegistryError::TooLong {
            what: what.to_owned(),
            limit: MAX_MANIFEST_LEN,
        }),
        false => Ok(()),
    }
}

/// The maximum length of what an error shows of a text by others, in characters.
const MAX_SHOWN: usize = 200;

/// The digest of a descriptor that names no other places for its content.
pub(crate) fn digest_of(descriptor: &Descriptor) -> Result<Sha256Digest, RegistryError> {
    if let Some(url) = descriptor.urls.first() {
        return Err(RegistryError::OtherPlace {
            digest: shown(&descriptor.digest),
            url: shown(url),
        });
    }
    parse_digest(&descriptor.digest).ok_or_else(|| RegistryError::Descriptor {
        digest: shown(&descriptor.digest),
        what: "its digest is not `sha256:` and 64 lowercase hexadecimal digits",
    })
}

pub(crate) fn parse_digest(text: &str) -> Option<Sha256Digest> {
    text.strip_prefix("sha256:")?.parse().ok()
}

/// The first line of a text that others wrote, cut, and without characters that do something to a
/// terminal.
pub(crate) fn shown(text: &str) -> String {
    let line = text.trim_start().lines().next().unwrap_or_default();
    let visible = line.chars().filter(|it| !it.is_control());
    visible
        .take(MAX_SHOWN)
        .collect::<String>()
        .trim_end()
        .to_owned()
}

/// A blob while it comes. It passes on at most as many bytes as the descriptor says, also over
/// several attempts.
pub(crate) struct Incoming<'a> {
    /// The blob and its place, for errors.
    what: String,
    digest: Sha256Digest,
    size: u64,
    received: u64,
    hasher: Sha256,
    into: &'a mut dyn Write,
}

impl<'a> Incoming<'a> {
    pub(crate) fn new(
        descriptor: &Descriptor,
        place: &str,
        into: &'a mut dyn Write,
    ) -> Result<Self, RegistryError> {
        let digest = digest_of(descriptor)?;
        Ok(Self {
            what: format!("blob sha256:{digest} of {place}"),
            digest,
            size: descriptor.size,
            received: 0,
            hasher: Sha256::new(),
            into,
        })
    }

    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    pub(crate) fn digest(&self) -> Sha256Digest {
        self.digest
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    pub(crate) fn left(&self) -> u64 {
        self.size.saturating_sub(self.received)
    }

    /// Takes the next bytes.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<(), RegistryError> {
        if bytes.len() as u64 > self.left() {
            return Err(self.wrong_size(self.size.saturating_add(1)));
        }
        self.hasher.update(bytes);
        self.into.write_all(bytes).map_err(RegistryError::Sink)?;
        self.received += bytes.len() as u64;
        Ok(())
    }

    /// The error that the place has `found` bytes.
    pub(crate) fn wrong_size(&self, found: u64) -> RegistryError {
        RegistryError::Size {
            what: self.what.clone(),
            expected: self.size,
            found,
        }
    }

    /// Checks the whole.
    pub(crate) fn finish(self) -> Result<(), RegistryError> {
        if self.received != self.size {
            return Err(self.wrong_size(self.received));
        }
        let found = Sha256Digest(self.hasher.finalize().into());
        require(&self.what, self.digest, found)
    }
}

/// Refuses other bytes than those that were asked for.
pub(crate) fn require(
    what: &str,
    expected: Sha256Digest,
    found: Sha256Digest,
) -> Result<(), RegistryError> {
    match expected == found {
        true => Ok(()),
        false => Err(RegistryError::Digest {
            what: what.to_owned(),
            expected: expected.to_string(),
            found: found.to_string(),
        }),
    }
}

/// What the transport itself reads of a manifest.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Outline {
    #[serde(default)]
    pub(crate) media_type: Option<String>,
    #[serde(default)]
    subject: Option<Named>,
}

#[derive(Deserialize)]
struct Named {
    digest: String,
}

impl Outline {
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// The digest of the manifest's subject.
    pub(crate) fn subject(&self) -> Option<Sha256Digest> {
        self.subject
            .as_ref()
            .and_then(|it| parse_digest(&it.digest))
    }
}

/// Whether a manifest has this subject.
pub(crate) fn refers_to(manifest: &StoredManifest, subject: Sha256Digest) -> bool {
    Outline::of(&manifest.bytes).is_some_and(|it| it.subject() == Some(subject))
}

/// The tag that lists the referrers of a manifest, where the registry has no API for it.
///
/// Source: OCI Distribution Specification 1.1, "Referrers Tag Schema".
pub(crate) fn fallback_tag(subject: Sha256Digest) -> String {
    format!("sha256-{subject}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn descriptor(bytes: &[u8]) -> Descriptor {
        Descriptor {
            media_type: "application/octet-stream".into(),
            digest: format!("sha256:{}", Sha256Digest::of(bytes)),
            size: bytes.len() as u64,
            urls: Vec::new(),
            annotations: BTreeMap::new(),
            artifact_type: None,
            platform: None,
        }
    }

    fn receive(descriptor: &Descriptor, parts: &[&[u8]]) -> Result<Vec<u8>, RegistryError> {
        let mut into = Vec::new();
        let mut incoming = Incoming::new(descriptor, "here", &mut into)?;
        parts.iter().try_for_each(|it| incoming.take(it))?;
        incoming.finish()?;
        Ok(into)
    }

    #[test]
    fn exactly_the_bytes_of_the_descriptor_pass() {
        let whole = descriptor(b"content");
        assert_eq!(
            receive(&whole, &[b"con", b"", b"tent"]).unwrap(),
            b"content"
        );
        let error = receive(&whole, &[b"con", b"tenT"]).unwrap_err();
        assert_eq!(error.code(), "registry-digest");
        let error = receive(&whole, &[b"con"]).unwrap_err();
        assert!(matches!(
            error,
            RegistryError::Size {
                expected: 7,
                found: 3,
                ..
            }
        ));
        let error = receive(&whole, &[b"content", b"!"]).unwrap_err();
        assert!(matches!(
            error,
            RegistryError::Size {
                expected: 7,
                found: 8,
                ..
            }
        ));
    }

    #[test]
    fn other_places_and_other_digests_are_refused() {
        let mut elsewhere = descriptor(b"content");
        elsewhere.urls.push("https://elsewhere.example/blob".into());
        let error = receive(&elsewhere, &[b"content"]).unwrap_err();
        assert_eq!(error.code(), "registry-other-place");
        let mut other = descriptor(b"content");
        other.digest = format!("sha512:{}", "0".repeat(128));
        assert_eq!(
            receive(&other, &[]).unwrap_err().code(),
            "registry-descriptor"
        );
    }

    #[test]
    fn a_writer_that_fails_is_named() {
        let mut full = [0; 3];
        let whole = descriptor(b"content");
        let mut into = full.as_mut_slice();
        let mut incoming = Incoming::new(&whole, "here", &mut into).unwrap();
        let error = incoming.take(b"content").unwrap_err();
        assert!(matches!(error, RegistryError::Sink(_)));
        assert_eq!(error.code(), "io");
    }

    #[test]
    fn texts_by_others_are_cut_and_harmless() {
        assert_eq!(shown("\n a\u{1b}[31mb\nc"), "a[31mb");
        assert_eq!(shown(&"x".repeat(5000)).len(), MAX_SHOWN);
    }
}
