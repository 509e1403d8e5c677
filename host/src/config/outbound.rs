//! `[application.outbound]`: what an application may connect to.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use edgec_configuration::{Word, positive, words};
use serde::Deserialize;

use super::Period;
use super::values::ByteSize;
use crate::destination::{AddressRange, Host, InvalidPattern, InvalidRange, Pattern};

/// What an application may connect to, through `wasi:http` and `wasi:sockets`. By default, nothing.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct OutboundConfig {
    /// The hosts and ports, such as `api.example:443` or `*.example:443`. The port may be `*`.
    pub allow: Vec<Pattern>,
    /// Ranges of private addresses that the allowed names may lead to, such as `10.1.0.0/16`. All
    /// other private addresses are refused.
    pub allow_private: Vec<AddressRange>,
    /// Connections at one time, at most, of HTTP and of sockets together.
    pub max_connections: u32,
    /// Name lookups at one time, at most.
    pub max_lookups: u32,
    /// How long the names of hosts may take to resolve.
    #[serde(deserialize_with = "positive")]
    pub dns_timeout: Period,
    /// How long a connection may take: a free place, the lookup, TCP and TLS.
    #[serde(deserialize_with = "positive")]
    pub connect_timeout: Period,
    /// How long the first byte of a response may take, and every further one.
    #[serde(deserialize_with = "positive")]
    pub response_timeout: Period,
    /// How long a connection waits for another request.
    pub idle_time: Period,
    /// The size of a response's body, at most.
    pub response_body: ByteSize,
    /// The kinds of `wasi:sockets` that programs may open, under the same rules.
    pub sockets: Vec<SocketKind>,
    /// Certificates of authorities in PEM form, in addition to the public ones.
    pub ca_file: Option<PathBuf>,
    /// Names that are not looked up, and their addresses, which are checked like others.
    pub hosts: BTreeMap<HostName, Vec<IpAddr>>,
}

impl Default for OutboundConfig {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            allow_private: Vec::new(),
            max_connections: 16,
            max_lookups: 8,
            dns_timeout: Period::secs(2),
            connect_timeout: Period::secs(5),
            response_timeout: Period::secs(10),
            idle_time: Period::secs(10),
            response_body: ByteSize::bytes(64 << 20),
            sockets: Vec::new(),
            ca_file: None,
            hosts: BTreeMap::new(),
        }
    }
}

/// A kind of socket.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SocketKind {
    /// TCP connections.
    Tcp,
    /// UDP datagrams.
    Udp,
}

/// The name of a host, in lower case, without a dot at its end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostName(String);

impl HostName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

words!(Pattern, AddressRange, HostName);

impl Word for Pattern {
    const WRITE: &'static str = "a host and a port in quotes, such as \"api.example:443\"";

    fn read(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|error: InvalidPattern| error.to_string())
    }
}

impl Word for AddressRange {
    const WRITE: &'static str = "a range of addresses in quotes, such as \"10.1.0.0/16\"";

    fn read(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|error: InvalidRange| error.to_string())
    }
}

impl Word for HostName {
    const WRITE: &'static str = "the name of a host, such as \"db.internal\"";

    fn read(text: &str) -> Result<Self, String> {
        match Host::parse(text) {
            Ok(Host::Name(name)) => Ok(Self(name)),
            Ok(Host::Address(_)) | Err(_) => Err(format!("write {}", Self::WRITE)),
        }
    }
}
