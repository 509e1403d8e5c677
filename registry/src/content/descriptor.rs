//! Changing descriptors, and reading the digest of a foreign one.

use edgec_artifact::Sha256Digest;

use crate::checked::parse_digest;
use crate::{Descriptor, Platform};

/// The content of an empty configuration.
pub(crate) const EMPTY_CONFIG: &[u8] = b"{}";

/// The digest of a descriptor. `None` unless it is a SHA-256.
pub(crate) fn digest(descriptor: &Descriptor) -> Option<Sha256Digest> {
    parse_digest(&descriptor.digest)
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
