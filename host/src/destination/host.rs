//! Hosts by name or by address: those that programs reach, and those that applications answer for.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::address::canonical;

/// Longest name of a host, in bytes (RFC 1035, section 2.3.4).
const LONGEST_NAME: usize = 253;

/// A host that a request names: what a pattern is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// In lower case, without a dot at the end. It may still be something that a resolver reads as
    /// an address (`127.1`): the addresses are checked after the resolver has answered.
    Name(String),
    /// An address. One that is mapped into IPv6 is the IPv4 address.
    Address(IpAddr),
}

impl Host {
    /// Reads the host of a URI's authority or of a socket call.
    ///
    /// # Errors
    ///
    /// The text is neither an address nor a name: empty, too long, or with a character that has no
    /// place in a host name. A zone (`fe80::1%eth0`) has none.
    pub fn parse(text: &str) -> Result<Self, InvalidHost> {
        let bare = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'));
        if let Some(bare) = bare {
            let address = bare.parse::<Ipv6Addr>().map_err(|_| InvalidHost)?;
            return Ok(Self::Address(canonical(address.into())));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Address(canonical(address)));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if is_name(&name) {
            Ok(Self::Name(name))
        } else {
            Err(InvalidHost)
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// A text that is not a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the name or address of a host")]
pub struct InvalidHost;

/// Whether a text has the form of a name: labels between dots (RFC 1035, section 2.3.4). An
/// underscore is allowed, because names with one are in use.
fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(allowed)
    };
    text.len() <= LONGEST_NAME && text.split('.').all(label)
}

/// Whether a text can be the host of an application: a name, or an address (IPv6 in brackets). It
/// is stricter than [`Host::parse`], since nothing resolves the text afterwards. What ends with a
/// number is an address or nothing (WHATWG URL, "ends in a number"), and no label begins or ends
/// with a hyphen (RFC 1123, section 2.1).
pub(crate) fn is_served_host(text: &str) -> bool {
    if let Some(address) = text.strip_prefix('[') {
        let address = address.strip_suffix(']');
        return address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    }
    let last = text.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse::<Ipv4Addr>().is_ok();
    }
    let has_hyphen = |label: &str| label.starts_with('-') || label.ends_with('-');
    is_name(text) && !text.split('.').any(has_hyphen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_host_is_refused() {
        let long = format!("{}a", "abcdefgh.".repeat(29));
        for text in [
            "",
            ".",
            "a..b",
            "a/b",
            "a@b",
            "[::1",
            "::1]",
            "fe80::1%eth0",
            "a\0b",
            &long,
        ] {
            assert_eq!(Host::parse(text), Err(InvalidHost), "{text}");
        }
        assert_eq!(Host::parse("a.").unwrap(), Host::Name("a".to_owned()));
    }

    #[test]
    fn not_every_host_that_can_be_reached_is_served() {
        for text in [
            "shop.example",
            "a_b.example",
            "localhost",
            "10.0.0.1",
            "[::1]",
        ] {
            assert!(Host::parse(text).is_ok() && is_served_host(text), "{text}");
        }
        for text in ["127.1", "a.1", "a-.example", "-a.example", "::1"] {
            assert!(Host::parse(text).is_ok() && !is_served_host(text), "{text}");
        }
        for text in ["", "a..b", "a b", "[::1", "[127.0.0.1]"] {
            assert!(
                Host::parse(text).is_err() && !is_served_host(text),
                "{text}"
            );
        }
    }
}
