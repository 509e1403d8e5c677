//! Which artifacts of an offer are wanted, and what is known of each before its image comes.

use edgec_artifact::{Envelope, LayoutError};
use edgec_store::{AdmissionError, ArtifactStore, EngineProfile};
use edgec_verifier::{HostProfile, MAX_ENVELOPE_LEN, error_chain, stated};

use super::super::media;
use super::super::native::NativeEntry;
use super::super::offer::Offer;
use super::super::progress::Unseen;
use super::super::pull_error::PullError;
use super::chosen::Chosen;
use super::judge::Asked;

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
        let ranked = host.ranked(profile, natives, |it| it.place());
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
            let offered = self.native((&it.target, &it.profile));
            if let Some(entry) = offered.filter(|it| it.place() != best.entry.place()) {
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
        let (target, profile) = (&*manifest.target.id, &*manifest.engine.profile);
        if (target, profile) != entry.place() {
            return Err(PullError::Misplaced {
                listed: fits,
                stated: format!("{target} ({profile})"),
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
