//! Patterns of the destinations that a guest may reach: a host and a port.
//!
//! ```text
//! api.example.org:443      this host, this port
//! *.example.org:443        every name below example.org, and not example.org itself
//! 93.184.216.34:80         an address; an IPv6 address stands in brackets: [2606:4700::1]:443
//! db.example.org:*         every port
//! *:443                    every host that has a public address
//! ```
//!
//! A pattern says nothing about the addresses that a name resolves to: `address.rs` does.

use std::fmt;
use std::str::FromStr;

use super::host::{Host, InvalidHost};

/// One line of an allow-list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    host: Hosts,
    port: Ports,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    Any,
    /// With the dot in front: `.example.org`.
    Below(String),
    Exact(Host),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ports {
    Any,
    Exact(u16),
}

impl Pattern {
    /// Whether a request to this host and port matches.
    #[must_use]
    pub fn matches(&self, host: &Host, port: u16) -> bool {
        self.matches_host(host) && self.matches_port(port)
    }

    /// Whether the host matches, whatever the port.
    #[must_use]
    pub fn matches_host(&self, host: &Host) -> bool {
        match (&self.host, host) {
            (Hosts::Any, _) => true,
            (Hosts::Exact(exact), host) => exact == host,
            (Hosts::Below(suffix), Host::Name(name)) => {
                name.len() > suffix.len() && name.ends_with(suffix.as_str())
            }
            (Hosts::Below(_), Host::Address(_)) => false,
        }
    }

    /// Whether the port matches, whatever the host.
    #[must_use]
    pub fn matches_port(&self, port: u16) -> bool {
        match self.port {
            Ports::Any => true,
            Ports::Exact(exact) => exact == port,
        }
    }
}

/// A text that is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPattern {
    /// No port after the host.
    #[error("`{0}` has no port: write `{0}:443`, or `{0}:*` for every port")]
    NoPort(String),
    /// The port is no number from 1 to 65535, and not `*`.
    #[error("`{0}`: the port must be a number from 1 to 65535, or `*`")]
    Port(String),
    /// The host is no name, no address and no `*`, or has a `*` elsewhere than at its beginning.
    #[error(
        "`{0}`: the host must be a name in ASCII (`xn--…` for others), an address (IPv6 in \
         brackets), `*.` and a name, or `*`"
    )]
    Host(String),
    /// It begins with a scheme, or goes on with a path.
    #[error("`{0}`: write the host and the port alone, without a scheme or a path")]
    Url(String),
}

impl FromStr for Pattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        if text.contains('/') {
            return Err(InvalidPattern::Url(text.to_owned()));
        }
        // A colon inside of brackets belongs to the address.
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => return Err(InvalidPattern::NoPort(text.to_owned())),
        };
        let port = match port {
            "*" => Ports::Any,
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => match digits.parse() {
                Ok(port @ 1..) => Ports::Exact(port),
                _ => return Err(InvalidPattern::Port(text.to_owned())),
            },
            _ => return Err(InvalidPattern::Port(text.to_owned())),
        };
        let invalid = |_| InvalidPattern::Host(text.to_owned());
        let host = if host == "*" {
            Hosts::Any
        } else if let Some(name) = host.strip_prefix("*.") {
            match Host::parse(name).map_err(invalid)? {
                Host::Name(name) => Hosts::Below(format!(".{name}")),
                Host::Address(_) => return Err(invalid(InvalidHost)),
            }
        } else if host.contains(':') && !host.starts_with('[') {
            return Err(invalid(InvalidHost));
        } else {
            Hosts::Exact(Host::parse(host).map_err(invalid)?)
        };
        Ok(Self { host, port })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Hosts::Any => f.write_str("*")?,
            Hosts::Below(suffix) => write!(f, "*{suffix}")?,
            Hosts::Exact(host) => host.fmt(f)?,
        }
        match self.port {
            Ports::Any => f.write_str(":*"),
            Ports::Exact(port) => write!(f, ":{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, host: &str, port: u16) -> bool {
        let pattern: Pattern = pattern.parse().unwrap();
        pattern.matches(&Host::parse(host).unwrap(), port)
    }

    #[test]
    fn patterns_match_what_they_say() {
        for (pattern, host, port) in [
            ("api.example.org:443", "api.example.org", 443),
            ("api.example.org:443", "API.Example.ORG.", 443),
            ("API.example.org:443", "api.example.org", 443),
            ("*.example.org:443", "api.example.org", 443),
            ("*.example.org:443", "a.b.example.org", 443),
            ("db.example.org:*", "db.example.org", 5432),
            ("*:443", "anything.example", 443),
            ("*:*", "8.8.8.8", 53),
            ("8.8.8.8:53", "8.8.8.8", 53),
            ("8.8.8.8:53", "::ffff:8.8.8.8", 53),
            ("[2606:4700::1]:443", "[2606:4700:0::1]", 443),
            ("[2606:4700::1]:443", "2606:4700::1", 443),
            ("localhost:8080", "localhost", 8080),
        ] {
            assert!(matches(pattern, host, port), "{pattern} {host} {port}");
        }
    }

    #[test]
    fn patterns_match_nothing_else() {
        for (pattern, host, port) in [
            ("api.example.org:443", "api.example.org", 80),
            ("api.example.org:443", "example.org", 443),
            ("api.example.org:443", "xapi.example.org", 443),
            ("api.example.org:443", "api.example.org.evil.example", 443),
            ("*.example.org:443", "example.org", 443),
            ("*.example.org:443", "badexample.org", 443),
            ("*.example.org:443", "example.org.evil.example", 443),
            ("*.1:80", "10.0.0.1", 80),
            ("8.8.8.8:53", "8.8.8.9", 53),
            ("8.8.8.8:53", "dns.google", 53),
            // A resolver may read this as 127.0.0.1, which the check of addresses refuses.
            ("127.0.0.1:80", "127.1", 80),
        ] {
            assert!(!matches(pattern, host, port), "{pattern} {host} {port}");
        }
    }

    #[test]
    fn a_pattern_is_written_as_it_is_read() {
        for text in [
            "a.example:443",
            "*.example:*",
            "*:80",
            "10.0.0.1:1",
            "[2606::1]:65535",
        ] {
            assert_eq!(text.parse::<Pattern>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_its_reason() {
        use InvalidPattern as Invalid;
        let error = |text: &str| text.parse::<Pattern>().unwrap_err();
        for text in ["example.org", "[2606:4700::1]", "*", ""] {
            assert_eq!(error(text), Invalid::NoPort(text.to_owned()), "{text}");
        }
        for text in ["a:0", "a:65536", "a:+80", "a:", "a:https", "a:8*"] {
            assert_eq!(error(text), Invalid::Port(text.to_owned()), "{text}");
        }
        for text in [
            ":80",
            "a..b:80",
            "*.*.b:80",
            "a*.b:80",
            "2606:4700::1:443",
            "*.10.0.0.1:80",
            "bücher.example:443",
            "a b:80",
            "user@a:80",
            "[::1%lo]:80",
            "[127.0.0.1]:80",
            "[]:80",
        ] {
            assert_eq!(error(text), Invalid::Host(text.to_owned()), "{text}");
        }
        for text in ["https://a:443", "a:443/path"] {
            assert_eq!(error(text), Invalid::Url(text.to_owned()), "{text}");
        }
    }
}
