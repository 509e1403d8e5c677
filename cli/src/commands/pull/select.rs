//! Which of the offered artifacts are pulled.

use edgec_registry::{NativeEntry, Offer, PullError};
use edgec_targets::EngineProfile;
use edgec_verifier::HostProfile;

use super::Arguments;
use crate::failure::Failure;
use crate::failures::registry::pull_failure;
use crate::hosts::Host;

impl Arguments {
    /// The host for which artifacts are chosen.
    pub(super) fn host(&self) -> Result<HostProfile, Failure> {
        let host = match &self.host {
            Some(path) => Host::read(path)?,
            None => Host::here(),
        };
        Ok(host.profile)
    }

    /// The engine profiles for which the offer has an artifact that the host's CPU can run. If
    /// there is none, the one that an error is about.
    pub(super) fn profiles(&self, offer: &Offer, host: &HostProfile) -> Vec<EngineProfile> {
        let asked = |profile: &EngineProfile| self.profile.is_none_or(|it| it == *profile);
        let all = EngineProfile::ALL.into_iter().filter(asked);
        let fit = |profile: &EngineProfile| !ranked(offer, host, *profile).is_empty();
        let fitting: Vec<EngineProfile> = all.filter(fit).collect();
        match fitting.is_empty() {
            true => vec![self.profile.unwrap_or(EngineProfile::Default)],
            false => fitting,
        }
    }

    /// The artifacts for a folder.
    pub(super) fn selected<'o>(&self, offer: &'o Offer) -> Result<Vec<&'o NativeEntry>, Failure> {
        let is_asked = |it: &&NativeEntry| self.profile.is_none_or(|p| p.name() == it.profile);
        if self.all_targets {
            return Ok(offer.natives().iter().filter(is_asked).collect());
        }
        let mut selected = Vec::new();
        for target in &self.targets {
            let known = edgec_targets::find(target);
            let id = known.map_or(target.as_str(), |known| known.id);
            let natives = offer.natives().iter();
            let before = selected.len();
            selected.extend(natives.filter(is_asked).filter(|it| it.target == id));
            if selected.len() == before {
                return Err(none(offer, target));
            }
        }
        if !self.targets.is_empty() {
            return Ok(selected);
        }
        let host = self.host()?;
        let profiles = self.profiles(offer, &host);
        let best = profiles.into_iter().filter_map(|profile| {
            let mut ranked = ranked(offer, &host, profile).into_iter();
            ranked.next()
        });
        let best: Vec<&NativeEntry> = best.collect();
        match best.is_empty() {
            true => Err(none(offer, "this host")),
            false => Ok(best),
        }
    }
}

fn ranked<'o>(
    offer: &'o Offer,
    host: &HostProfile,
    profile: EngineProfile,
) -> Vec<&'o NativeEntry> {
    let natives = offer.natives().iter();
    host.ranked(profile, natives, |it| (&*it.target, &*it.profile))
}

fn none(offer: &Offer, wanted: &str) -> Failure {
    let error = PullError::NoTarget {
        wanted: wanted.to_owned(),
        offered: offer.natives().iter().map(NativeEntry::fits).collect(),
    };
    pull_failure(&error).or_about(offer.reference())
}
