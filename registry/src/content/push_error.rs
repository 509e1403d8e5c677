//! Why a push sends nothing, or ends.

use std::io;

use edgec_artifact::{CompanionError, Sha256Digest};
use edgec_verifier::{ReleasePart, VerifyError};

use super::pull_error::{MalformedManifest, PullError};
use crate::RegistryError;

/// Why artifacts are not pushed. Until the end of a push, the tag names what it named before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// The place does not do what it was asked for.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// There is no artifact to push.
    #[error("no artifact is named")]
    NoArtifact,
    /// A file is not an artifact, or is damaged.
    #[error("`{name}` is not a sound artifact")]
    Artifact {
        /// The file.
        name: String,
        /// What is wrong with it.
        source: VerifyError,
    },
    /// No host takes an artifact without signatures.
    #[error("`{name}` has no signature, and no host would take it")]
    Unsigned {
        /// The file.
        name: String,
    },
    /// Artifacts of two programs, versions or channels cannot have one tag.
    #[error("its {what} is `{found}`, that of the first artifact is `{first}`")]
    OtherApplication {
        /// The file.
        name: String,
        /// What differs.
        what: &'static str,
        /// The value of this artifact.
        found: String,
        /// The value of the first artifact.
        first: String,
    },
    /// Two artifacts are for the same target and engine profile.
    #[error("it is for {fits}, and so is `{other}`")]
    SameTarget {
        /// The file.
        name: String,
        /// The target and profile.
        fits: String,
        /// The other file.
        other: String,
    },
    /// The reference has a digest. A push decides the digest.
    #[error("the reference has a digest, which a push cannot choose")]
    DigestGiven,
    /// The portable program is not WebAssembly in its binary form.
    #[error("the portable program is not WebAssembly in its binary form: {what}")]
    NotWasm {
        /// What is wrong with it.
        what: String,
    },
    /// The artifacts were made from another program.
    #[error(
        "the portable program has the SHA-256 {found}, and the artifacts were made from {wanted}"
    )]
    OtherProgram {
        /// The digest of the program.
        found: Sha256Digest,
        /// The digest in the manifests.
        wanted: Sha256Digest,
    },
    /// In the split layout, the tag names the portable program.
    #[error("the split layout puts the portable program under the tag, and none is named")]
    NoComponent,
    /// A file that travels with the artifacts is about another one.
    #[error("`{name}` is about none of the artifacts")]
    AboutNothing {
        /// The file.
        name: String,
    },
    /// More files, or longer ones, would travel with an artifact than hosts read.
    #[error("too much travels with the artifact for {fits}")]
    TooMuch {
        /// The target and profile.
        fits: String,
        /// What there is too much of.
        source: MalformedManifest,
    },
    /// The release or its timestamp is malformed.
    #[error("the {} is malformed", part.name())]
    Statement {
        /// Which of the two.
        part: ReleasePart,
        /// What is wrong with it.
        source: CompanionError,
    },
    /// The release does not list an artifact.
    #[error("the release does not list this artifact for {fits}")]
    Unlisted {
        /// The file.
        name: String,
        /// The target and profile.
        fits: String,
    },
    /// The release lists artifacts that are not pushed. Hosts would refuse the rest.
    #[error("the release also lists {}, and no such artifact is named", fits.join(", "))]
    Incomplete {
        /// The target and profile of each.
        fits: Vec<String>,
    },
    /// The timestamp is about another release.
    #[error("the timestamp is about release {stated}, and the given release is {found}")]
    OtherRelease {
        /// The digest in the timestamp.
        stated: Sha256Digest,
        /// The digest of the release.
        found: Sha256Digest,
    },
    /// A timestamp says nothing without its release.
    #[error("a timestamp is given without its release")]
    TimestampAlone,
    /// A reference whose images should be bases cannot be read.
    #[error("`{what}` cannot be a base")]
    Base {
        /// The reference.
        what: String,
        /// Why.
        source: Box<PullError>,
    },
    /// A temporary file cannot be written or read.
    #[error("cannot keep a compressed file in the temporary folder")]
    Temporary(#[source] io::Error),
}

impl PushError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Registry(error) => error.code(),
            Self::NoArtifact => "push-no-artifact",
            Self::Artifact { source, .. } => source.code(),
            Self::Unsigned { .. } => "no-signature",
            Self::OtherApplication { .. } | Self::SameTarget { .. } => "push-artifacts",
            Self::DigestGiven => "push-digest",
            Self::NotWasm { .. } => "not-wasm",
            Self::OtherProgram { .. } => "push-program",
            Self::NoComponent => "push-no-component",
            Self::AboutNothing { .. } => "push-about-nothing",
            Self::TooMuch { .. } => "push-too-much",
            Self::Statement { part, .. } => match part {
                ReleasePart::Timestamp => "timestamp-statement",
                _ => "release-statement",
            },
            Self::Unlisted { .. } | Self::Incomplete { .. } => "push-release",
            Self::OtherRelease { .. } | Self::TimestampAlone => "push-timestamp",
            Self::Base { source, .. } => source.code(),
            Self::Temporary(_) => "io",
        }
    }

    /// The file that the error is about, if it is about one.
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::Artifact { name, .. }
            | Self::Unsigned { name }
            | Self::OtherApplication { name, .. }
            | Self::SameTarget { name, .. }
            | Self::AboutNothing { name }
            | Self::Unlisted { name, .. } => Some(name),
            _ => None,
        }
    }
}
