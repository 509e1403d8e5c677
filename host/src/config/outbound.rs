//! `[application.outbound]`: what an application may connect to.

use std::net::IpAddr;

use serde::Deserialize;

use super::values::{ByteSize, Period, Word, words};

/// What an application may connect to, through `wasi:http` and `wasi:sockets`. By default, nothing.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct OutboundConfig {
    /// The hosts and ports, such as `api.example:443` or `*.example:443`. The port may be `*`.
    pub allow: Vec<HostPort>,
    /// Ranges of private addresses that the allowed names may lead to, such as `10.1.0.0/16`. All
    /// other private addresses are refused.
    pub allow_private: Vec<AddressRange>,
    /// Connections at one time, at most.
    pub max_connections: u32,
    /// How long the names of hosts may take to resolve.
    pub dns_timeout: Period,
    /// How long a connection may take, with TLS.
    pub connect_timeout: Period,
    /// How long the first byte of a response may take, and every further one.
    pub response_timeout: Period,
    /// The size of a response's body, at most.
    pub response_body: ByteSize,
}

impl Default for OutboundConfig {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            allow_private: Vec::new(),
            max_connections: 16,
            dns_timeout: Period::secs(2),
            connect_timeout: Period::secs(5),
            response_timeout: Period::secs(10),
            response_body: ByteSize::bytes(64 << 20),
        }
    }
}

/// A host and a port. The host is a name, `*.` and a name, or an address (IPv6 in brackets). The
/// port is a number or `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostPort {
    /// The host in lower case, as it is written.
    pub host: String,
    /// The port. `None` stands for every port.
    pub port: Option<u16>,
}

words!(HostPort, AddressRange);

impl Word for HostPort {
    const WRITE: &'static str = "a host and a port in quotes, such as \"api.example:443\"";

    fn read(text: &str) -> Result<Self, String> {
        let wrong = || format!("write {}", Self::WRITE);
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let host = host.to_ascii_lowercase();
        let name = host.strip_prefix("*.").unwrap_or(&host);
        if !super::host_name::is_host(name) {
            return Err(wrong());
        }
        let port = match port {
            "*" => None,
            port => match port.parse() {
                Ok(0) | Err(_) => return Err("write a port from 1 to 65535, or `*`".to_owned()),
                Ok(port) => Some(port),
            },
        };
        Ok(Self { host, port })
    }
}

/// A range of addresses in CIDR notation (RFC 4632 and RFC 4291), or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddressRange {
    /// Its first address.
    pub first: IpAddr,
    /// The number of leading bits that its addresses share.
    pub bits: u8,
}

impl AddressRange {
    /// Whether an address is in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        let masked = |address: u128, width: u8| {
            let shift = u32::from(width.saturating_sub(self.bits));
            address.checked_shr(shift).unwrap_or(0)
        };
        match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                masked(first.to_bits().into(), 32) == masked(address.to_bits().into(), 32)
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                masked(first.to_bits(), 128) == masked(address.to_bits(), 128)
            }
            _ => false,
        }
    }
}

impl Word for AddressRange {
    const WRITE: &'static str = "a range of addresses in quotes, such as \"10.1.0.0/16\"";

    fn read(text: &str) -> Result<Self, String> {
        let wrong = || format!("write {}", Self::WRITE);
        let (first, bits) = match text.split_once('/') {
            Some((first, bits)) => (first, Some(bits)),
            None => (text, None),
        };
        let first: IpAddr = first.parse().map_err(|_| wrong())?;
        let width = if first.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => width,
            Some(bits) => bits.parse().map_err(|_| wrong())?,
        };
        if bits > width {
            return Err(format!("an address has {width} bits"));
        }
        Ok(Self { first, bits })
    }
}
