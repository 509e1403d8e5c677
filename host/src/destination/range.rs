//! Ranges of addresses in CIDR notation (RFC 4632, RFC 4291).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A range of addresses, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    /// Its first address: all bits beyond the prefix are zero.
    first: IpAddr,
    /// The number of leading bits that its addresses share.
    bits: u32,
}

impl AddressRange {
    /// Whether an address is in the range. An IPv4-mapped address counts as its IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.first.is_ipv4() == address.is_ipv4() && prefix(address, self.bits) == self.first
    }
}

/// The address with zeros beyond its first `bits` bits.
fn prefix(address: IpAddr, bits: u32) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX
                .checked_shl(32_u32.saturating_sub(bits))
                .unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX
                .checked_shl(128_u32.saturating_sub(bits))
                .unwrap_or(0);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    }
}

/// A text that is not a range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRange {
    /// No address, or no number after the slash.
    #[error("write an address and the length of a prefix, such as \"10.1.0.0/16\"")]
    Syntax,
    /// The prefix is longer than the address.
    #[error("an address of this kind has {0} bits")]
    TooLong(u32),
    /// The address has bits beyond the prefix, so it is unclear what is meant.
    #[error("the address has bits beyond the prefix: write `{0}`")]
    Bits(AddressRange),
    /// An IPv4 address inside of an IPv6 address would never match.
    #[error("write the IPv4 address without `::ffff:`")]
    Mapped,
}

impl FromStr for AddressRange {
    type Err = InvalidRange;

    fn from_str(text: &str) -> Result<Self, InvalidRange> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| InvalidRange::Syntax)?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => width,
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                bits.parse().map_err(|_| InvalidRange::Syntax)?
            }
            Some(_) => return Err(InvalidRange::Syntax),
        };
        if bits > width {
            return Err(InvalidRange::TooLong(width));
        }
        if address.to_canonical() != address {
            return Err(InvalidRange::Mapped);
        }
        let range = Self {
            first: prefix(address, bits),
            bits,
        };
        if range.first == address {
            Ok(range)
        } else {
            Err(InvalidRange::Bits(range))
        }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_the_addresses_of_its_prefix() {
        for (range, inside, outside) in [
            ("10.1.0.0/16", "10.1.255.255", "10.2.0.0"),
            ("10.1.0.0/16", "::ffff:10.1.0.1", "::a01:1"),
            ("0.0.0.0/0", "255.1.2.3", "::1"),
            ("::/0", "2000::1", "1.2.3.4"),
            ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
            ("::1/128", "::1", "::2"),
            ("fd00::/8", "fdff::1", "fc00::1"),
        ] {
            let parsed: AddressRange = range.parse().unwrap();
            assert!(parsed.contains(inside.parse().unwrap()), "{range} {inside}");
            assert!(
                !parsed.contains(outside.parse().unwrap()),
                "{range} {outside}"
            );
        }
    }

    #[test]
    fn what_is_no_range_is_refused_with_its_reason() {
        let error = |text: &str| text.parse::<AddressRange>().unwrap_err();
        for text in [
            "",
            "10.0.0",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "a/8",
            "[::1]",
        ] {
            assert_eq!(error(text), InvalidRange::Syntax, "{text}");
        }
        assert_eq!(error("10.0.0.0/33"), InvalidRange::TooLong(32));
        assert_eq!(error("::/129"), InvalidRange::TooLong(128));
        assert_eq!(error("::ffff:10.0.0.0/104"), InvalidRange::Mapped);
        let meant = "10.0.0.0/8".parse().unwrap();
        assert_eq!(error("10.0.0.1/8"), InvalidRange::Bits(meant));
        assert_eq!(meant.to_string(), "10.0.0.0/8");
    }
}
