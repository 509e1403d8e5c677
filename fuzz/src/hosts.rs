//! Descriptions of hosts, and fleets of them.

use edgec_verifier::{Fleet, HostProfile};

/// A host that was read and is written again reads as the same host.
pub fn hosts(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(fleet) = Fleet::from_toml(text) {
        assert!(!fleet.hosts.is_empty(), "a fleet of no hosts");
    }
    match HostProfile::from_toml(text) {
        Ok(host) => {
            let written = host.to_toml().expect("what was read can be written");
            assert_eq!(HostProfile::from_toml(&written), Ok(host));
        }
        Err(error) => drop(error.to_string()),
    }
}
