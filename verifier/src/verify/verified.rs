//! A verified artifact.

use std::ops::Range;

use edgec_artifact::{Manifest, Sha256Digest, UnixTime};

use crate::check::Check;
use crate::release::{VerifiedRelease, VerifiedTimestamp};
use crate::signer::AcceptedSignature;

/// A verified artifact. Enough trusted keys have signed it, it was not changed since, the image is
/// as the manifest describes it, and the policy accepts it.
#[derive(Debug)]
pub struct VerifiedArtifact<'a> {
    pub(super) image: &'a [u8],
    pub(super) envelope: &'a [u8],
    pub(super) manifest: Manifest,
    pub(super) accepted: Vec<AcceptedSignature>,
    pub(super) checks: Vec<Check>,
    pub(super) holds: Range<UnixTime>,
    pub(super) payload: Sha256Digest,
    pub(super) release: Option<VerifiedRelease>,
    pub(super) timestamp: Option<VerifiedTimestamp>,
    pub(super) notaries: Vec<AcceptedSignature>,
    pub(super) rebuilds: Vec<Vec<u8>>,
    pub(super) file_sha256: Option<Sha256Digest>,
}

impl<'a> VerifiedArtifact<'a> {
    /// The verified image.
    pub fn image(&self) -> &'a [u8] {
        self.image
    }

    /// The envelope as it stands in the file.
    pub fn envelope(&self) -> &'a [u8] {
        self.envelope
    }

    /// The verified manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The manifest, taken out of the artifact.
    pub fn into_manifest(self) -> Manifest {
        self.manifest
    }

    /// SHA-256 of the payload of the envelope.
    pub fn payload(&self) -> Sha256Digest {
        self.payload
    }

    /// The signatures that counted, each key once.
    pub fn accepted(&self) -> &[AcceptedSignature] {
        &self.accepted
    }

    /// The release that the artifact belongs to, if one was given and enough keys have signed it.
    pub fn release(&self) -> Option<&VerifiedRelease> {
        self.release.as_ref()
    }

    /// The timestamp of the newest release that was given.
    pub fn timestamp(&self) -> Option<&VerifiedTimestamp> {
        self.timestamp.as_ref()
    }

    /// The signatures of the notaries that have rebuilt the artifact, each once.
    pub fn notaries(&self) -> &[AcceptedSignature] {
        &self.notaries
    }

    /// The notaries' statements that counted.
    pub fn rebuilds(&self) -> &[Vec<u8>] {
        &self.rebuilds
    }

    /// The times at which the same policy gives the same verdict.
    pub fn holds(&self) -> Range<UnixTime> {
        self.holds.clone()
    }

    /// The SHA-256 of the whole file, for reports. `None` if it was not computed: the artifact was
    /// not in one file, or only its fs-verity digest was wanted.
    pub fn file_sha256(&self) -> Option<Sha256Digest> {
        self.file_sha256
    }

    /// Every check that was made, in order. None of them failed; some may warn.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }
}
