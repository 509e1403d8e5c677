//! The configuration of a host, `serve.toml`. `docs/serve.md` describes it, and
//! `docs/schema/serve.toml.json` is its schema.
//!
//! Every name that the file does not have is filled in with a default. The parser knows all names,
//! so an error has a line and a column.

mod application;
mod bounds;
mod error;
mod file;
mod forwarded;
mod keyvalue;
mod limits;
mod listen;
mod outbound;
mod route;
mod socket_mode;
mod sync;
mod telemetry;
mod trust;
mod values;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use edgec_configuration::Form;
pub use edgec_configuration::{PolicyConfig, TextError, TextPlace};
use serde::Deserialize;
use toml::Spanned;

pub use self::application::{ApplicationConfig, Reuse, StatementFiles};
pub use self::error::ConfigError;
pub use self::file::{ConfigFile, ConfigFileError};
pub use self::forwarded::Forwarded;
pub use self::keyvalue::{KeyValueConfig, RedisUrl};
pub use self::limits::{ApplicationLimits, Limits, PoolsConfig};
pub use self::listen::{AdminAddress, ListenConfig, TlsConfig};
pub use self::outbound::{HostName, OutboundConfig, SocketKind};
pub use self::route::{HostPattern, PathPrefix};
pub use self::socket_mode::SocketMode;
pub use self::sync::SyncConfig;
pub use self::telemetry::{LogConfig, LogFormat, LogLevel};
pub use self::trust::StoreConfig;
pub use self::values::ByteSize;
pub(crate) use self::values::count;

const FORM: Form = Form {
    schema: 1,
    list: "application",
    nearest: edgec_loader::verifier::nearest_name,
};

/// A duration of at most a day.
pub type Period = edgec_configuration::Period<1>;

/// What a host serves, where, and within which limits.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ServeConfig {
    /// Where it listens.
    pub listen: ListenConfig,
    /// The store of its artifacts. Only a host of single files has none.
    pub store: Option<StoreConfig>,
    /// The policy that decides what it loads. `None`: the caller gives one.
    pub policy: Option<PolicyConfig>,
    /// Its limits, and the defaults of its applications.
    pub limits: Limits,
    /// Its instance pools.
    pub pools: PoolsConfig,
    /// Its log.
    pub log: LogConfig,
    /// What keeps its store current. The program around the host follows it.
    pub sync: Option<SyncConfig>,
    /// The applications.
    pub applications: Vec<ApplicationConfig>,
}

/// The file as it stands.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    #[serde(rename = "schema")]
    _schema: u32,
    #[serde(default)]
    listen: ListenConfig,
    store: Option<StoreConfig>,
    policy: Option<PolicyConfig>,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    pools: PoolsConfig,
    #[serde(default)]
    log: LogConfig,
    sync: Option<Spanned<SyncConfig>>,
    #[serde(default, rename = "application")]
    applications: Vec<Spanned<ApplicationConfig>>,
}

impl ServeConfig {
    /// Reads the text of a `serve.toml`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for everything that `docs/serve.md` does not describe.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let file: File = FORM.read(text)?;
        let mut routes = BTreeSet::new();
        let mut names = BTreeSet::new();
        for entry in &file.applications {
            let application = entry.get_ref();
            let at = || TextPlace::of(text, &entry.span());
            let name = (application.name.clone(), application.channel.clone());
            if !names.insert(name) {
                let name = application.name.clone();
                return Err(ConfigError::SameName { name, at: at() });
            }
            for route in application.routes() {
                if !routes.insert(route.clone()) {
                    let (host, path) = (route.0, route.1);
                    return Err(ConfigError::SameRoute {
                        host,
                        path,
                        at: at(),
                    });
                }
            }
            if application.artifact.is_none() && file.store.is_none() {
                let name = application.name.clone();
                return Err(ConfigError::NoStore { name, at: at() });
            }
            if application.artifact.is_none() && application.statements.all().next().is_some() {
                let name = application.name.clone();
                return Err(ConfigError::Statements { name, at: at() });
            }
        }
        if file.applications.is_empty() {
            return Err(ConfigError::NoApplication);
        }
        if let Some(sync) = file.sync.as_ref().filter(|_| file.store.is_none()) {
            let at = TextPlace::of(text, &sync.span());
            return Err(ConfigError::SyncWithoutStore { at });
        }
        let applications = file.applications.into_iter().map(Spanned::into_inner);
        Ok(Self {
            listen: file.listen,
            store: file.store,
            policy: file.policy,
            limits: file.limits,
            pools: file.pools,
            log: file.log,
            sync: file.sync.map(Spanned::into_inner),
            applications: applications.collect(),
        })
    }

    /// Takes relative paths as paths in this folder: that of the file, from which they come.
    pub fn in_folder(&mut self, folder: &Path) {
        let at = |path: &mut PathBuf| *path = folder.join(&*path);
        if let Some(store) = &mut self.store {
            at(&mut store.path);
        }
        if let Some(policy) = &mut self.policy {
            policy.in_folder(folder);
        }
        if let Some(sync) = &mut self.sync {
            at(&mut sync.fleet);
            sync.state.iter_mut().for_each(at);
        }
        if let Some(tls) = &mut self.listen.tls {
            at(&mut tls.cert);
            at(&mut tls.key);
        }
        self.listen.unix.iter_mut().for_each(at);
        if let Some(AdminAddress::Unix(path)) = &mut self.listen.admin {
            at(path);
        }
        for application in &mut self.applications {
            application.artifact.iter_mut().for_each(at);
            application.statements.all_mut().for_each(at);
            application.outbound.ca_file.iter_mut().for_each(at);
        }
    }
}

#[cfg(test)]
mod tests;
