//! The lookup of names, bounded: how many run at a time, how long one may take, how many addresses
//! are looked at.
//!
//! The system's resolver does the work (`getaddrinfo`), on Tokio's threads for blocking work. It
//! cannot be stopped, so a lookup that took too long keeps its place until the resolver has given
//! it up: the number of threads stays bounded.

use std::collections::BTreeMap;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::denial::Denial;
use crate::destination::{Host, canonical};

/// The lookups of one application within those of the process.
#[derive(Debug)]
pub(crate) struct Resolver {
    /// Lookups of the process.
    all: Arc<Semaphore>,
    /// Lookups of the application.
    own: Arc<Semaphore>,
    timeout: Duration,
    most_addresses: usize,
    /// Names that the configuration resolves, before the system is asked.
    hosts: BTreeMap<String, Vec<IpAddr>>,
}

impl Resolver {
    pub(crate) fn new(
        all: Arc<Semaphore>,
        lookups: usize,
        timeout: Duration,
        most_addresses: usize,
        hosts: BTreeMap<String, Vec<IpAddr>>,
    ) -> Self {
        Self {
            all,
            own: Arc::new(Semaphore::new(lookups.min(Semaphore::MAX_PERMITS))),
            timeout,
            most_addresses,
            hosts,
        }
    }

    /// The addresses of a host, at least one, in the resolver's order, without duplicates.
    pub(crate) async fn resolve(&self, host: &Host) -> Result<Vec<IpAddr>, Denial> {
        let name = match host {
            Host::Address(address) => return Ok(vec![*address]),
            Host::Name(name) => name,
        };
        if let Some(addresses) = self.hosts.get(name) {
            return Ok(addresses.clone());
        }
        let Ok(own) = Arc::clone(&self.own).try_acquire_owned() else {
            return Err(Denial::LookupsInFlight);
        };
        let Ok(all) = Arc::clone(&self.all).try_acquire_owned() else {
            return Err(Denial::LookupsInFlight);
        };
        let (name, most) = (name.clone(), self.most_addresses);
        let lookup = tokio::task::spawn_blocking(move || {
            let _places = (own, all);
            let mut addresses = Vec::new();
            for address in (name.as_str(), 0).to_socket_addrs()? {
                let address = canonical(address.ip());
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
                if addresses.len() >= most {
                    break;
                }
            }
            Ok::<_, std::io::Error>(addresses)
        });
        let unresolved = |reason: String| Denial::Unresolved {
            host: host.clone(),
            reason,
        };
        match tokio::time::timeout(self.timeout, lookup).await {
            Err(_) => Err(Denial::LookupTimeout(host.clone())),
            Ok(Err(panicked)) => Err(unresolved(panicked.to_string())),
            Ok(Ok(Err(error))) => Err(unresolved(error.to_string())),
            Ok(Ok(Ok(addresses))) if addresses.is_empty() => {
                Err(unresolved("no address".to_owned()))
            }
            Ok(Ok(Ok(addresses))) => Ok(addresses),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolver(lookups: usize) -> Resolver {
        let address = "192.0.2.1".parse().unwrap();
        let hosts = BTreeMap::from([("known.example".to_owned(), vec![address])]);
        let all = Arc::new(Semaphore::new(lookups));
        Resolver::new(all, lookups, Duration::from_secs(10), 4, hosts)
    }

    #[tokio::test]
    async fn addresses_and_named_hosts_need_no_lookup() {
        let resolver = resolver(0);
        for (text, address) in [
            ("[::ffff:1.2.3.4]", "1.2.3.4"),
            ("known.example", "192.0.2.1"),
        ] {
            let host = Host::parse(text).unwrap();
            let addresses = resolver.resolve(&host).await.unwrap();
            assert_eq!(addresses, [address.parse::<IpAddr>().unwrap()]);
        }
        let host = Host::parse("localhost").unwrap();
        let denial = resolver.resolve(&host).await.unwrap_err();
        assert!(matches!(denial, Denial::LookupsInFlight), "{denial}");
    }

    #[tokio::test]
    async fn the_system_is_asked_for_other_names() {
        let resolver = resolver(1);
        let host = Host::parse("localhost").unwrap();
        let addresses = resolver.resolve(&host).await.unwrap();
        assert!(addresses.iter().all(IpAddr::is_loopback), "{addresses:?}");
        let host = Host::parse("no-such-name.invalid").unwrap();
        let denial = resolver.resolve(&host).await.unwrap_err();
        // A machine without a name server may have to wait for an answer.
        let away = matches!(denial, Denial::Unresolved { .. } | Denial::LookupTimeout(_));
        assert!(away, "{denial}");
    }
}
