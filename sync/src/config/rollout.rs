//! `[rollout]`: which part of a fleet takes a release when.

use serde::Deserialize;

use super::Period;
use super::values::Share;

/// The greatest number of waves.
const MOST_WAVES: usize = 100;

/// `[rollout]`: the waves in which a fleet takes a release.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct RolloutConfig {
    /// A text that all hosts of a fleet share. Another one gives every host another position.
    pub salt: String,
    /// The waves, in their order. None: everyone takes a release at once.
    pub waves: Vec<WaveConfig>,
    /// Whether each host keeps its position from release to release.
    pub fixed: bool,
    /// When a host that has no version yet takes its first one.
    pub first: First,
}

/// A wave: the hosts that take a release together.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct WaveConfig {
    /// The part of the fleet that has the release with this wave and those before it.
    pub share: Share,
    /// Hosts that are in this wave whatever their position is.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// The time from the beginning of this wave to that of the next one.
    #[serde(default)]
    pub pause: Period,
}

/// When a host that has no version yet takes its first one.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum First {
    /// At once: it serves nothing, so it has nothing to lose.
    #[default]
    AtOnce,
    /// In its wave, as any other release.
    InWaves,
}

impl RolloutConfig {
    /// Says what is wrong with the waves together.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.waves.len() > MOST_WAVES {
            return Err(format!("write at most {MOST_WAVES} waves"));
        }
        let mut before = 0.0;
        for (number, wave) in self.waves.iter().enumerate() {
            if wave.share.get() < before {
                return Err(format!(
                    "wave {number} has a smaller share than the wave before: a share counts \
                     that one too"
                ));
            }
            before = wave.share.get();
        }
        match self.waves.last() {
            Some(last) if last.share < Share::ALL => Err(
                "the last wave needs `share = 1.0`: otherwise some hosts never take a release"
                    .to_owned(),
            ),
            _ => Ok(()),
        }
    }
}
