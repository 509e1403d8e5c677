//! Why the host did not carry out what a guest asked of the network, and the error code that the
//! guest sees.
//!
//! Each has the name of a rule. Logs and counters have that name, so that an operator finds the
//! line of the configuration that a guest has met.

use std::net::IpAddr;

use wasmtime_wasi_http::Error as HttpError;

use crate::Limit;
use crate::destination::{AddressClass, Host};

/// A request, a name lookup or a socket call that was refused or did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Denial {
    /// No pattern of the allow-list matches.
    #[error("no pattern of the allow-list matches {host}:{port}")]
    NotAllowed {
        /// The host that the guest named.
        host: Host,
        /// The port, which follows from the scheme if the guest named none.
        port: u16,
    },
    /// No pattern of the allow-list matches this name with any port.
    #[error("no pattern of the allow-list has the name {0}")]
    NameNotAllowed(Host),
    /// The address is not public, and not in a named network.
    #[error("{host} has the {class} address {address}")]
    Address {
        /// The host that the guest named.
        host: Host,
        /// What it resolved to.
        address: IpAddr,
        /// Why the address is refused.
        class: AddressClass,
    },
    /// The application has not been given this kind of socket, or this use of it.
    #[error("the application may not use {0}")]
    Socket(&'static str),
    /// The URI has no host, or one that is no host, or user information.
    #[error("the request has no valid host")]
    InvalidHost,
    /// Too many lookups run at the same time.
    #[error("too many name lookups run at the same time")]
    LookupsInFlight,
    /// The resolver did not answer in time.
    #[error("the lookup of {0} took too long")]
    LookupTimeout(Host),
    /// The resolver knows no address of the name.
    #[error("{host} does not resolve: {reason}")]
    Unresolved {
        /// The host that the guest named.
        host: Host,
        /// What the resolver says.
        reason: String,
    },
    /// All connections of the application are in use.
    #[error("the application has as many connections as it may have")]
    ApplicationConnections,
    /// All connections of the process are in use.
    #[error("the host has as many outbound connections as it may have")]
    HostConnections,
    /// The application has as many open sockets as it may have.
    #[error("the application has as many open sockets as it may have")]
    ApplicationSockets,
    /// All applications together have as many open sockets as they may have.
    #[error("the host has as many open sockets of programs as it may have")]
    HostSockets,
    /// No connection within the time for it.
    #[error("no connection to {0} in time")]
    ConnectTimeout(Host),
    /// None of the addresses accepted a connection.
    #[error("{host} accepts no connection: {error}")]
    Connect {
        /// The host that the guest named.
        host: Host,
        /// What the last address that was tried answered.
        error: std::io::Error,
    },
    /// The other side's certificate is not valid for the host.
    #[error("{host} has no valid certificate: {reason}")]
    Certificate {
        /// The host that the guest named.
        host: Host,
        /// What rustls says.
        reason: String,
    },
    /// TLS failed for another reason.
    #[error("no TLS with {host}: {reason}")]
    Tls {
        /// The host that the guest named.
        host: Host,
        /// What rustls says.
        reason: String,
    },
    /// No byte of the response within the time for the first.
    #[error("{0} did not answer in time")]
    FirstByteTimeout(Host),
    /// The response stopped for too long.
    #[error("the response of {0} stopped")]
    BetweenBytesTimeout(Host),
    /// The body of the response is larger than it may be.
    #[error("the response has more than {limit} bytes")]
    ResponseSize {
        /// Bytes that it may have.
        limit: u64,
    },
    /// The header section of the response is larger than it may be.
    #[error("the headers of the response are too large")]
    ResponseHeaders,
}

