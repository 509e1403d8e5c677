//! Artifacts and what travels with them as files, for a pull without a store. Nothing is in memory
//! as a whole, except for files that a policy reads.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;

use edgec_artifact::{Manifest, Sha256Digest};
use edgec_files::Unnamed;
use edgec_store::verify_unnamed;
use edgec_verifier::{
    Expected, TrustPolicy, UnixTime, VerifiedRelease, verify_release, verify_timestamp,
};

use super::admit::{Asked, Chosen, Judged};
use super::attached::AttachedKind;
use super::decompressed::decompressed;
use super::fetch::{self, AdmitOptions};
use super::native::NativeEntry;
use super::offer::Offer;
use super::progress::Progress;
use super::pull_error::PullError;
use crate::{Descriptor, RegistryError};

/// What artifacts that are taken without a store must fulfil.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Demands<'a> {
    /// The trust policy.
    pub policy: &'a TrustPolicy,
    /// What the caller expects. The release and the timestamp of the offer are added.
    pub expected: &'a Expected,
    /// The time.
    pub now: UnixTime,
}

impl<'a> Demands<'a> {
    /// A policy, what a caller expects, and the time.
    pub fn new(policy: &'a TrustPolicy, expected: &'a Expected, now: UnixTime) -> Self {
        Self {
            policy,
            expected,
            now,
        }
    }
}

/// An artifact that is taken as it was pushed. Without demands, nothing about it is verified,
/// except that its image has the digest that its own manifest states.
pub struct Taken<'o> {
    offer: &'o Offer,
    chosen: Chosen,
    beside: Vec<Beside>,
    judged: Option<(&'o Demands<'o>, Judged)>,
}

impl std::fmt::Debug for Taken<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Taken");
        shown.field("fits", &self.chosen.fits());
        shown.field("beside", &self.beside).finish_non_exhaustive()
    }
}

/// A file beside an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Beside {
    /// What it says it is.
    pub kind: AttachedKind,
    /// Whether the demands cover it: the policy accepts it, or a provenance that the policy accepts
    /// lists it. Always false without demands.
    pub verified: bool,
    layer: Descriptor,
    /// Its place among the files of its kind beside this artifact, from 1.
    number: usize,
}

impl Beside {
    /// The digest of its content as the registry has it. Files of one kind with the same digest are
    /// the same.
    pub fn digest(&self) -> &str {
        &self.layer.digest
    }

    /// The ending of its file, behind the artifact's name without `.cwasm`: that of its kind, such
    /// as `cdx.json`. An artifact may have several files of a kind, and each further one has its
    /// number in front of that: `2.cdx.json`. So a folder can get all of them.
    pub fn ending(&self) -> String {
        match self.number {
            1 => self.kind.ending().to_owned(),
            number => format!("{number}.{}", self.kind.ending()),
        }
    }

    /// The layers beside an artifact, of which these are accepted. Among the files of a kind, those
    /// come first: if someone adds another one, a verified file keeps the name without a number.
    fn all(
        layers: Vec<(AttachedKind, &Descriptor)>,
        accepted: &BTreeSet<(AttachedKind, String)>,
    ) -> Vec<Self> {
        let mut all: Vec<Self> = layers
            .into_iter()
            .map(|(kind, layer)| Self {
                kind,
                verified: accepted.contains(&(kind, layer.digest.clone())),
                layer: layer.clone(),
                number: 1,
            })
            .collect();
        all.sort_by_key(|it| (it.kind, !it.verified));
        for of_kind in all.chunk_by_mut(|one, other| one.kind == other.kind) {
            for (file, number) in of_kind.iter_mut().zip(1..) {
                file.number = number;
            }
        }
        all
    }
}

/// What demands say about the release of an offer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Vouched {
    /// Whether the policy accepts the release.
    pub release: bool,
    /// Whether the policy accepts its timestamp.
    pub timestamp: bool,
    /// The SHA-256 of the program that the release states, if the policy accepts the release.
    pub program: Option<Sha256Digest>,
}

impl Offer {
    /// Whether the policy accepts the release and its timestamp. Whether it demands them decides
    /// [`Self::take`].
    ///
    /// # Errors
    ///
    /// [`PullError`], if they cannot be fetched.
    pub fn vouched(&self, demands: &Demands<'_>) -> Result<Vouched, PullError> {
        let Some(statements) = self.release()? else {
            return Ok(Vouched::default());
        };
        let (policy, now) = (demands.policy, demands.now);
        let verified = verify_release(&statements.release, policy, now).ok();
        let expected = |it: &VerifiedRelease| it.check_expected(demands.expected).is_ok();
        let Some(verified) = verified.filter(expected) else {
            return Ok(Vouched::default());
        };
        let stamp = statements.timestamp.as_deref();
        let is_newest = |it| verify_timestamp(it, &verified, policy, now).is_ok();
        Ok(Vouched {
            release: true,
            timestamp: stamp.is_some_and(is_newest),
            program: Some(verified.release.program.sha256),
        })
    }

