//! Readers of what others write, for `fuzz/` alone: this is not part of the interface, and may
//! change at any time. Each function reads bytes as the rest of the crate does, without a network,
//! files and helpers.

use std::path::Path;

use http::{HeaderMap, HeaderValue, header};
use url::Url;

use crate::content::{index, manifest};
use crate::credentials::docker_file::DockerFile;
use crate::headers::link;
use crate::layout_folder::index::Index as LayoutIndex;
use crate::{Descriptor, MalformedManifest, NativeEntry, RegistryError};

pub use crate::credentials::Login;
pub use crate::headers::challenge::{Challenge, parse as challenges};

/// An index or a manifest: what its reader makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// It is written again.
    pub again: Vec<u8>,
    /// Its entries, or its configuration and then its layers.
    pub descriptors: Vec<Descriptor>,
}

/// Reads an index.
///
/// # Errors
///
/// [`MalformedManifest`].
pub fn index(bytes: &[u8]) -> Result<Listed, MalformedManifest> {
    index::Index::decode(bytes).map(|it| Listed {
        again: it.encode(),
        descriptors: it.manifests,
    })
}

/// Reads a manifest.
///
/// # Errors
///
/// [`MalformedManifest`].
pub fn manifest(bytes: &[u8]) -> Result<Listed, MalformedManifest> {
    manifest::Manifest::decode(bytes).map(|it| Listed {
        again: it.encode(),
        descriptors: [it.config].into_iter().chain(it.layers).collect(),
    })
}

/// The native image that an entry of an index lists, if it lists one.
///
/// # Errors
///
/// [`MalformedManifest`].
pub fn native(entry: &Descriptor) -> Result<Option<NativeEntry>, MalformedManifest> {
    NativeEntry::of(entry)
}

/// Reads the index of a layout, and gives a tag to an entry.
///
/// # Errors
///
/// [`RegistryError::Layout`].
pub fn layout(bytes: &[u8], tag: Option<(&str, &Descriptor)>) -> Result<Listed, RegistryError> {
    let path = Path::new("index.json");
    let mut index = LayoutIndex::parse(path, bytes)?;
    if let Some((tag, entry)) = tag {
        index.tag(tag, entry.clone());
    }
    Ok(Listed {
        again: index.bytes(path)?,
        descriptors: index.entries().to_vec(),
    })
}

/// The entry with a tag in the index of a layout.
pub fn tagged(bytes: &[u8], tag: &str) -> Option<Descriptor> {
    let index = LayoutIndex::parse(Path::new("index.json"), bytes).ok()?;
    index.tagged(tag).cloned()
}

/// The address of the next page that a header `Link` of the page at `at` names, if edgec reads it.
pub fn next_page(link: &str, at: &Url) -> Option<Url> {
    let value = HeaderValue::from_str(link).ok()?;
    let headers = HeaderMap::from_iter([(header::LINK, value)]);
    link::next_page(&headers, at).ok()?
}

/// The login that a file of Docker itself has for a repository. No helper is asked.
///
/// # Errors
///
/// [`RegistryError::Credentials`].
pub fn login(
    file: &[u8],
    registry: &str,
    repository: &str,
) -> Result<Option<Login>, RegistryError> {
    DockerFile::parse("file".to_owned(), file)?.own(registry, repository)
}
