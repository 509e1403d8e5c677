//! Copies what a reference names to another place: every manifest and blob below it, and what
//! refers to them. Nothing is rewritten, so the digests stay the same. The tag moves last.

mod walk;

use edgec_artifact::Sha256Digest;

use super::decode::MalformedManifest;
use super::index::{SPLIT_ENDING, is_index};
use super::log::Traffic;
use super::progress::Progress;
use super::session::Session;
use crate::{Reference, RegistryError, Sent, StoredManifest, Which};

/// Why something is not copied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// A place does not do what it was asked for.
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
    /// A manifest is deeper below the reference than any push puts it: indexes list indexes, or
    /// referrers have referrers.
    #[error(
        "the manifest sha256:{digest} is too deep: {depth} indexes and referrers lead to it, and \
         edgec follows at most {most}"
    )]
    TooDeep {
        /// Its digest.
        digest: Sha256Digest,
        /// How many indexes and referrers lead to it.
        depth: usize,
        /// How many may lead to a manifest.
        most: usize,
    },
    /// There are more manifests than any reference of edgec has.
    #[error("there are more than {most} manifests below the reference")]
    TooMany {
        /// The limit.
        most: usize,
    },
    /// A manifest lists a longer blob than edgec copies.
    #[error("the blob {digest} has {found} bytes, and edgec copies at most {most} of its kind")]
    TooLong {
        /// Its digest.
        digest: String,
        /// The length that the manifest states, in bytes.
        found: u64,
        /// The limit, in bytes.
        most: u64,
    },
    /// The target has a digest. A copy has the digest of its source.
    #[error("the target has a digest, which a copy cannot choose: {found}")]
    OtherDigest {
        /// The digest of the source.
        found: Sha256Digest,
    },
}

impl CopyError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Registry(error) => error.code(),
            Self::Malformed { .. }
            | Self::TooDeep { .. }
            | Self::TooMany { .. }
            | Self::TooLong { .. } => "copy-manifest",
            Self::OtherDigest { .. } => "push-digest",
        }
    }
}

/// What a copy has put there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Copied {
    /// The digest of what the tag names.
    pub digest: Sha256Digest,
    /// How many manifests were written.
    pub manifests: usize,
    /// How many of them refer to others, such as signatures for other tools.
    pub referrers: usize,
    /// How many blobs were there before.
    pub existed: usize,
    /// How many blobs the registry took over from another repository.
    pub mounted: usize,
    /// How many blobs were sent.
    pub uploaded: usize,
    /// What was asked of the source.
    pub from: Traffic,
    /// What was asked of the target.
    pub to: Traffic,
}

impl Copied {
    fn count(&mut self, sent: Sent) {
        match sent {
            Sent::Existed => self.existed += 1,
            Sent::Uploaded(_) => self.uploaded += 1,
        }
    }
}

impl Session {
    /// Copies what `from` names to `to`. If it is a portable program in the split layout, its index
    /// is copied too, under the tag of `to` with `.edgec` behind it.
    ///
    /// # Errors
    ///
    /// [`CopyError`]. Then the tag names what it named before.
    pub fn copy(
        &self,
        from: &Reference,
        to: &Reference,
        progress: &dyn Progress,
    ) -> Result<Copied, CopyError> {
        let (source, target) = (self.place(from)?, self.place(to)?);
        let before = (source.traffic(), target.traffic());
        let absent = || RegistryError::Absent {
            place: source.name(),
            what: from.to_string(),
        };
        let found = source.manifest(&from.which(), None)?;
        let found = found.ok_or_else(absent)?;
        if to.digest().is_some_and(|digest| digest != found.digest) {
            let found = found.digest;
            return Err(CopyError::OtherDigest { found });
        }
        let same_registry = from.registry().is_some() && from.registry() == to.registry();
        let mut walk = walk::Walk::new(&source, &target, progress);
        if same_registry && from.repository() != to.repository() {
            walk.mount_from = from.repository();
        }
        let tag = to.tag_to_write();
        let split = match (is_index(&found.media_type), from.tag_to_write()) {
            (false, Some(tag)) if from.digest().is_none() => {
                let which = Which::Tag(format!("{tag}{SPLIT_ENDING}"));
                match source.manifest(&which, None) {
                    Err(error) if error.is_absence() => None,
                    index => index?.filter(|it| is_index(&it.media_type)),
                }
            }
            _ => None,
        };
        if let Some(index) = &split {
            let tag = tag.map(|tag| format!("{tag}{SPLIT_ENDING}"));
            walk.copy(index, tag.as_deref())?;
        }
        walk.copy(&found, tag)?;
        let mut copied = walk.copied(found.digest);
        copied.from = source.traffic().since(before.0);
        copied.to = target.traffic().since(before.1);
        Ok(copied)
    }
}

/// The manifest and its place, for messages.
fn named(found: &StoredManifest, place: &str) -> String {
    format!("the manifest sha256:{} of {place}", found.digest)
}
