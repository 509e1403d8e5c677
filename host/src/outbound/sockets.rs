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
                granted.extend(
                    patterns
                        .iter()
                        .filter(|pattern| !granted.contains(pattern))
                        .cloned()
                        .collect::<Vec<_>>(),
                );
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
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::outbound::{ProcessConnections, Roots, Rules, Settings};

    fn sockets(
        allow: &[&str],
        networks: &[&str],
        settings: Settings,
    ) -> (Sockets, Arc<AtomicUsize>) {
        let denials = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&denials);
        let rules = Rules::new(
            allow.iter().map(|text| text.parse().unwrap()).collect(),
            networks.iter().map(|text| text.parse().unwrap()).collect(),
        );
        let process = ProcessConnections::new(100, 100, 100);
        let outbound = Outbound::new(rules, settings, &Roots::public(), &process, move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        (Sockets::new(outbound.unwrap()), denials)
    }

    fn settings() -> Settings {
        let address = |text: &str| vec![text.parse().unwrap()];
        Settings {
            connections: 2,
            sockets: SocketKinds {
                tcp: true,
                udp: true,
            },
            hosts: BTreeMap::from([
                ("db.example".to_owned(), address("192.88.98.1")),
                ("inside.example".to_owned(), address("10.0.0.1")),
                ("other.example".to_owned(), address("8.8.4.4")),
            ]),
            ..Settings::default()
        }
    }

    fn allows(sockets: &Sockets, address: &str, reason: SocketAddrUse) -> bool {
        sockets.0.allows(address.parse().unwrap(), reason)
    }

    #[tokio::test]
    async fn a_name_gives_its_addresses_with_the_ports_of_its_patterns() {
        let allow = ["db.example:5432", "inside.example:80", "9.9.9.9:53"];
        let (sockets, denials) = sockets(&allow, &[], settings());
        let connect = SocketAddrUse::TcpConnect;
        assert!(!allows(&sockets, "192.88.98.1:5432", connect));
        sockets.resolve("DB.example.").await.unwrap();
        assert!(allows(&sockets, "192.88.98.1:5432", connect));
        assert!(!allows(&sockets, "192.88.98.1:80", connect));
        assert!(allows(&sockets, "9.9.9.9:53", SocketAddrUse::UdpSend));
        assert!(!allows(&sockets, "9.9.9.9:80", SocketAddrUse::UdpSend));
        assert_eq!(denials.load(Ordering::Relaxed), 3);
        for (name, denied) in [
            ("inside.example", true),
            ("other.example", true),
            ("a..b", false),
        ] {
            let lookup = sockets.resolve(name).await.unwrap_err();
            assert_eq!(
                matches!(lookup, LookupError::Denied),
                denied,
                "{name}: {lookup:?}"
            );
        }
        assert_eq!(denials.load(Ordering::Relaxed), 6);
        let address = sockets.resolve("10.0.0.1").await.unwrap();
        assert_eq!(address, ["10.0.0.1".parse::<IpAddr>().unwrap()]);
        assert!(!allows(&sockets, "10.0.0.1:80", connect));
    }

    #[tokio::test]
    async fn the_connections_of_an_instance_are_bounded_until_it_ends() {
        let (sockets, _) = sockets(&["1.1.1.1:*"], &[], settings());
        let connect = SocketAddrUse::TcpConnect;
        assert!(allows(&sockets, "1.1.1.1:1", connect));
        assert!(allows(&sockets, "1.1.1.1:2", connect));
        assert!(!allows(&sockets, "1.1.1.1:3", connect));
        let next = Sockets::new(Arc::clone(&sockets.0.outbound));
        assert!(!allows(&next, "1.1.1.1:4", connect));
        drop(sockets);
        assert!(allows(&next, "1.1.1.1:4", connect));
    }

    #[tokio::test]
    async fn open_sockets_are_bounded_until_they_are_closed() {
        let settings = Settings {
            open_sockets: 2,
            ..settings()
        };
        let (sockets, denials) = sockets(&[], &[], settings);
        for number in [7, 8] {
            sockets.created(number, sockets.create().unwrap());
        }
        let next = Sockets::new(Arc::clone(&sockets.0.outbound));
        assert!(sockets.create().is_none() && next.create().is_none());
        assert_eq!(denials.load(Ordering::Relaxed), 2);
        sockets.closed(7);
        next.created(1, next.create().unwrap());
        assert!(next.create().is_none());
        drop(sockets);
        assert!(next.create().is_some());
    }

    #[tokio::test]
    async fn guests_listen_nowhere() {
        let (sockets, _) = sockets(&["*:*"], &["0.0.0.0/0", "::/0"], settings());
        assert!(!allows(&sockets, "0.0.0.0:0", SocketAddrUse::TcpListen));
        assert!(!allows(&sockets, "127.0.0.1:5", SocketAddrUse::TcpAccept));
        assert!(!allows(&sockets, "127.0.0.1:0", SocketAddrUse::TcpBind));
        assert!(!allows(&sockets, "0.0.0.0:53", SocketAddrUse::UdpBind));
        assert!(allows(&sockets, "0.0.0.0:0", SocketAddrUse::TcpBind));
        assert!(allows(&sockets, "[::]:0", SocketAddrUse::UdpBind));
    }

    #[tokio::test]
    async fn without_a_kind_of_socket_there_are_no_lookups() {
        let settings = Settings {
            sockets: SocketKinds::default(),
            ..settings()
        };
        let (sockets, _) = sockets(&["*:*"], &[], settings);
        let lookup = sockets.resolve("db.example").await.unwrap_err();
        assert!(matches!(lookup, LookupError::Denied));
    }
}
