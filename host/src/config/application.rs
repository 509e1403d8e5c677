//! `[[application]]`: one application of a host.

use std::collections::BTreeMap;
use std::path::PathBuf;

use edgec_configuration::{Word, positive, word};
use serde::{Deserialize, Deserializer, de};

use super::Period;
use super::keyvalue::KeyValueConfig;
use super::limits::ApplicationLimits;
use super::outbound::OutboundConfig;
use super::route::{HostPattern, PathPrefix};

/// One application: its artifact, the requests that it gets, and what it may use.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct ApplicationConfig {
    /// Its name in the store and in its artifacts.
    #[serde(deserialize_with = "name")]
    pub name: String,
    /// Its channel in the store.
    #[serde(default)]
    pub channel: Option<String>,
    /// A file instead of the store.
    #[serde(default)]
    pub artifact: Option<PathBuf>,
    /// The statements that lie beside that file.
    #[serde(default)]
    pub statements: StatementFiles,
    /// The hosts for which it answers. An empty list means all that no other application has.
    #[serde(default, deserialize_with = "one_or_more")]
    pub host: Vec<HostPattern>,
    /// The beginning of the paths for which it answers. The application sees the whole path.
    #[serde(default)]
    pub path: PathPrefix,
    /// Its environment variables.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Its values of `wasi:config/store`.
    #[serde(default)]
    pub config: BTreeMap<String, String>,
    /// Where its `wasi:keyvalue` buckets are. `None`: it has none.
    #[serde(default)]
    pub keyvalue: Option<KeyValueConfig>,
    /// What it may connect to. By default, nothing.
    #[serde(default)]
    pub outbound: OutboundConfig,
    /// Its limits, if they differ from those of the host.
    #[serde(default)]
    pub limits: ApplicationLimits,
    /// Whether imports that this host lacks become functions that trap when they are called.
    #[serde(default)]
    pub stub_imports: bool,
    /// Whether an instance answers several requests. Only for `wasi:http` 0.3.
    #[serde(default)]
    pub reuse: Option<Reuse>,
    /// How long it is served by the last policy if the policy cannot be read. By default, not at
    /// all.
    #[serde(default = "no_grace")]
    pub grace: Period,
}

/// `[application.statements]`: files with what others state about an artifact
/// (`docs/releases-and-timestamps.md`). A store has its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct StatementFiles {
    /// Its release.
    pub release: Vec<PathBuf>,
    /// The timestamp of its release.
    pub timestamp: Vec<PathBuf>,
    /// Statements of notaries that have rebuilt it.
    pub notary: Vec<PathBuf>,
    /// Its provenance (`docs/provenance.md`).
    pub provenance: Vec<PathBuf>,
    /// A proof that the transparency log of the policy has it.
    pub bundle: Vec<PathBuf>,
    /// Its bill of materials (`docs/sbom.md`).
    pub sbom: Vec<PathBuf>,
}

/// `[application.reuse]`: how long one instance is used. Requests in one instance share its memory,
/// so one of them can see what another left behind, and a trap ends all of them.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct Reuse {
    /// Requests of one instance in its life, at most.
    #[serde(deserialize_with = "positive")]
    pub requests: u32,
    /// Requests of one instance at one time, at most.
    #[serde(deserialize_with = "positive")]
    pub concurrent: u32,
    /// The life of an instance from its first request, at most.
    #[serde(deserialize_with = "positive")]
    pub life: Period,
    /// How long an instance waits for another request.
    pub idle: Period,
}

impl Default for Reuse {
    fn default() -> Self {
        Self {
            requests: 128,
            concurrent: 16,
            life: Period::secs(60),
            idle: Period::secs(1),
        }
    }
}

impl StatementFiles {
    /// All files.
    pub(crate) fn all(&self) -> impl Iterator<Item = &PathBuf> {
        let first = self.release.iter().chain(&self.timestamp);
        first
            .chain(&self.notary)
            .chain(&self.provenance)
            .chain(&self.bundle)
            .chain(&self.sbom)
    }

    /// All files, to be changed.
    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let first = self.release.iter_mut().chain(&mut self.timestamp);
        first
            .chain(&mut self.notary)
            .chain(&mut self.provenance)
            .chain(&mut self.bundle)
            .chain(&mut self.sbom)
    }
}

impl ApplicationConfig {
    /// The application with this name, which answers every request.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            channel: None,
            artifact: None,
            statements: StatementFiles::default(),
            host: Vec::new(),
            path: PathPrefix::default(),
            environment: BTreeMap::new(),
            config: BTreeMap::new(),
            keyvalue: None,
            outbound: OutboundConfig::default(),
            limits: ApplicationLimits::default(),
            stub_imports: false,
            reuse: None,
            grace: no_grace(),
        }
    }

    /// The pairs of host and path for which it answers, as text. `*` stands for every host.
    pub(super) fn routes(&self) -> Vec<(String, String)> {
        let path = self.path.as_str();
        match self.host.as_slice() {
            [] => vec![("*".to_owned(), path.to_owned())],
            hosts => {
                let hosts = hosts.iter().map(|host| host.as_str().to_owned());
                hosts.map(|host| (host, path.to_owned())).collect()
            }
        }
    }
}

fn no_grace() -> Period {
    Period::millis(0)
}

/// The name of an application.
struct Name(String);

impl Word for Name {
    const WRITE: &'static str = "a name in quotes";

    fn read(text: &str) -> Result<Self, String> {
        let name = edgec_loader::verifier::check_name(text);
        let name = name.map(|()| Self(text.to_owned()));
        name.map_err(|error| error.to_string())
    }
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    word(deserializer).map(|Name(name)| name)
}

/// One host in quotes, or several in a list.
fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<HostPattern>, D::Error> {
    struct Hosts;

    impl<'de> de::Visitor<'de> for Hosts {
        type Value = Vec<HostPattern>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a host name in quotes, or a list of them in brackets")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            text.parse().map(|host| vec![host]).map_err(E::custom)
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut hosts = Vec::new();
            while let Some(host) = list.next_element()? {
                hosts.push(host);
            }
            match hosts.is_empty() {
                true => Err(de::Error::custom(
                    "the list is empty: leave it out for all hosts",
                )),
                false => Ok(hosts),
            }
        }
    }

    deserializer.deserialize_any(Hosts)
}
