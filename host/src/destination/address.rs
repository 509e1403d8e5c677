//! Which addresses a guest may not reach, and why.
//!
//! An address is refused if it is not a public unicast address: it belongs to the host, to its
//! network, to a group, or to nobody. The classes follow IANA's special-purpose registries:
//! <https://www.iana.org/assignments/iana-ipv4-special-registry> and
//! <https://www.iana.org/assignments/iana-ipv6-special-registry>. An operator lets an address in
//! by naming its network.
//!
//! Some IPv6 addresses have an IPv4 address inside, to which a router or this kernel translates
//! them. A named network of such addresses is not enough: the address inside must be allowed too,
//! or `64:ff9b::10.0.0.1` would reach a private network through a translator.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::range::AddressRange;

/// Why an address is not public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressClass {
    /// `0.0.0.0/8`, `::`: this host on this network.
    Unspecified,
    /// `127.0.0.0/8`, `::1`.
    Loopback,
    /// RFC 1918, and unique local addresses (`fc00::/7`) and site-local ones (`fec0::/10`).
    Private,
    /// `100.64.0.0/10`: behind the translator of a provider.
    Shared,
    /// `169.254.0.0/16`, `fe80::/10`.
    LinkLocal,
    /// Where clouds answer with credentials: `169.254.169.254`, `fd00:ec2::254`,
    /// `100.100.100.200`, `168.63.129.16` (a public address that only its virtual machines reach).
    Metadata,
    /// `224.0.0.0/4`, `ff00::/8`.
    Multicast,
    /// `255.255.255.255`.
    Broadcast,
    /// Documentation and benchmarks: nobody answers there.
    Documentation,
    /// Reserved, or assigned to a protocol.
    Reserved,
    /// NAT64: `64:ff9b::/96`, `64:ff9b:1::/48`.
    Nat64,
    /// 6to4 and its relays: `2002::/16`, `192.88.99.0/24`.
    SixToFour,
    /// Teredo: `2001::/32`.
    Teredo,
    /// ISATAP: an interface identifier `0:5efe` with an IPv4 address.
    Isatap,
    /// `::/96`: IPv4-compatible, deprecated.
    Ipv4Compatible,
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "unspecified",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::Shared => "shared",
            Self::LinkLocal => "link-local",
            Self::Metadata => "metadata",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Documentation => "documentation",
            Self::Reserved => "reserved",
            Self::Nat64 => "NAT64",
            Self::SixToFour => "6to4",
            Self::Teredo => "Teredo",
            Self::Isatap => "ISATAP",
            Self::Ipv4Compatible => "IPv4-compatible",
        })
    }
}

/// An IPv4-mapped address as the IPv4 address that the kernel would connect to.
#[must_use]
pub fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// The class of an address, or nothing for a public one.
#[must_use]
pub fn class(address: IpAddr) -> Option<AddressClass> {
    match canonical(address) {
        IpAddr::V4(address) => class_v4(address),
        IpAddr::V6(address) => class_v6(address),
    }
}

/// Whether a guest may reach `address`, if the operator has named `networks`.
///
/// # Errors
///
/// The class of an address that is neither public nor in a named network.
pub fn permit(address: IpAddr, networks: &[AddressRange]) -> Result<(), AddressClass> {
    let address = canonical(address);
    let named = networks.iter().any(|network| network.contains(address));
    match class(address) {
        Some(class) if !named => return Err(class),
        _ => {}
    }
    // Only a named network of translated addresses comes as far as this.
    if let IpAddr::V6(outer) = address
        && let Some(inner) = embedded(outer)
    {
        return permit(IpAddr::V4(inner), networks);
    }
    Ok(())
}

fn class_v4(address: Ipv4Addr) -> Option<AddressClass> {
    use AddressClass as Class;
    let class = match address.octets() {
        [169, 254, 169, 254] | [100, 100, 100, 200] | [168, 63, 129, 16] => Class::Metadata,
        [0, ..] => Class::Unspecified,
        [127, ..] => Class::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Class::Private,
        [100, 64..=127, ..] => Class::Shared,
        [169, 254, ..] => Class::LinkLocal,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] | [198, 18..=19, ..] => {
            Class::Documentation
        }
        [192, 0, 0, _] => Class::Reserved,
        [192, 88, 99, _] => Class::SixToFour,
        [224..=239, ..] => Class::Multicast,
        [255, 255, 255, 255] => Class::Broadcast,
        [240..=255, ..] => Class::Reserved,
        _ => return None,
    };
    Some(class)
}

fn class_v6(address: Ipv6Addr) -> Option<AddressClass> {
    use AddressClass as Class;
    let class = match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Class::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => Class::Loopback,
        [0, 0, 0, 0, 0, 0, _, _] => Class::Ipv4Compatible,
        [0x64, 0xff9b, 0, 0, 0, 0, _, _] | [0x64, 0xff9b, 1, ..] => Class::Nat64,
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] => Class::Metadata,
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Class::Private,
        [0xfe80..=0xfebf, ..] => Class::LinkLocal,
        [0xff00..=0xffff, ..] => Class::Multicast,
        [0x2002, ..] => Class::SixToFour,
        [0x2001, 0, ..] => Class::Teredo,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Class::Documentation,
        // Assigned to protocols, among them ORCHID and benchmarks.
        [0x2001, 0..=0x1ff, ..] => Class::Reserved,
        [_, _, _, _, 0 | 0x200, 0x5efe, _, _] => Class::Isatap,
        // Only 2000::/3 is assigned to global unicast.
        [0x2000..=0x3fff, ..] => return None,
        _ => Class::Reserved,
    };
    Some(class)
}

/// The IPv4 address that `address` is translated to, if it has one at a known place.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    let (high, low) = match segments {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => return None,
        [0x64, 0xff9b, ..] | [0, 0, 0, 0, 0, 0, _, _] | [_, _, _, _, 0 | 0x200, 0x5efe, _, _] => {
            (segments[6], segments[7])
        }
        [0x2002, high, low, ..] => (high, low),
        // The client's address is stored inverted (RFC 4380, section 4).
        [0x2001, 0, _, _, _, _, high, low] => (!high, !low),
        _ => return None,
    };
    Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
}

#[cfg(test)]
mod tests;
