//! Names of artifacts: in a registry, or in an OCI layout in a folder.
//!
//! Source: OCI Distribution Specification 1.1, "Pulling manifests", for repositories and tags; the
//! grammar of `distribution/reference` for registries. Unlike other tools, edgec does not guess a
//! registry: `shop` alone could be a typing error for a folder, and would go to Docker Hub.

mod error;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use edgec_artifact::Sha256Digest;

pub use self::error::ReferenceError;
use crate::Which;

/// What a layout in a folder is named with.
const LAYOUT: &str = "oci-layout:";
/// What comes before the digits of a digest.
const DIGEST: &str = "@sha256:";
/// The tag where none is given, as with other tools.
const DEFAULT_TAG: &str = "latest";
/// The maximum length of a reference, in bytes. Registries allow 255 for the repository.
const MAX_LEN: usize = 4096;
/// The maximum length of a repository's name with its registry, in bytes.
const MAX_NAME_LEN: usize = 255;
/// The maximum length of a tag, in bytes.
const MAX_TAG_LEN: usize = 128;

/// A manifest or index: its place, and its tag or digest.
///
/// `REGISTRY[:PORT]/REPOSITORY[:TAG][@sha256:DIGEST]`, or the same in a folder,
/// `oci-layout:DIR[:TAG][@sha256:DIGEST]`. Without a tag and digest, the tag is `latest`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    place: Place,
    tag: Option<String>,
    digest: Option<Sha256Digest>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Place {
    Registry {
        registry: String,
        repository: String,
    },
    Layout(PathBuf),
}

impl Reference {
    /// The registry's host name or address, with its port if there is one. `None` for a folder.
    pub fn registry(&self) -> Option<&str> {
        match &self.place {
            Place::Registry { registry, .. } => Some(registry),
            Place::Layout(_) => None,
        }
    }

    /// The repository in the registry. `None` for a folder.
    pub fn repository(&self) -> Option<&str> {
        match &self.place {
            Place::Registry { repository, .. } => Some(repository),
            Place::Layout(_) => None,
        }
    }

    /// The folder of a layout. `None` for a registry.
    pub fn folder(&self) -> Option<&Path> {
        match &self.place {
            Place::Registry { .. } => None,
            Place::Layout(folder) => Some(folder),
        }
    }

    /// The tag that was given.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The tag to write: the one that was given, or `latest` if neither a tag nor a digest was
    /// given.
    pub fn tag_to_write(&self) -> Option<&str> {
        match (&self.tag, self.digest) {
            (Some(tag), _) => Some(tag),
            (None, Some(_)) => None,
            (None, None) => Some(DEFAULT_TAG),
        }
    }

    /// The digest that was given. It decides, if a tag was given too.
    pub fn digest(&self) -> Option<Sha256Digest> {
        self.digest
    }

    /// The manifest that is meant.
    pub fn which(&self) -> Which {
        match self.digest {
            Some(digest) => Which::Digest(digest),
            None => Which::Tag(self.tag_to_write().unwrap_or(DEFAULT_TAG).to_owned()),
        }
    }

    /// Another tag at the same place.
    ///
    /// # Errors
    ///
    /// [`ReferenceError::Tag`].
    pub fn with_tag(&self, tag: &str) -> Result<Self, ReferenceError> {
        Ok(Self {
            place: self.place.clone(),
            tag: Some(parse_tag(tag)?),
            digest: None,
        })
    }

    /// A digest at the same place.
    #[must_use]
    pub fn with_digest(&self, digest: Sha256Digest) -> Self {
        Self {
            place: self.place.clone(),
            tag: None,
            digest: Some(digest),
        }
    }

    /// Takes a relative folder as one in this folder.
    #[must_use]
    pub fn in_folder(mut self, base: &Path) -> Self {
        if let Place::Layout(folder) = &mut self.place {
            *folder = base.join(&*folder);
        }
        self
    }

