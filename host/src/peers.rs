//! Connections of each address, so that one client cannot have all places.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// How many connections each address has now.
#[derive(Debug)]
pub(crate) struct Peers {
    most: u32,
    now: Mutex<HashMap<IpAddr, u32>>,
}

/// A connection of an address. Dropping it makes room for another.
#[derive(Debug)]
pub(crate) struct Peer {
    peers: Arc<Peers>,
    address: IpAddr,
}

impl Peers {
    /// At most so many connections of one address.
    pub(crate) fn new(most: u32) -> Arc<Self> {
        let now = Mutex::default();
        Arc::new(Self { most, now })
    }

    /// Another connection. `None`: the address has too many.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Peer> {
        let address = network(address);
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        match now.entry(address) {
            Entry::Occupied(entry) if *entry.get() >= self.most => return None,
            Entry::Vacant(_) if self.most == 0 => return None,
            entry => *entry.or_default() += 1,
        }
        let peers = Arc::clone(self);
        Some(Peer { peers, address })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let mut now = self
            .peers
            .now
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut entry) = now.entry(self.address) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

/// What one client usually has: an address of IPv4, or the first 64 bits of an address of IPv6
/// (RFC 6177, section 2).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_number_of_connections() {
        let peers = Peers::new(2);
        let enter = |address: &str| peers.enter(address.parse().unwrap());
        let (one, _two) = (
            enter("192.0.2.1").unwrap(),
            enter("::ffff:192.0.2.1").unwrap(),
        );
        assert!(enter("192.0.2.1").is_none());
        let other = enter("192.0.2.2").unwrap();
        drop(one);
        let _three = enter("192.0.2.1").unwrap();
        drop(other);
        assert_eq!(peers.now.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let peers = Peers::new(1);
        let enter = |address: &str| peers.enter(address.parse().unwrap());
        let _one = enter("2001:db8:0:1::1").unwrap();
        assert!(enter("2001:db8:0:1:2:3:4:5").is_none());
        assert!(enter("2001:db8:0:2::1").is_some());
    }
}
