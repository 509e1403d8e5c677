//! The configuration of a host that keeps itself current, `FLEET.toml`. `docs/sync.md` describes
//! it, and `docs/schema/fleet.toml.json` is its schema.
//!
//! The parser knows all names, so an error has a line and a column. Relative paths are relative to
//! the folder of the file.

mod application;
mod error;
mod gate;
mod registry;
mod rollout;
mod values;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use edgec_configuration::Form;
pub use edgec_configuration::{PolicyConfig, TextError, TextPlace};
use serde::Deserialize;
use toml::Spanned;

pub use self::application::{ApplicationConfig, ProfileName};
pub use self::error::ConfigError;
pub use self::gate::{GateConfig, MetricsConfig, WatchConfig};
pub use self::registry::{PollConfig, RegistryConfig};
pub use self::rollout::{First, RolloutConfig, WaveConfig};
pub(crate) use self::values::Place;
pub use self::values::{Share, Url};

const FORM: Form = Form {
    schema: 1,
    list: "application",
    nearest: edgec_verifier::nearest_name,
};

/// The greatest number of applications of one host.
pub(crate) const MOST_APPLICATIONS: usize = 10_000;

/// A duration of at most a year.
pub type Period = edgec_configuration::Period<366>;

/// Which references a host follows, and how.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FleetConfig {
    /// The name of the host in the fleet. `None`: the name of the machine.
    pub name: Option<String>,
    /// The profile of the host's CPU. `None`: that of this machine.
    pub host: Option<PathBuf>,
    /// The folder of the state. `None`: the folder `sync` in the store.
    pub state: Option<PathBuf>,
    /// Where the status is served.
    pub status: Option<SocketAddr>,
    /// How many versions of an application stay in the store, from 2.
    pub keep: usize,
    /// The policy that decides what is admitted. `None`: the caller gives one.
    pub policy: Option<PolicyConfig>,
    /// How often references are looked at.
    pub poll: PollConfig,
    /// How registries are reached.
    pub registry: RegistryConfig,
    /// The hosts of the fleet that this one asks before it takes a release.
    pub watch: Vec<WatchConfig>,
    /// The form of the log.
    pub log: LogConfig,
    /// The applications.
    pub applications: Vec<ApplicationConfig>,
}

/// `[log]`: what is written to standard error.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct LogConfig {
    /// The form of a line.
    pub format: LogFormat,
}

/// The form of a line of the log.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// A JSON object.
    Json,
}

/// The file as it stands.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    #[serde(rename = "schema")]
    _schema: u32,
    name: Option<Spanned<String>>,
    host: Option<PathBuf>,
    state: Option<PathBuf>,
    status: Option<SocketAddr>,
    keep: Option<Spanned<u64>>,
    policy: Option<PolicyConfig>,
    #[serde(default)]
    poll: PollConfig,
    #[serde(default)]
    registry: RegistryConfig,
    rollout: Option<Spanned<RolloutConfig>>,
    gate: Option<Spanned<GateConfig>>,
    #[serde(default)]
    watch: Vec<Spanned<WatchConfig>>,
    #[serde(default)]
    log: LogConfig,
    #[serde(default, rename = "application")]
    applications: Vec<Spanned<application::Entry>>,
}

impl FleetConfig {
    /// Reads the text of a `FLEET.toml`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for everything that `docs/sync.md` does not describe.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let file: File = FORM.read(text)?;
        file.checked(text)
    }

    /// Takes relative paths as paths in this folder: that of the file, from which they come.
    pub fn in_folder(&mut self, folder: &Path) {
        let at = |path: &mut PathBuf| *path = folder.join(&*path);
        self.host.iter_mut().for_each(at);
        self.state.iter_mut().for_each(at);
        self.registry.ca.iter_mut().for_each(at);
        if let Some(policy) = &mut self.policy {
            policy.in_folder(folder);
        }
        for application in &mut self.applications {
            application.in_folder(folder);
        }
    }
}

impl File {
    /// The configuration, if its parts agree.
    fn checked(self, text: &str) -> Result<FleetConfig, ConfigError> {
        let value = |what: &str, span: &Range<usize>| -> ConfigError {
            TextError::value(what, text, span).into()
        };
        if let Some(name) = &self.name
            && !is_host_name(name.get_ref())
        {
            let what = "write a host name of 1 to 253 letters, digits, `-`, `.` and `_`";
            return Err(value(what, &name.span()));
        }
        let keep = match &self.keep {
            None => 2,
            Some(keep) if *keep.get_ref() < 2 => {
                let what = "write 2 or more: the current version, and the one to go back to";
                return Err(value(what, &keep.span()));
            }
            Some(keep) => usize::try_from(*keep.get_ref()).unwrap_or(usize::MAX),
        };
        if let Some(rollout) = &self.rollout {
            let checked = rollout.get_ref().check();
            checked.map_err(|what| value(&what, &rollout.span()))?;
        }
        let rollout = self.rollout.map(Spanned::into_inner).unwrap_or_default();
        if let Some(gate) = &self.gate {
            let checked = gate.get_ref().check();
            checked.map_err(|what| value(&what, &gate.span()))?;
        }
        let gate = self.gate.map(Spanned::into_inner);
        if self.applications.len() > MOST_APPLICATIONS {
            let most = MOST_APPLICATIONS;
            return Err(ConfigError::TooManyApplications { most });
        }
        let mut names = BTreeSet::new();
        let mut applications = Vec::new();
        for entry in self.applications {
            let span = entry.span();
            let application = entry.into_inner().with_defaults(&rollout, gate.as_ref());
            let application = application.map_err(|what| value(&what, &span))?;
            if !names.insert((application.name.clone(), application.channel.clone())) {
                return Err(ConfigError::SameName {
                    name: application.label(),
                    at: TextPlace::of(text, &span),
                });
            }
            applications.push(application);
        }
        if applications.is_empty() {
            return Err(ConfigError::NoApplication);
        }
        let mut watch = Vec::new();
        let mut watched = BTreeSet::new();
        for host in self.watch {
            let span = host.span();
            let host = host.into_inner();
            if !is_host_name(&host.host) {
                let what = "write in `host` the name that the host has in the fleet";
                return Err(value(what, &span));
            }
            if !watched.insert(host.host.clone()) {
                return Err(value(
                    "the host is watched twice: remove one of them",
                    &span,
                ));
            }
            watch.push(host);
        }
        Ok(FleetConfig {
            name: self.name.map(Spanned::into_inner),
            host: self.host,
            state: self.state,
            status: self.status,
            keep,
            policy: self.policy,
            poll: self.poll,
            registry: self.registry,
            watch,
            log: self.log,
            applications,
        })
    }
}

/// Whether a text can be the name of a host.
#[must_use]
pub fn is_host_name(name: &str) -> bool {
    let is_good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    (1..=253).contains(&name.len()) && name.chars().all(is_good)
}

#[cfg(test)]
mod tests;
