//! What is known of an artifact before its image comes: signatures, and the rules of the policy.
//!
//! The envelope is judged alone first. The files beside an artifact can be long, so edgec fetches
//! one only if the policy reads it and the verdict depends on it, or if it explains a warning.

use std::collections::BTreeSet;
use std::sync::Arc;

use edgec_artifact::{Attestation, ProvenanceClaims, Release, Sha256Digest};
use edgec_verifier::{
    Expected, ProvenanceRefusal, TrustPolicy, UnixTime, VerifyError, verify_ahead,
};

use super::super::attached::AttachedKind::{self, CycloneDx, LogProof, Provenance, Rebuild, Spdx};
use super::super::offer::Offer;
use super::super::progress::Unseen;
use super::super::pull_error::PullError;
use super::chosen::Chosen;
use crate::Descriptor;

/// What is demanded of an artifact.
pub(crate) struct Asked<'a> {
    pub(crate) policy: &'a TrustPolicy,
    pub(crate) release: Option<&'a Release>,
    pub(crate) now: UnixTime,
}

/// An artifact that the policy accepts as far as can be said without its image.
pub(crate) struct Judged {
    /// What a caller expects, with the files that the verdict depends on.
    pub(crate) expected: Expected,
    /// These files: their kinds, the digests of their layers, and their content.
    pub(crate) read: Vec<(AttachedKind, String, Arc<[u8]>)>,
}

impl Asked<'_> {
    /// Judges everything except the image.
    fn judge(&self, chosen: &Chosen, expected: &Expected) -> Result<(), VerifyError> {
        verify_ahead(&chosen.encoded, self.policy, expected, self.now).map(|_| ())
    }

    /// Whether the release lists the artifact.
    pub(crate) fn is_of_release(&self, chosen: &Chosen) -> Result<(), PullError> {
        let Some(release) = self.release else {
            return Ok(());
        };
        let payload = Sha256Digest::of(chosen.envelope.payload());
        if release.lists(payload) {
            return Ok(());
        }
        let manifest = &chosen.manifest;
        let listed = release.artifact(&manifest.target.id, &manifest.engine.profile);
        let image = manifest.image.fsverity;
        let same = listed.filter(|it| it.image.fsverity == image);
        Err(PullError::Mixed {
            fits: chosen.fits(),
            serial: release.serial,
            image,
            listed: listed.map(|it| it.image.fsverity),
            manifests: same.map(|it| Box::new([payload, it.manifest])),
        })
    }
}

impl Offer {
    /// Judges an artifact without its image. Of the files beside it, those that the verdict depends
    /// on are fetched, one after the other.
    pub(crate) fn judged(
        &self,
        chosen: &Chosen,
        asked: &Asked<'_>,
        expected: &Expected,
    ) -> Result<Judged, PullError> {
        let mut left = chosen.beside(|it| it.is_read_by(asked.policy))?;
        let mut judged = Judged {
            expected: expected.clone(),
            read: Vec::new(),
        };
        while let Err(error) = asked.judge(chosen, &judged.expected) {
            let mut kinds = cures(&error).iter();
            let next = kinds.find_map(|kind| left.iter().position(|(it, _)| it == kind));
            let Some(next) = next else {
                return Err(PullError::Verify {
                    fits: chosen.fits(),
                    source: error,
                });
            };
            let (kind, layer) = left.remove(next);
            judged = self.read_beside(chosen, kind, layer, judged)?;
        }
        // A rule that only warns says more with its files.
        left.retain(|(kind, _)| !judged.has(*kind));
        for (kind, layer) in left {
            judged = self.read_beside(chosen, kind, layer, judged)?;
        }
        Ok(judged)
    }

    /// Fetches a file for a verdict.
    fn read_beside(
        &self,
        chosen: &Chosen,
        kind: AttachedKind,
        layer: &Descriptor,
        mut judged: Judged,
    ) -> Result<Judged, PullError> {
        let what = format!("{} for {}", kind.name(), chosen.fits());
        let bytes = Arc::from(self.small(layer, kind.limit(), &what, &Unseen)?);
        judged.expected = kind.given(judged.expected, Arc::clone(&bytes));
        judged.read.push((kind, layer.digest.clone(), bytes));
        Ok(judged)
    }
}

impl Judged {
    /// The layers that the policy accepts, by kind and digest. `given` is what a caller expected
    /// before any of these files was read. A file counts if the policy would refuse the artifact
    /// without it: another of its kind may have been read in vain. A bill of materials counts if a
    /// provenance that counts lists it.
    pub(crate) fn accepted(
        &self,
        chosen: &Chosen,
        asked: &Asked<'_>,
        given: &Expected,
    ) -> BTreeSet<(AttachedKind, String)> {
        let is_sbom = |kind| matches!(kind, CycloneDx | Spdx);
        let mut accepted = BTreeSet::new();
        let mut listed = Vec::new();
        for (at, (kind, digest, bytes)) in self.read.iter().enumerate() {
            if is_sbom(*kind) {
                continue;
            }
            let others = self
                .read
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != at);
            let without = others.fold(given.clone(), |expected, (_, (kind, _, bytes))| {
                kind.given(expected, Arc::clone(bytes))
            });
            if asked.judge(chosen, &without).is_ok() {
                continue;
            }
            accepted.insert((*kind, digest.clone()));
            if *kind == Provenance
                && let Ok(attestation) = Attestation::decode(bytes)
                && let Ok(claims) = ProvenanceClaims::decode(attestation.payload())
            {
                let sboms = claims.sboms.iter().map(|it| format!("sha256:{it}"));
                listed.extend(sboms.flat_map(|it| [(CycloneDx, it.clone()), (Spdx, it)]));
            }
        }
        accepted.extend(listed);
        accepted
    }

    /// Whether a file of this kind was read. One bill of materials is as good as another.
    fn has(&self, kind: AttachedKind) -> bool {
        let group = |kind| match kind {
            Spdx => CycloneDx,
            kind => kind,
        };
        let mut read = self.read.iter();
        read.any(|(it, ..)| group(*it) == group(kind))
    }
}

/// The kinds of files that can turn this refusal into another verdict, the best first.
fn cures(error: &VerifyError) -> &'static [AttachedKind] {
    match error {
        // A log says since when a signature is known, which counts for keys that are revoked.
        VerifyError::Threshold { .. } | VerifyError::Log(_) => &[LogProof],
        VerifyError::Provenance(
            ProvenanceRefusal::SbomMissing | ProvenanceRefusal::OtherSbom { .. },
        ) => &[CycloneDx, Spdx, Provenance],
        VerifyError::Provenance(_) => &[Provenance],
        VerifyError::Notary(_) => &[Rebuild],
        _ => &[],
    }
}
