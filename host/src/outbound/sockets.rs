//! `wasi:sockets` under the rules of outbound HTTP.
//!
//! A guest looks a name up and connects to an address that it got. So a lookup is allowed if the
//! allow-list has the name with any port, and the instance may then use the addresses with the
//! ports of those patterns. An address that the guest did not get in this way must be in the
//! allow-list as an address. Guests listen nowhere.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::sockets::SocketAddrUse;

use super::Outbound;
use super::connect::Places;
use super::denial::Denial;
use crate::destination::{Host, InvalidHost, Pattern};

/// Addresses that one instance may get from lookups. Further ones are not remembered, so the
/// instance may not use them.
const MOST_GRANTS: usize = 256;

/// The kinds of sockets that an application may open. By default none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketKinds {
    /// TCP connections. Each counts as an outbound connection until the request has ended.
    pub tcp: bool,
    /// UDP datagrams.
    pub udp: bool,
}

impl SocketKinds {
    fn any(self) -> bool {
        self.tcp || self.udp
    }
}

/// The sockets of one instance. When it is dropped, with the instance's store, the places of its
/// sockets and of its connections are free again.
#[derive(Clone, Debug)]
pub struct Sockets(Arc<Instance>);

#[derive(Debug)]
struct Instance {
    outbound: Arc<Outbound>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Addresses from lookups, and the patterns whose ports they may be used with.
    granted: BTreeMap<IpAddr, Vec<Pattern>>,
    /// The places of connections. Those of a socket that is closed stay until the end: its streams
    /// may outlive it.
    places: Vec<Places>,
    /// The places of open sockets, by their number in the instance's table of resources.
    open: BTreeMap<u32, Places>,
}

/// Places for a socket that is about to be created.
#[derive(Debug)]
pub(crate) struct NewSocket(Places);

/// Why a lookup has no answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum LookupError {
    /// The rules do not allow it.
    Denied,
    /// The text is no name and no address.
    Invalid,
    /// The resolver has no address.
    Unresolvable,
    /// Another attempt may succeed.
    Temporary,
}

impl Sockets {
    /// The sockets of a new instance of the application.
    #[must_use]
    pub fn new(outbound: Arc<Outbound>) -> Self {
        Self(Arc::new(Instance {
            outbound,
            state: Mutex::default(),
        }))
    }

    /// Gives the instance its sockets. `wasmtime-wasi` asks here before each use of an address.
    /// Its own name lookup stays off: `interfaces` links another one.
    pub fn configure(&self, wasi: &mut WasiCtxBuilder) {
        let kinds = self.0.outbound.settings().sockets;
        wasi.allow_tcp(kinds.tcp);
        wasi.allow_udp(kinds.udp);
        wasi.allow_ip_name_lookup(false);
        // Weak, since the check lives in the store whose end frees the places.
        let instance = Arc::downgrade(&self.0);
        wasi.socket_addr_check(move |address, reason| {
            let allowed = instance
                .upgrade()
                .is_some_and(|instance| instance.allows(address, reason));
            Box::pin(std::future::ready(allowed))
        });
    }

    /// Places for a new socket. Each takes a file descriptor of the process from its creation, not
    /// only from its connection. `None`: there are too many, which is reported.
    pub(crate) fn create(&self) -> Option<NewSocket> {
        let outbound = &self.0.outbound;
        let places = outbound.pool().try_socket();
        let places = places.inspect_err(|denial| outbound.report(denial));
        places.ok().map(NewSocket)
    }

    /// The socket was created with this number in the instance's table of resources.
    pub(crate) fn created(&self, number: u32, NewSocket(places): NewSocket) {
        self.0.state().open.insert(number, places);
    }

    /// The socket with this number was closed.
    pub(crate) fn closed(&self, number: u32) {
        self.0.state().open.remove(&number);
    }

    /// Looks a name up for the guest. An address is returned as it is: it is checked when it is
    /// used.
    ///
    /// # Errors
    ///
    /// [`LookupError`] says which code the guest sees.
    pub async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, LookupError> {
        let outbound = &self.0.outbound;
        let answer = self.lookup(name).await;
        answer.map_err(|denial| {
            outbound.report(&denial);
            match denial {
                Denial::InvalidHost => LookupError::Invalid,
                Denial::Unresolved { .. } => LookupError::Unresolvable,
                Denial::LookupTimeout(_) | Denial::LookupsInFlight => LookupError::Temporary,
                _ => LookupError::Denied,
            }
        })
    }

    async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, Denial> {
        let outbound = &self.0.outbound;
        if !outbound.settings().sockets.any() {
            return Err(Denial::Socket("name lookups"));
        }
        let host = Host::parse(name).map_err(|InvalidHost| Denial::InvalidHost)?;
        if let Host::Address(address) = host {
            return Ok(vec![address]);
        }
        let patterns = outbound.rules().patterns_of(&host)?;
        let addresses = outbound.resolver().resolve(&host).await?;
        let addresses = outbound.rules().permitted(&host, addresses)?;
        let mut state = self.0.state();
        for address in &addresses {
            if state.granted.len() < MOST_GRANTS || state.granted.contains_key(address) {
                let granted = state.granted.entry(*address).or_default();
                for pattern in &patterns {
                    if !granted.contains(pattern) {
                        granted.push(pattern.clone());
                    }
                }
            }
        }
        Ok(addresses)
    }
}

impl Instance {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn allows(&self, address: SocketAddr, reason: SocketAddrUse) -> bool {
        match self.check(address, reason) {
            Ok(()) => true,
            Err(denial) => {
                self.outbound.report(&denial);
                false
            }
        }
    }

    fn check(&self, address: SocketAddr, reason: SocketAddrUse) -> Result<(), Denial> {
        match reason {
            // Connecting binds to any port of any address, which is how a client begins.
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind => {
                match address.ip().is_unspecified() && address.port() == 0 {
                    true => Ok(()),
                    false => Err(Denial::Socket("a local address of its choice")),
                }
            }
            SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => {
                Err(Denial::Socket("a socket that listens"))
            }
            SocketAddrUse::TcpConnect => {
                self.permit_remote(address)?;
                let places = self.outbound.pool().try_places()?;
                self.state().places.push(places);
                Ok(())
            }
            SocketAddrUse::UdpSend | SocketAddrUse::UdpReceive => self.permit_remote(address),
        }
    }

    fn permit_remote(&self, remote: SocketAddr) -> Result<(), Denial> {
        let ip = remote.ip().to_canonical();
        let granted = self.state().granted.get(&ip).is_some_and(|patterns| {
            patterns
                .iter()
                .any(|pattern| pattern.matches_port(remote.port()))
        });
        match granted {
            // It was checked when the name was looked up.
            true => Ok(()),
            false => self.outbound.rules().permit_socket(remote),
        }
    }
}

#[cfg(test)]
mod tests;
