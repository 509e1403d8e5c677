//! Making descriptors, and reading the digest of a foreign one.

use edgec_artifact::Sha256Digest;

use crate::{Descriptor, Platform};

/// The content of an empty configuration.
pub(crate) const EMPTY_CONFIG: &[u8] = b"{}";

/// The descriptor of these bytes.
pub(crate) fn of_bytes(media_type: &str, bytes: &[u8]) -> Descriptor {
    of(media_type, Sha256Digest::of(bytes), bytes.len() as u64)
}

/// The descriptor of content with this digest and length.
pub(crate) fn of(media_type: &str, digest: Sha256Digest, size: u64) -> Descriptor {
    Descriptor {
        media_type: media_type.to_owned(),
        digest: format!("sha256:{digest}"),
        size,
        urls: Vec::new(),
        annotations: std::collections::BTreeMap::new(),
        artifact_type: None,
        platform: None,
    }
}

/// The digest of a descriptor. `None` unless it is a SHA-256.
pub(crate) fn digest(descriptor: &Descriptor) -> Option<Sha256Digest> {
    descriptor.digest.strip_prefix("sha256:")?.parse().ok()
}

/// The same descriptor with an annotation.
pub(crate) fn with(mut descriptor: Descriptor, name: &str, value: impl ToString) -> Descriptor {
    let value = value.to_string();
    descriptor.annotations.insert(name.to_owned(), value);
    descriptor
}

/// The same descriptor for a platform.
pub(crate) fn on(mut descriptor: Descriptor, os: &str, architecture: &str) -> Descriptor {
    descriptor.platform = Some(Platform {
        architecture: architecture.to_owned(),
        os: os.to_owned(),
        ..Platform::default()
    });
    descriptor
}
