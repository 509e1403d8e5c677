//! Why a pull takes nothing, or ends.

use std::io;
use std::path::PathBuf;

use edgec_artifact::{LayoutError, Sha256Digest, VerityDigest};
use edgec_differences::DifferenceError;
use edgec_store::AdmissionError;
use edgec_verifier::{ReleaseRefusal, VerifyError};

pub(crate) use super::decode::MalformedManifest;
use crate::RegistryError;

/// Why artifacts are not pulled, or not admitted to a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PullError {
    /// The place does not do what it was asked for.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A manifest or an index is not one that edgec reads.
    #[error("{what} is malformed")]
    Malformed {
        /// The manifest, and its place.
        what: String,
        /// What is wrong with it.
        source: MalformedManifest,
    },
    /// The reference names something else, such as a container image.
    #[error("{what} has no native image of edgec: it is of type `{media_type}`")]
    NotEdgec {
        /// The reference.
        what: String,
        /// The media type of what it names.
        media_type: String,
    },
    /// The reference names a portable program, and no index with native images belongs to it.
    #[error("{what} has a portable program, and no native images")]
    NoNatives {
        /// The reference.
        what: String,
    },
    /// In the split layout, the index belongs to another portable program than the tag names.
    #[error("the native images under {split} belong to another program: {stated}, not {found}")]
    OtherSubject {
        /// The tag of the index.
        split: String,
        /// The digest of the program's manifest that the index names.
        stated: String,
        /// The digest of the one under the tag.
        found: Sha256Digest,
    },
    /// None of the native images is for this host.
    #[error(
        "no native image is for {host}; there are images for {}",
        listed(offered)
    )]
    NoFit {
        /// The host in words.
        host: String,
        /// The target and profile of each image that there is.
        offered: Vec<String>,
        /// Why the host cannot run those that its CPU could run.
        unfit: Vec<String>,
    },
    /// There is no native image for a target that was asked for.
    #[error(
        "no native image is for {wanted}; there are images for {}",
        listed(offered)
    )]
    NoTarget {
        /// What was asked for.
        wanted: String,
        /// The target and profile of each image that there is.
        offered: Vec<String>,
    },
    /// The index and the signed manifest do not agree about an image.
    #[error("the index lists an image for {listed}, but its signed manifest says {stated}")]
    Misplaced {
        /// What the index says.
        listed: String,
        /// What the manifest says.
        stated: String,
    },
    /// An artifact of another release than the one beside it.
    #[error(
        "releases are mixed: {}",
        mixed(fits, *serial, *image, *listed, manifests.as_deref())
    )]
    Mixed {
        /// The target and profile.
        fits: String,
        /// The serial of the release.
        serial: u64,
        /// The image that is there.
        image: VerityDigest,
        /// The image that the release lists for the target and profile.
        listed: Option<VerityDigest>,
        /// If it is the same image: the SHA-256 of the signed manifest that is there, and of the
        /// one that the release lists.
        manifests: Option<Box<[Sha256Digest; 2]>>,
    },
    /// The release lists artifacts that the index lacks.
    #[error("release {serial} is incomplete: it also lists {}", listed(missing))]
    Incomplete {
        /// The serial of the release.
        serial: u64,
        /// The target and profile of each artifact that is not there.
        missing: Vec<String>,
    },
    /// The bytes that came are not those that were signed.
    #[error("the image for {fits} has the SHA-256 {found}, and {signed} was signed")]
    OtherBytes {
        /// The target and profile.
        fits: String,
        /// The digest of what came.
        found: Sha256Digest,
        /// The signed digest.
        signed: Sha256Digest,
    },
    /// The artifacts were made from another program than the one that the index lists. It was not
    /// fetched.
    #[error(
        "the portable program has the SHA-256 {found}, and the artifacts were made from {signed}"
    )]
    OtherProgram {
        /// The digest of the program.
        found: Sha256Digest,
        /// The digest in a signed manifest or in the signed release.
        signed: Sha256Digest,
    },
    /// What came is not as long as it should be.
    #[error("{what} has {found} bytes, and {wanted} were expected")]
    Length {
        /// What it is.
        what: String,
        /// Length in bytes; one more than expected if more came.
        found: u64,
        /// The length that was signed.
        wanted: u64,
    },
    /// Something is longer than edgec takes, as the place says or as it comes.
    #[error("{what} has {found} bytes, and edgec takes at most {most}")]
    TooLong {
        /// What it is.
        what: String,
        /// Length in bytes.
        found: u64,
        /// The limit, in bytes.
        most: u64,
    },
    /// What came cannot be decompressed.
    #[error("{what} cannot be decompressed")]
    Compressed {
        /// What it is.
        what: String,
        /// What the decompressor says.
        source: io::Error,
    },
    /// The policy refuses the artifact. Its image was not fetched.
    #[error("the artifact for {fits} is not trusted")]
    Verify {
        /// The target and profile.
        fits: String,
        /// Why.
        source: VerifyError,
    },
    /// The policy refuses the release or its timestamp. Nothing else was fetched.
    #[error("the release is not trusted")]
    Release(#[source] ReleaseRefusal),
    /// An envelope is not one.
    #[error("the envelope for {fits} is malformed")]
    Envelope {
        /// The target and profile.
        fits: String,
        /// What is wrong with it.
        source: LayoutError,
    },
    /// The store does not take the artifact.
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    /// A difference cannot be applied. Another way is tried then, and this says why.
    #[error("it cannot be applied")]
    Difference(#[source] DifferenceError),
    /// A temporary file cannot be written or read.
    #[error("`{}`", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl PullError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Registry(error) => error.code(),
            Self::Malformed { .. } | Self::Misplaced { .. } => "pull-manifest",
            Self::NotEdgec { .. } | Self::NoNatives { .. } => "pull-no-natives",
            Self::OtherSubject { .. } => "pull-split",
            Self::NoFit { .. } | Self::NoTarget { .. } => "pull-no-fit",
            Self::Mixed { .. } => "pull-mixed",
            Self::Incomplete { .. } => "pull-incomplete",
            Self::OtherProgram { .. } => "pull-other-program",
            Self::OtherBytes { .. } => "pull-other-bytes",
            Self::Length { .. } | Self::TooLong { .. } | Self::Compressed { .. } => "pull-damaged",
            Self::Verify { source, .. } => source.code(),
            Self::Release(error) => error.code(),
            Self::Envelope { .. } => "layout",
            Self::Admission(error) => error.code(),
            Self::Difference(error) => error.code(),
            Self::Io { .. } => "io",
        }
    }

    /// Whether the same pull may succeed later, although nothing is changed here.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Registry(error) => error.is_temporary(),
            // A push may be under way.
            Self::OtherSubject { .. } => true,
            _ => false,
        }
    }
}

