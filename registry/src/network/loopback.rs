//! Which names are this host: they need no TLS, and no proxy.

use std::net::IpAddr;

/// Whether a registry's name is one of this host: `localhost`, 127.0.0.0/8 or `[::1]`.
pub(super) fn is_loopback_name(registry: &str) -> bool {
    let host = match registry.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => registry.split(':').next().unwrap_or_default(),
    };
    is_loopback(host)
}

/// Whether a host is this one, whatever a name service says.
pub(super) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|it| it.is_loopback())
}
