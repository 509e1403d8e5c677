//! Who is at the other end of a connection, and how.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use wasmtime_wasi_http::p2::bindings::http::types::Scheme;

/// The client of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    /// `None`: it came through a Unix socket, which has no addresses.
    address: Option<IpAddr>,
    over_tls: bool,
}

impl Client {
    pub(crate) fn new(address: Option<SocketAddr>, over_tls: bool) -> Self {
        // A socket of both families shows an IPv4 address as an IPv6 one.
        let address = address.map(|address| address.ip().to_canonical());
        Self { address, over_tls }
    }

    /// Its address. `None`: it came through a Unix socket.
    pub(crate) fn address(self) -> Option<IpAddr> {
        self.address
    }

    /// The scheme of its requests, as programs see it.
    pub(crate) fn scheme(self) -> Scheme {
        match self.over_tls {
            true => Scheme::Https,
            false => Scheme::Http,
        }
    }

    /// The name of that scheme.
    pub(crate) fn scheme_name(self) -> &'static str {
        match self.over_tls {
            true => "https",
            false => "http",
        }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => address.fmt(f),
            None => f.write_str("unix"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_spelling() {
        let shown = |address: &str| Client::new(address.parse().ok(), false).to_string();
        assert_eq!(shown("192.0.2.1:4711"), "192.0.2.1");
        assert_eq!(shown("[::ffff:192.0.2.1]:4711"), "192.0.2.1");
        assert_eq!(shown("[2001:db8::1]:4711"), "2001:db8::1");
        assert_eq!(Client::new(None, true).to_string(), "unix");
    }
}
