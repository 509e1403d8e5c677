//! A fleet file: the hosts that a build is for, described in the file itself or in files of their
//! own.

use edgec_targets::Cover;
use serde::Deserialize;

use crate::HostProfile;
use crate::host_file::{Fields, parse};
use crate::policy_toml::without_value;

/// The limit exists because the choice of targets compares every host with every target.
const MAX_HOSTS: usize = 4096;

/// A text that is not a fleet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed fleet: {0}")]
pub struct FleetError(String);

/// The hosts that a build is for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fleet {
    /// The set of targets that the fleet needs, if the file states it.
    pub mode: Option<Cover>,
    /// The hosts, in the file's order; at least one.
    pub hosts: Vec<FleetHost>,
}

/// One host of a fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a promise: what reads a fleet must find every host of it"
)]
pub enum FleetHost {
    /// The fleet file itself describes the host, which has a name.
    Here(Box<HostProfile>),
    /// The host has a file of its own. The path is relative to the fleet file.
    File(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    #[serde(rename = "schema")]
    _schema: u32,
    mode: Option<Mode>,
    #[serde(default)]
    host: Vec<toml::Table>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Fewest,
    Best,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reference {
    file: String,
}

impl Fleet {
    /// Reads a fleet (`docs/targets.md`). The caller must read the files that it names.
    ///
    /// # Errors
    ///
    /// [`FleetError`] says where the text is wrong.
    pub fn from_toml(text: &str) -> Result<Self, FleetError> {
        let file: File = parse(text).map_err(|error| FleetError(error.0))?;
        let error = |text: String| Err(FleetError(text));
        match file.host.len() {
            0 => return error("the fleet has no host".to_owned()),
            1..=MAX_HOSTS => {}
            many => return error(format!("{many} hosts, and {MAX_HOSTS} is the limit")),
        }
        let hosts = file.host.into_iter().zip(1..);
        let hosts = hosts.map(|(table, number)| {
            host(table).map_err(|what| FleetError(format!("host {number}: {what}")))
        });
        Ok(Self {
            mode: file.mode.map(|mode| match mode {
                Mode::Fewest => Cover::Fewest,
                Mode::Best => Cover::Best,
            }),
            hosts: hosts.collect::<Result<_, _>>()?,
        })
    }
}

/// Reads one host. The error says what is wrong with it.
fn host(table: toml::Table) -> Result<FleetHost, String> {
    let read = |error: toml::de::Error| without_value(error.message());
    if table.contains_key("file") {
        let Reference { file } = table.try_into().map_err(read)?;
        return Ok(FleetHost::File(file));
    }
    let fields: Fields = table.try_into().map_err(read)?;
    let host = fields.profile().map_err(|error| error.0)?;
    match host.name() {
        Some(_) => Ok(FleetHost::Here(Box::new(host))),
        None => Err("it has no name".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "schema = 1\nmode = 'best'\n[[host]]\nfile = 'hosts/fra.toml'\n\
        [[host]]\nname = 'ams'\narch = 'x86_64'\nfeatures = []\nengine = '48.0.8'\nprofiles = ['edge']\n";

    #[test]
    fn hosts_stand_there_or_in_files() {
        let fleet = Fleet::from_toml(TEXT).unwrap();
        assert_eq!(fleet.mode, Some(Cover::Best));
        assert_eq!(fleet.hosts[0], FleetHost::File("hosts/fra.toml".to_owned()));
        let FleetHost::Here(ams) = &fleet.hosts[1] else {
            panic!("{fleet:?}");
        };
        assert_eq!(ams.name(), Some("ams"));
        assert_eq!(ams.takes("48.0.8", "edge"), Ok(()));
        assert!(ams.takes("48.0.8", "default").is_err());
    }

    #[test]
    fn what_is_no_fleet_is_refused() {
        let refused = |text: &str, says: &str| {
            let error = Fleet::from_toml(text).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        };
        refused("schema = 1", "the fleet has no host");
        refused(
            &TEXT.replace("schema = 1\n", ""),
            "does not state its schema",
        );
        refused(&TEXT.replace("'best'", "'least'"), "unknown value");
        refused(
            &TEXT.replace("name = 'ams'\n", ""),
            "host 2: it has no name",
        );
        refused(
            &TEXT.replace("arch =", "schema = 1\narch ="),
            "host 2: `schema`",
        );
        let both = TEXT.replace("fra.toml'", "fra.toml'\narch = 'x86_64'");
        refused(&both, "host 1: unknown field `arch`");
        let many = format!(
            "schema = 1\n{}",
            "[[host]]\nfile = 'a'\n".repeat(MAX_HOSTS + 1)
        );
        refused(&many, "4097 hosts, and 4096 is the limit");
    }
}
