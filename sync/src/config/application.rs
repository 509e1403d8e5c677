//! `[[application]]`: a reference, and the application that it must name.

use std::path::Path;

use edgec_registry::Reference;
use edgec_verifier::{EngineProfile, check_name};
use serde::Deserialize;

use super::gate::GateConfig;
use super::rollout::RolloutConfig;
use super::values::Followed;

/// An application that a host keeps current.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ApplicationConfig {
    /// Its name, which every artifact and release must state.
    pub name: String,
    /// Its channel. `None`: artifacts without a channel.
    pub channel: Option<String>,
    /// Where its releases are.
    pub reference: Reference,
    /// The engine profile of the host.
    pub profile: ProfileName,
    /// How the fleet takes its releases.
    pub rollout: RolloutConfig,
    /// What decides whether a release stays.
    pub gate: Option<GateConfig>,
}

/// The name of an engine profile.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ProfileName {
    /// `default`.
    Default,
    /// `edge`, that of `edgec serve`.
    #[default]
    Edge,
}

/// An entry as it stands.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Entry {
    name: String,
    channel: Option<String>,
    reference: Followed,
    #[serde(default)]
    profile: ProfileName,
    rollout: Option<RolloutConfig>,
    gate: Option<GateConfig>,
}

impl Entry {
    /// The entry, with what holds for all applications where it says nothing.
    pub(super) fn with_defaults(
        self,
        rollout: &RolloutConfig,
        gate: Option<&GateConfig>,
    ) -> Result<ApplicationConfig, String> {
        let named = |error: edgec_verifier::NameError| error.to_string();
        check_name(&self.name).map_err(named)?;
        if let Some(channel) = &self.channel {
            check_name(channel).map_err(named)?;
        }
        if let Some(own) = &self.rollout {
            own.check()?;
        }
        if let Some(own) = &self.gate {
            own.check()?;
        }
        Ok(ApplicationConfig {
            name: self.name,
            channel: self.channel,
            reference: self.reference.0,
            profile: self.profile,
            rollout: self.rollout.unwrap_or_else(|| rollout.clone()),
            gate: self.gate.or_else(|| gate.cloned()),
        })
    }
}

impl ApplicationConfig {
    /// The name and the channel, as `edgec serve` writes them: `shop@stable`.
    #[must_use]
    pub fn label(&self) -> String {
        match &self.channel {
            Some(channel) => format!("{}@{channel}", self.name),
            None => self.name.clone(),
        }
    }

    /// The places that are asked in order: the reference at each mirror, and the reference itself.
    #[must_use]
    pub fn places(&self, mirrors: &[String]) -> Vec<String> {
        let own = self.reference.to_string();
        // A folder has no mirror.
        let registry = self.reference.registry();
        let rest = registry.and_then(|registry| own.strip_prefix(registry));
        let at = |rest| mirrors.iter().map(move |mirror| format!("{mirror}{rest}"));
        let mut places: Vec<String> = rest.into_iter().flat_map(at).collect();
        places.push(own);
        places
    }

    /// Takes a relative folder as one in this folder.
    pub(super) fn in_folder(&mut self, folder: &Path) {
        self.reference = self.reference.clone().in_folder(folder);
    }
}

impl From<ProfileName> for EngineProfile {
    fn from(name: ProfileName) -> Self {
        match name {
            ProfileName::Default => Self::Default,
            ProfileName::Edge => Self::Edge,
        }
    }
}