/// A list for a message.
fn listed(items: &[String]) -> String {
    match items {
        [] => "no target".to_owned(),
        items => items.join(", "),
    }
}

/// How an artifact differs from the one that a release lists: in its image, or else in its signed
/// manifest.
fn mixed(
    fits: &str,
    serial: u64,
    image: VerityDigest,
    listed: Option<VerityDigest>,
    manifests: Option<&[Sha256Digest; 2]>,
) -> String {
    match (listed, manifests) {
        (_, Some([found, listed])) => format!(
            "the signed manifest for {fits} is sha256:{found}, and release {serial} lists \
             sha256:{listed} with the same image"
        ),
        (Some(listed), None) => {
            format!("the image for {fits} is {image}, and release {serial} lists {listed}")
        }
        (None, None) => {
            format!("the image for {fits} is {image}, and release {serial} lists none for it")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixed_releases_are_told_apart() {
        let (image, other) = (VerityDigest([1; 32]), VerityDigest([2; 32]));
        let manifests = [Sha256Digest([3; 32]), Sha256Digest([4; 32])];
        let said = |listed, manifests| mixed("a (b)", 7, image, listed, manifests);
        assert_eq!(
            said(None, None),
            format!("the image for a (b) is {image}, and release 7 lists none for it")
        );
        assert_eq!(
            said(Some(other), None),
            format!("the image for a (b) is {image}, and release 7 lists {other}")
        );
        let same = said(Some(image), Some(&manifests));
        for digest in manifests {
            assert!(same.contains(&format!("sha256:{digest}")), "{same}");
        }
    }
}