    /// Takes an artifact. With demands, it is judged as far as that is possible without its image.
    ///
    /// # Errors
    ///
    /// [`PullError`].
    pub fn take<'o>(
        &'o self,
        entry: &NativeEntry,
        demands: Option<&'o Demands<'o>>,
    ) -> Result<Taken<'o>, PullError> {
        let chosen = self.look_at(entry)?;
        let (judged, accepted) = match demands {
            None => (None, BTreeSet::new()),
            Some(demands) => {
                let (judged, accepted) = self.judged_by(&chosen, demands)?;
                (Some((demands, judged)), accepted)
            }
        };
        let beside = Beside::all(chosen.beside(|_| true)?, &accepted);
        Ok(Taken {
            offer: self,
            beside,
            chosen,
            judged,
        })
    }

    /// Judges an artifact. Also gives the layers beside it that count.
    fn judged_by(
        &self,
        chosen: &Chosen,
        demands: &Demands<'_>,
    ) -> Result<(Judged, BTreeSet<(AttachedKind, String)>), PullError> {
        let mut expected = demands.expected.clone();
        if let Some(statements) = self.release()? {
            expected = expected.with_release(statements.release);
            if let Some(timestamp) = statements.timestamp {
                expected = expected.with_timestamp(timestamp);
            }
        }
        let asked = Asked {
            policy: demands.policy,
            // The policy's own rule about releases decides.
            release: None,
            now: demands.now,
        };
        let judged = self.judged(chosen, &asked, &expected)?;
        let accepted = judged.accepted(chosen, &asked, &expected);
        Ok((judged, accepted))
    }
}

impl Taken<'_> {
    /// What the artifact states about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.chosen.manifest
    }

    /// The SHA-256 of the program from which it was made, as its manifest states. `None` without
    /// demands: then no signature was verified.
    pub fn signed_program(&self) -> Option<Sha256Digest> {
        let input = &self.chosen.manifest.source.input;
        self.judged.as_ref().map(|_| input.sha256)
    }

    /// What travels with it, by kind. The files of each kind come in the order of their numbers
    /// ([`Beside::ending`]).
    pub fn beside(&self) -> &[Beside] {
        &self.beside
    }

    /// Fetches the artifact into an empty file, which lies in `folder`. With demands, the whole is
    /// verified. Throw the file away if there is an error.
    ///
    /// # Errors
    ///
    /// [`PullError`].
    pub fn fetch(
        &self,
        into: &mut Unnamed,
        folder: &Path,
        progress: &dyn Progress,
    ) -> Result<(), PullError> {
        let chosen = &self.chosen;
        let failed = |source| PullError::Io {
            path: folder.to_owned(),
            source,
        };
        // This refuses an image that is longer than any.
        let behind = chosen.behind()?;
        let options = AdmitOptions::default();
        let wanted = fetch::Wanted {
            place: &self.offer.place,
            manifest: &chosen.listed,
            image: &chosen.manifest.image,
            fits: chosen.fits(),
            store: None,
            folder: folder.to_owned(),
            options: &options,
            progress,
        };
        fetch::image(&wanted, into)?;
        if let Some((demands, judged)) = &self.judged {
            let (policy, expected) = (demands.policy, &judged.expected);
            let verified = verify_unnamed(into, &chosen.encoded, policy, expected, demands.now);
            verified
                .map_err(failed)?
                .map_err(|source| PullError::Verify {
                    fits: chosen.fits(),
                    source,
                })?;
        }
        into.write_all(&behind).map_err(failed)
    }

    /// Fetches a file beside the artifact into an empty file, which lies in `folder`, uncompressed.
    /// Throw the file away if there is an error.
    ///
    /// # Errors
    ///
    /// [`PullError`].
    pub fn fetch_beside(
        &self,
        beside: &Beside,
        into: &mut Unnamed,
        folder: &Path,
        progress: &dyn Progress,
    ) -> Result<(), PullError> {
        let Beside { kind, layer, .. } = beside;
        let what = format!("{} for {}", kind.name(), self.chosen.fits());
        let read = self.judged.iter().flat_map(|(_, judged)| &judged.read);
        let mut read = read.filter(|(it, digest, _)| it == kind && *digest == layer.digest);
        let most = kind.limit();
        let fetched = match (read.next(), kind) {
            (Some((_, _, bytes)), _) => {
                let written = into.write_all(bytes);
                written.map_err(|error| RegistryError::Sink(error).into())
            }
            (None, AttachedKind::Debug) => decompressed(
                &self.offer.place,
                layer,
                most,
                &what,
                folder,
                into,
                progress,
            ),
            (None, _) => self.offer.layer(layer, most, &what, into, progress),
        };
        fetched.map_err(|error| match error {
            PullError::Registry(RegistryError::Sink(source)) => PullError::Io {
                path: folder.to_owned(),
                source,
            },
            error => error,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_files_of_a_kind_have_numbers() {
        let kinds = [
            AttachedKind::CycloneDx,
            AttachedKind::Spdx,
            AttachedKind::CycloneDx,
            AttachedKind::LogProof,
            AttachedKind::CycloneDx,
        ];
        let layers: Vec<_> = kinds
            .iter()
            .zip([b"a", b"b", b"c", b"d", b"e"])
            .map(|(kind, bytes)| (*kind, Descriptor::of_bytes(kind.media_type(), bytes)))
            .collect();
        let named = |accepted: &[usize]| {
            let digest = |at: &usize| (layers[*at].0, layers[*at].1.digest.clone());
            let accepted = accepted.iter().map(digest).collect();
            let listed = layers.iter().map(|(kind, layer)| (*kind, layer));
            let all = Beside::all(listed.collect(), &accepted);
            // The files by their place in the list.
            let place = |it: &Beside| layers.iter().position(|(_, layer)| *layer == it.layer);
            let named = all.iter().map(|it| (place(it).unwrap(), it.ending()));
            named.collect::<Vec<_>>()
        };
        let expected = |places: [usize; 5]| {
            let endings = [
                "tlog-proof",
                "cdx.json",
                "2.cdx.json",
                "3.cdx.json",
                "spdx.json",
            ];
            let endings = endings.map(str::to_owned);
            places.into_iter().zip(endings).collect::<Vec<_>>()
        };
        assert_eq!(named(&[]), expected([3, 0, 2, 4, 1]));
        assert_eq!(named(&[1, 3, 4]), expected([3, 4, 0, 2, 1]));
    }
}
