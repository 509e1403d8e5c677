//! Push: sends artifacts, and everything that travels with them, under one tag.
//!
//! The tag moves last. Until then, readers of the tag see what it named before; content that an
//! unfinished push has sent is under no name.

mod artifact;
mod compress;
mod differences;
mod known;
mod prepare;
mod release;
mod send;
mod signed;

use edgec_artifact::{Sha256Digest, UnixTime, VerityDigest};

use self::prepare::Prepared;
use super::attached::Attached;
use super::log::Traffic;
use super::progress::Progress;
use super::push_error::PushError;
use super::session::Session;
use crate::Reference;

/// How many transfers go on at a time, unless a caller says otherwise.
pub(crate) const CONCURRENCY: usize = 4;

/// What the tag names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// The index, which lists the portable program first.
    #[default]
    Index,
    /// The portable program alone, for clients that refuse an index. The index has the same tag
    /// with `.edgec` behind it.
    Split,
}

/// What is pushed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Push {
    /// The place and the tag.
    pub reference: Reference,
    /// The artifacts: at most one for each target and engine profile, all of one application,
    /// channel, version and program.
    pub artifacts: Vec<PushArtifact>,
    /// The portable program from which they were made, in binary form.
    pub component: Option<Vec<u8>>,
    /// The release that lists them.
    pub release: Option<Vec<u8>>,
    /// The timestamp of the release.
    pub timestamp: Option<Vec<u8>>,
    /// Files that travel with the artifacts, each with a name for messages.
    pub attached: Vec<(String, Attached)>,
    /// What the tag names.
    pub layout: Layout,
    /// The time that the portable program's configuration states. `None`: the beginning of 1970.
    pub created: Option<UnixTime>,
    /// How many transfers go on at a time. At least 1.
    pub concurrency: usize,
    /// Images that hosts may have: differences against them are sent too.
    pub bases: Vec<PushBase>,
    /// Whether there is also a difference against what the tag names now.
    pub differences: bool,
}

impl Push {
    /// A push of artifacts alone.
    pub fn new(reference: Reference, artifacts: Vec<PushArtifact>) -> Self {
        Self {
            reference,
            artifacts,
            component: None,
            release: None,
            timestamp: None,
            attached: Vec::new(),
            layout: Layout::default(),
            created: None,
            concurrency: CONCURRENCY,
            bases: Vec::new(),
            differences: true,
        }
    }
}

/// An artifact that is pushed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PushArtifact {
    /// Its file, for messages.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its debug file.
    pub debug: Option<Vec<u8>>,
}

impl PushArtifact {
    /// An artifact, and the name of its file for messages.
    pub fn new(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self {
            name: name.into(),
            bytes,
            debug: None,
        }
    }
}

/// An image that hosts may have.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PushBase {
    /// That of an artifact. Images for all targets of its family of CPUs are compared with it.
    Artifact(PushArtifact),
    /// Those of a reference. Each is compared with the image for the same target and profile.
    Reference(Reference),
}

/// What a push has put there.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Pushed {
    /// The application.
    pub application: String,
    /// Its channel.
    pub channel: Option<String>,
    /// Its version.
    pub version: u64,
    /// The digest of the index.
    pub digest: Sha256Digest,
    /// The tag of the index.
    pub tag: String,
    /// The digest of the portable program's manifest.
    pub portable: Option<Sha256Digest>,
    /// The native images, in the order of the index.
    pub natives: Vec<PushedNative>,
    /// The serial of the release.
    pub serial: Option<u64>,
    /// What was asked of the place.
    pub traffic: Traffic,
}

/// A native image that was pushed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PushedNative {
    /// Its target.
    pub target: String,
    /// Its engine profile.
    pub profile: String,
    /// The digest of its manifest.
    pub digest: Sha256Digest,
    /// Length of the image in bytes.
    pub length: u64,
    /// Length of the compressed image in bytes.
    pub compressed: u64,
    /// Whether the compressed image was there before.
    pub was_there: bool,
    /// Its differences against other images.
    pub differences: Vec<PushedDifference>,
}

/// A difference that was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PushedDifference {
    /// The other image.
    pub base: VerityDigest,
    /// Length of the difference in bytes.
    pub bytes: u64,
}

impl Session {
    /// Pushes artifacts. The same artifacts and statements give the same digests, whenever and
    /// wherever this version pushes them, if the differences have the same bases.
    ///
    /// # Errors
    ///
    /// [`PushError`]. Then the tag names what it named before.
    pub fn push(&self, push: &Push, progress: &dyn Progress) -> Result<Pushed, PushError> {
        let prepared = Prepared::new(push)?;
        send::send(self, push, &prepared, progress)
    }
}
