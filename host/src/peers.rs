//! Connections and requests of each address, so that one client cannot have all places.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use crate::Limit;
use crate::client::Client;

/// How many connections, or requests, each address has now.
#[derive(Debug)]
pub(crate) struct Peers {
    most: u32,
    now: Mutex<HashMap<IpAddr, u32>>,
}

/// A connection or a request of an address. Dropping it makes room for another.
#[derive(Debug)]
pub(crate) struct Peer {
    peers: Arc<Peers>,
    address: IpAddr,
}

impl Peers {
    /// At most so many of one address.
    pub(crate) fn new(most: u32) -> Arc<Self> {
        let now = Mutex::default();
        Arc::new(Self { most, now })
    }

    /// Another one. `None`: the address has too many.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Peer> {
        let address = network(address);
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let before = now.get(&address).copied().unwrap_or(0);
        if before >= self.most {
            return None;
        }
        now.insert(address, before + 1);
        let peers = Arc::clone(self);
        Some(Peer { peers, address })
    }
}

/// The requests of one address, if the configuration names no number.
const REQUESTS: u32 = 64;

/// How many requests each address has now.
#[derive(Debug)]
pub(crate) struct Requesters {
    peers: Arc<Peers>,
    /// A proxy on this machine asks for all of its clients.
    spares_this_machine: bool,
}

impl Requesters {
    /// At most so many requests of one address. `None`: a number of the host.
    pub(crate) fn new(most: Option<u32>) -> Self {
        Self {
            peers: Peers::new(most.unwrap_or(REQUESTS)),
            spares_this_machine: most.is_none(),
        }
    }

    /// Another request. It has no place if nobody counts those of its client.
    pub(crate) fn enter(&self, client: Client) -> Result<Option<Peer>, Limit> {
        match client.address() {
            None => Ok(None),
            Some(address) if self.spares_this_machine && address.is_loopback() => Ok(None),
            Some(address) => match self.peers.enter(address) {
                None => Err(Limit::AddressRequests),
                place => Ok(place),
            },
        }
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
    fn an_address_has_its_number_of_requests() {
        for (most, address, number) in [
            (None, "192.0.2.1:80", REQUESTS),
            (Some(2), "192.0.2.1:80", 2),
            (Some(2), "127.0.0.1:80", 2),
        ] {
            let requesters = Requesters::new(most);
            let client = Client::new(address.parse().ok(), false);
            let mut held: Vec<_> = (0..number)
                .map(|_| requesters.enter(client).unwrap().unwrap())
                .collect();
            assert_eq!(
                requesters.enter(client).unwrap_err(),
                Limit::AddressRequests
            );
            held.pop();
            assert!(requesters.enter(client).unwrap().is_some());
        }
        // A proxy on this machine, and a client of a Unix socket.
        let requesters = Requesters::new(None);
        for address in ["127.0.0.1:80", "[::1]:80", "none"] {
            let client = Client::new(address.parse().ok(), false);
            assert!(requesters.enter(client).unwrap().is_none());
        }
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
