//! The JSON of manifests and indexes, with limits. Everything that is read was written by others.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::descriptor;
use crate::Descriptor;
use crate::checked::shown;

/// Why bytes are not a manifest or an index that edgec reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MalformedManifest {
    /// Not the JSON of a manifest.
    #[error("it is not a manifest: {what}")]
    Json {
        /// What is wrong, and where.
        what: String,
    },
    /// More entries than any manifest needs.
    #[error("it has {count} {what}, and {most} is the limit")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// The limit.
        most: usize,
    },
    /// An entry points at other places. edgec asks no server that it was not told to ask.
    #[error("an entry names another place for its content (`urls`): {url}")]
    Urls {
        /// The first of them.
        url: String,
    },
    /// A digest is not a SHA-256.
    #[error("`{found}` is not a SHA-256 digest")]
    Digest {
        /// The digest.
        found: String,
    },
    /// It has a part of another length or number than edgec writes.
    #[error("{what}")]
    Part {
        /// What is wrong.
        what: String,
    },
}

/// The bytes of a value of this crate.
pub(crate) fn encode(value: &impl Serialize) -> Vec<u8> {
    // The values have texts, numbers and lists of those, which always serialize.
    serde_json::to_vec(value).unwrap_or_default()
}

/// Reads JSON.
pub(crate) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, MalformedManifest> {
    serde_json::from_slice(bytes).map_err(|error| MalformedManifest::Json {
        what: shown(&error.to_string()),
    })
}

/// Refuses a list that is too long.
pub(crate) fn few(count: usize, most: usize, what: &'static str) -> Result<(), MalformedManifest> {
    match count > most {
        true => Err(MalformedManifest::TooMany { what, count, most }),
        false => Ok(()),
    }
}

/// Refuses descriptors that point elsewhere, or have another digest than SHA-256.
pub(crate) fn no_urls<'a>(
    descriptors: impl Iterator<Item = &'a Descriptor>,
) -> Result<(), MalformedManifest> {
    for it in descriptors {
        if let Some(url) = it.urls.first() {
            let url = shown(url);
            return Err(MalformedManifest::Urls { url });
        }
        if descriptor::digest(it).is_none() {
            let found = shown(&it.digest);
            return Err(MalformedManifest::Digest { found });
        }
    }
    Ok(())
}
