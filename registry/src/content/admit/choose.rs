//! Which artifacts of an offer are wanted, and what is known of each before its image comes.

use edgec_artifact::{Envelope, LayoutError, Manifest, Sha256Digest};
use edgec_store::{AdmissionError, ArtifactStore, EngineProfile};
use edgec_verifier::{
    Expected, HostProfile, MAX_ENVELOPE_LEN, TrustPolicy, UnixTime, VerifiedRelease, error_chain,
    stated, verify_ahead,
};

use super::super::attached::AttachedKind;
use super::super::beside;
use super::super::manifest::Manifest as Listed;
use super::super::media;
use super::super::native::NativeEntry;
use super::super::offer::Offer;
use super::super::progress::Unseen;
use super::super::pull_error::PullError;
use crate::Descriptor;

/// An artifact whose envelope is there.
pub(crate) struct Chosen {
    pub(crate) entry: NativeEntry,
    /// Its manifest in the registry.
    pub(crate) listed: Listed,
    /// Its own manifest. [`Asked::judge`] says whether anyone who counts has signed it.
    pub(crate) manifest: Manifest,
    pub(crate) envelope: Envelope,
    /// The bytes of the envelope.
    pub(crate) encoded: Vec<u8>,
}

impl Chosen {
    /// Target and profile, for messages.
    pub(crate) fn fits(&self) -> String {
        self.entry.fits()
    }

    /// The layers of these kinds that travel with it.
    pub(crate) fn beside(
        &self,
        is_wanted: impl Fn(AttachedKind) -> bool,
    ) -> Result<Vec<(AttachedKind, &Descriptor)>, PullError> {
        let layers = beside::layers(&self.listed, is_wanted);
        layers.map_err(|source| PullError::Malformed {
            what: format!("the manifest for {}", self.fits()),
            source,
        })
    }
}

/// What is demanded of an artifact.
pub(super) struct Asked<'a> {
    pub(super) policy: &'a TrustPolicy,
    pub(super) release: Option<&'a VerifiedRelease>,
    pub(super) now: UnixTime,
}

impl Asked<'_> {
    /// Judges everything except the image.
    pub(super) fn judge(&self, chosen: &Chosen, expected: &Expected) -> Result<(), PullError> {
        self.is_of_release(chosen)?;
        let judged = verify_ahead(&chosen.encoded, self.policy, expected, self.now);
        judged.map_err(|source| PullError::Verify {
            fits: chosen.fits(),
            source,
        })?;
        Ok(())
    }

    /// Whether the release lists the artifact.
    pub(super) fn is_of_release(&self, chosen: &Chosen) -> Result<(), PullError> {
        let Some(release) = self.release.map(|it| &it.release) else {
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
    /// The best artifact for a host. If the host cannot run it, for example because its pool is too
    /// small, the next best.
    pub(super) fn best(
        &self,
        host: &HostProfile,
        profile: EngineProfile,
        asked: &Asked<'_>,
    ) -> Result<Chosen, PullError> {
        let natives = self.natives().iter();
        let ranked = host.ranked(profile, natives, |it| (&*it.target, &*it.profile));
        let mut unfit = Vec::new();
        for entry in ranked {
            let chosen = self.look_at(entry)?;
            match host.can_run(&chosen.manifest) {
                Ok(()) => return Ok(chosen),
                Err(error) => {
                    // A manifest of another release must not decide what a host runs.
                    asked.is_of_release(&chosen)?;
                    unfit.push(format!("{}: {}", entry.fits(), error_chain(&error)));
                }
            }
        }
        Err(PullError::NoFit {
            host: words(host, profile),
            offered: self.natives().iter().map(NativeEntry::fits).collect(),
            unfit,
        })
    }

    /// The artifacts for targets of the store's current version, except for the chosen one. Without
    /// them, the new version would not become the current one.
    pub(super) fn needed_beside(
        &self,
        store: &ArtifactStore,
        best: &Chosen,
    ) -> Result<Vec<Chosen>, PullError> {
        let stated = &best.manifest;
        let listing = store.list().map_err(AdmissionError::from)?;
        let of_application = listing
            .artifacts
            .iter()
            .filter(|it| it.current && it.name == stated.name && it.channel == stated.channel);
        let mut chosen = Vec::new();
        for it in of_application {
            let place = (&*it.target, &*it.profile);
            let is_best = place == (&*best.entry.target, &*best.entry.profile);
            let mut natives = self.natives().iter();
            let offered = natives.find(|it| (&*it.target, &*it.profile) == place);
            if let Some(entry) = offered.filter(|_| !is_best) {
                chosen.push(self.look_at(entry)?);
            }
        }
        Ok(chosen)
    }

    /// Fetches the manifest and the envelope of an entry.
    pub(crate) fn look_at(&self, entry: &NativeEntry) -> Result<Chosen, PullError> {
        let fits = entry.fits();
        let listed = self.manifest_of(&entry.descriptor)?;
        let layer = listed.layer_of(media::ENVELOPE);
        let layer = layer.map_err(|source| PullError::Malformed {
            what: format!("the manifest for {fits}"),
            source,
        })?;
        let what = format!("the envelope for {fits}");
        let encoded = self.small(layer, MAX_ENVELOPE_LEN, &what, &Unseen)?;
        let envelope = Envelope::decode(&encoded).map_err(|source| PullError::Envelope {
            fits: fits.clone(),
            source: LayoutError::Envelope { offset: 0, source },
        })?;
        let manifest = stated(&encoded).map_err(|source| PullError::Verify {
            fits: fits.clone(),
            source,
        })?;
        let places = (&*manifest.target.id, &*manifest.engine.profile);
        if places != (&*entry.target, &*entry.profile) {
            return Err(PullError::Misplaced {
                listed: fits,
                stated: format!("{} ({})", places.0, places.1),
            });
        }
        Ok(Chosen {
            entry: entry.clone(),
            listed,
            manifest,
            envelope,
            encoded,
        })
    }

    /// What a caller expects, with the files beside an artifact that the policy reads.
    pub(super) fn with_attached(
        &self,
        chosen: &Chosen,
        policy: &TrustPolicy,
        expected: &Expected,
    ) -> Result<Expected, PullError> {
        let mut expected = expected.clone();
        for (kind, layer) in chosen.beside(|it| it.is_read_by(policy))? {
            let what = format!("{} for {}", kind.name(), chosen.fits());
            let bytes = self.small(layer, kind.limit(), &what, &Unseen)?;
            expected = kind.given(expected, bytes);
        }
        Ok(expected)
    }
}

/// A host in words.
fn words(host: &HostProfile, profile: EngineProfile) -> String {
    let name = host.name().map(|name| format!("host `{name}`: "));
    let name = name.unwrap_or_default();
    let arch = host.cpu().arch();
    let features: Vec<&str> = host.cpu().features().collect();
    let features = match features.is_empty() {
        true => "no CPU features beyond the base".to_owned(),
        false => format!("the CPU features {}", features.join(", ")),
    };
    let profile = profile.name();
    format!("{name}{arch} with {features} and the engine profile `{profile}`")
}
