//! Why a text is not a reference.

use super::{MAX_LEN, MAX_NAME_LEN, MAX_TAG_LEN};

/// Why a text is not a reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// It is empty, or has nothing before the tag.
    #[error("the reference has no name")]
    Empty,
    /// It is longer than any registry allows.
    #[error("the reference is longer than {MAX_LEN} bytes")]
    TooLong,
    /// Something stands before the registry, such as a user and a password. It is not repeated:
    /// messages end up in logs.
    #[error(
        "leave out what is before `@{rest}`: credentials belong in Docker's configuration \
         (`docker login`)"
    )]
    Credentials {
        /// What follows the `@`.
        rest: String,
    },
    /// It starts like a URL.
    #[error("leave out `{scheme}`: a reference is REGISTRY/REPOSITORY:TAG")]
    Scheme {
        /// `http://` or another.
        scheme: String,
    },
    /// No registry is named.
    #[error("`{text}` names no registry; write REGISTRY/{text}, such as docker.io/{text}")]
    NoRegistry {
        /// The whole name.
        text: String,
    },
    /// The name of the registry is not a host name or address with an optional port.
    #[error("`{registry}` is not a host name or address with an optional port")]
    Registry {
        /// The text before the first slash.
        registry: String,
    },
    /// The name of the repository has letters that registries do not allow.
    #[error(
        "`{repository}` is not a repository name: it has lowercase letters and digits, separated \
         by `/`, `.`, `_`, `__` or dashes"
    )]
    Repository {
        /// The text between registry and tag.
        repository: String,
    },
    /// The repository's name is too long.
    #[error(
        "the repository name has {len} bytes with its registry, and {MAX_NAME_LEN} are allowed"
    )]
    NameTooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// The tag is not valid.
    #[error(
        "`{tag}` is not a tag: at most {MAX_TAG_LEN} letters, digits, `_`, `.` and `-`, and it \
         does not start with `.` or `-`"
    )]
    Tag {
        /// The tag.
        tag: String,
    },
    /// The text after `@` is not a SHA-256 digest.
    #[error("`{digest}` is not `sha256:` and 64 lowercase hexadecimal digits")]
    Digest {
        /// The text.
        digest: String,
    },
}

impl ReferenceError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        "registry-reference"
    }
}