    /// The place without tag and digest: `registry.example/shop`, or `oci-layout:DIR`.
    pub fn place(&self) -> String {
        match &self.place {
            Place::Registry {
                registry,
                repository,
            } => format!("{registry}/{repository}"),
            Place::Layout(folder) => format!("{LAYOUT}{}", folder.display()),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())?;
        match (&self.tag, &self.place) {
            (Some(tag), _) => write!(f, ":{tag}")?,
            // Otherwise the end of the folder's name would be read as a tag.
            (None, Place::Layout(folder)) if ends_as_tag(&folder.to_string_lossy()).is_some() => {
                f.write_str("/")?;
            }
            (None, _) => {}
        }
        match &self.digest {
            Some(digest) => write!(f, "@sha256:{digest}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.len() > MAX_LEN {
            return Err(ReferenceError::TooLong);
        }
        if let Some(text) = text.strip_prefix(LAYOUT) {
            return parse_layout(text);
        }
        // Behind the `@` of a digest, there is no slash.
        if let Some((path, _)) = text.rsplit_once('/')
            && let Some(at) = path.rfind('@')
        {
            let rest = text.get(at + 1..).unwrap_or_default().to_owned();
            return Err(ReferenceError::Credentials { rest });
        }
        // The same without a repository. A digest of another kind is named as one.
        if let Some((before, rest)) = text.rsplit_once('@')
            && before.contains(':')
            && !before.contains('/')
            && !rest.starts_with("sha")
        {
            let rest = rest.to_owned();
            return Err(ReferenceError::Credentials { rest });
        }
        if let Some((scheme, _)) = text.split_once("://") {
            let scheme = format!("{scheme}://");
            return Err(ReferenceError::Scheme { scheme });
        }
        let (text, digest) = split_digest(text)?;
        // A colon before the last slash belongs to the port.
        let name_start = text.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match text.get(name_start..).and_then(|it| it.split_once(':')) {
            Some((last, tag)) => {
                let name = text.get(..name_start + last.len()).unwrap_or_default();
                (name, Some(tag))
            }
            None => (text, None),
        };
        if name.is_empty() {
            return Err(ReferenceError::Empty);
        }
        let Some((registry, repository)) = name.split_once('/') else {
            return Err(no_registry(name));
        };
        // Otherwise it is the first part of a repository at Docker Hub.
        let is_host = registry.contains(['.', ':']) || registry.eq_ignore_ascii_case("localhost");
        if !is_host && is_repository(name) {
            return Err(no_registry(name));
        }
        if !is_registry(registry) {
            let registry = registry.to_owned();
            return Err(ReferenceError::Registry { registry });
        }
        if !is_repository(repository) {
            let repository = repository.to_owned();
            return Err(ReferenceError::Repository { repository });
        }
        // Another name is a registry only because of its capital letters: in lower case, it would
        // be a part of a repository.
        let registry = match is_host {
            true => registry.to_ascii_lowercase(),
            false => registry.to_owned(),
        };
        let is_official = registry == "docker.io" && !repository.contains('/');
        let repository = match is_official {
            true => format!("library/{repository}"),
            false => repository.to_owned(),
        };
        let len = registry.len() + 1 + repository.len();
        if len > MAX_NAME_LEN {
            return Err(ReferenceError::NameTooLong { len });
        }
        Ok(Self {
            place: Place::Registry {
                registry,
                repository,
            },
            tag: tag.map(parse_tag).transpose()?,
            digest,
        })
    }
}

fn no_registry(text: &str) -> ReferenceError {
    ReferenceError::NoRegistry {
        text: text.to_owned(),
    }
}

/// A folder's name may have colons too. What follows the last one is a tag if it can be one.
fn parse_layout(text: &str) -> Result<Reference, ReferenceError> {
    let (text, digest) = match text.contains(DIGEST) {
        true => split_digest(text)?,
        false => (text, None),
    };
    let (folder, tag) = match ends_as_tag(text) {
        Some((folder, tag)) => (folder, Some(parse_tag(tag)?)),
        None => (text, None),
    };
    if folder.is_empty() {
        return Err(ReferenceError::Empty);
    }
    // With another tag or digest, a part of such a folder's name would read as a digest.
    if let Some(at) = format!("{folder}:").find(DIGEST) {
        return Err(ReferenceError::Digest {
            digest: folder.get(at + 1..).unwrap_or_default().to_owned(),
        });
    }
    Ok(Reference {
        place: Place::Layout(PathBuf::from(folder)),
        tag,
        digest,
    })
}

/// What is before and behind the last colon of a folder's name, if the end is a tag.
fn ends_as_tag(text: &str) -> Option<(&str, &str)> {
    let (folder, tag) = text.rsplit_once(':')?;
    (!tag.contains(['/', '\\'])).then_some((folder, tag))
}

fn split_digest(text: &str) -> Result<(&str, Option<Sha256Digest>), ReferenceError> {
    let Some((name, digest)) = text.rsplit_once('@') else {
        return Ok((text, None));
    };
    let hex = digest.strip_prefix("sha256:");
    match hex.and_then(|hex| hex.parse().ok()) {
        Some(digest) => Ok((name, Some(digest))),
        None => Err(ReferenceError::Digest {
            digest: digest.to_owned(),
        }),
    }
}

fn parse_tag(tag: &str) -> Result<String, ReferenceError> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_valid = tag.len() <= MAX_TAG_LEN
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|it| is_word(it) || b".-".contains(&it));
    match is_valid {
        true => Ok(tag.to_owned()),
        false => Err(ReferenceError::Tag {
            tag: tag.to_owned(),
        }),
    }
}

/// A host name, an IPv4 address or an IPv6 address in brackets, with an optional port.
fn is_registry(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, rest)) if address.parse::<std::net::Ipv6Addr>().is_ok() => {
                return rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port);
            }
            _ => return false,
        },
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|it| it.is_ascii_alphanumeric() || it == b'-')
    };
    host.split('.').all(is_label) && port.is_none_or(is_port)
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|it| it.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|it| it > 0)
}

/// Source: OCI Distribution Specification 1.1:
/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*`.
pub(crate) fn is_repository(text: &str) -> bool {
    let is_word = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit();
    let is_part = |part: &str| {
        part.starts_with(is_word)
            && part.ends_with(is_word)
            && part.split(is_word).all(|between| {
                matches!(between, "" | "." | "_" | "__") || between.bytes().all(|it| it == b'-')
            })
    };
    text.split('/').all(is_part)
}

#[cfg(test)]
mod tests;