impl Denial {
    /// The rule's name in logs: lower case and hyphens, the same in every release.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        match self.cause() {
            Ok(limit) => limit.name(),
            Err(name) => name,
        }
    }

    /// The rule or the limit of this host that ended the operation, for the counters. `None`: it
    /// was the other side, or a mistake of the guest.
    #[must_use]
    pub fn limit(&self) -> Option<Limit> {
        self.cause().ok()
    }

    /// A limit, or the name of what is none.
    fn cause(&self) -> Result<Limit, &'static str> {
        Ok(match self {
            Self::NotAllowed { .. } | Self::NameNotAllowed(_) => Limit::OutboundDenied,
            Self::Address { .. } => Limit::OutboundPrivate,
            Self::Socket(_) => Limit::OutboundSockets,
            Self::LookupsInFlight => Limit::DnsLookups,
            Self::LookupTimeout(_) => Limit::DnsTime,
            Self::ApplicationConnections => Limit::ApplicationConnections,
            Self::HostConnections => Limit::OutboundConnections,
            Self::ApplicationSockets => Limit::ApplicationSockets,
            Self::HostSockets => Limit::Sockets,
            Self::ConnectTimeout(_) => Limit::ConnectTime,
            Self::FirstByteTimeout(_) | Self::BetweenBytesTimeout(_) => Limit::ResponseTime,
            Self::ResponseSize { .. } => Limit::UpstreamBody,
            Self::ResponseHeaders => Limit::UpstreamHead,
            Self::InvalidHost => return Err("outbound-host"),
            Self::Unresolved { .. } => return Err("dns-answer"),
            Self::Connect { .. } => return Err("outbound-connect"),
            Self::Certificate { .. } | Self::Tls { .. } => return Err("outbound-tls"),
        })
    }
}

/// The codes of `wasi:http/types.error-code`. They say what happened, and no address, which would
/// tell a guest how the network behind the host looks.
impl From<Denial> for HttpError {
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::NotAllowed { .. } | Denial::NameNotAllowed(_) | Denial::Socket(_) => {
                Self::HttpRequestDenied
            }
            Denial::Address { .. } => Self::DestinationIpProhibited,
            Denial::InvalidHost => Self::HttpRequestUriInvalid,
            Denial::LookupTimeout(_) => Self::DnsTimeout,
            Denial::LookupsInFlight => dns("too many lookups"),
            Denial::Unresolved { .. } => dns("address not available"),
            Denial::ApplicationConnections
            | Denial::HostConnections
            | Denial::ApplicationSockets
            | Denial::HostSockets => Self::ConnectionLimitReached,
            Denial::ConnectTimeout(_) => Self::ConnectionTimeout,
            Denial::Connect { error, .. } => match error.kind() {
                std::io::ErrorKind::ConnectionRefused => Self::ConnectionRefused,
                std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::ConnectionAborted => {
                    Self::ConnectionTerminated
                }
                _ => Self::DestinationUnavailable,
            },
            Denial::Certificate { .. } => Self::TlsCertificateError,
            Denial::Tls { .. } => Self::TlsProtocolError,
            Denial::FirstByteTimeout(_) | Denial::BetweenBytesTimeout(_) => {
                Self::ConnectionReadTimeout
            }
            Denial::ResponseSize { limit } => Self::HttpResponseBodySize(Some(limit)),
            Denial::ResponseHeaders => Self::HttpResponseHeaderSectionSize(None),
        }
    }
}

/// The code of an error of HTTP.
pub(super) fn of_hyper(error: hyper::Error) -> HttpError {
    if error.is_parse_too_large() {
        HttpError::HttpResponseHeaderSectionSize(None)
    } else if error.is_incomplete_message() {
        HttpError::HttpResponseIncomplete
    } else if error.is_canceled() || error.is_closed() {
        HttpError::ConnectionTerminated
    } else if error.is_parse() {
        HttpError::HttpProtocolError
    } else {
        // Among them those of the request's body, with the guest's error inside.
        HttpError::Hyper(error)
    }
}

fn dns(reason: &str) -> HttpError {
    HttpError::DnsError {
        rcode: Some(reason.to_owned()),
        info_code: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a guest learns has no address in it, and a refused destination looks the same whether
    /// or not anything is there.
    #[test]
    fn a_guest_learns_no_address() {
        let host = Host::parse("internal.example").unwrap();
        let address = "10.1.2.3".parse().unwrap();
        let class = AddressClass::Private;
        let denial = Denial::Address {
            host,
            address,
            class,
        };
        assert_eq!(denial.rule(), "outbound-private");
        assert_eq!(denial.limit(), Some(Limit::OutboundPrivate));
        assert!(denial.to_string().contains("10.1.2.3"));
        let seen = HttpError::from(denial);
        assert!(matches!(seen, HttpError::DestinationIpProhibited), "{seen}");
    }

    #[test]
    fn a_refused_connection_is_no_limit() {
        let host = Host::parse("a.example").unwrap();
        let error = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let denial = Denial::Connect { host, error };
        assert_eq!((denial.limit(), denial.rule()), (None, "outbound-connect"));
        assert!(matches!(
            HttpError::from(denial),
            HttpError::ConnectionRefused
        ));
    }
}
