//! The names of hosts.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Whether a text in lower case is the name of a host, or an address (IPv6 in brackets).
///
/// Source: RFC 1123, section 2.1; RFC 1035, section 2.3.4. An underscore is allowed, because names
/// with one are in use.
pub(crate) fn is_host(text: &str) -> bool {
    if let Some(address) = text.strip_prefix('[') {
        let address = address.strip_suffix(']');
        return address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    }
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    let label = |label: &str| {
        let ends = label.starts_with('-') || label.ends_with('-');
        (1..=63).contains(&label.len()) && label.bytes().all(letter) && !ends
    };
    // What ends with a number is an address, or nothing (WHATWG URL, "ends in a number").
    let last = text.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse::<Ipv4Addr>().is_ok();
    }
    text.len() <= 253 && text.split('.').all(label)
}
