//! What guests may do on the network: `wasi:http` requests, `wasi:sockets`, and name lookups, all
//! under the same rules.
//!
//! 1. The host and the port that a guest names must match a pattern of the application's
//!    allow-list. Without patterns, everything is refused.
//! 2. Every address that the host resolves to is checked. An address that is not public is refused
//!    unless the operator has named its network.
//! 3. The connection goes to a checked address. Nothing is looked up a second time, so a resolver
//!    that answers differently the next time (DNS rebinding) changes nothing.
//! 4. Connections, lookups, times and sizes are bounded, for each application and in all.
//!
//! The host follows no redirect: a guest that follows one makes another request, under the same
//! rules.

mod body;
mod connect;
mod denial;
mod hooks;
mod pool;
mod resolver;
mod rules;
mod send;
mod sockets;
mod tls;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub use self::denial::Denial;
pub use self::hooks::HttpHooks;
pub use self::pool::ProcessConnections;
pub use self::rules::Rules;
pub use self::sockets::{LookupError, SocketKinds, Sockets};
pub use self::tls::{Roots, RootsError};

use self::pool::Pool;
use self::resolver::Resolver;
use self::tls::Tls;

/// The limits of one application's network use.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Connections at a time, of HTTP and of sockets together.
    pub connections: usize,
    /// Sockets of programs at a time, from their creation until they are closed.
    pub open_sockets: usize,
    /// Name lookups at a time.
    pub lookups: usize,
    /// Addresses of a name that are looked at, at most.
    pub addresses: usize,
    /// How long a lookup may take.
    pub dns_timeout: Duration,
    /// How long a connection may take: a free place, the lookup, TCP and TLS together.
    pub connect_timeout: Duration,
    /// How long the first byte of a response may take.
    pub first_byte_timeout: Duration,
    /// How long a response may stop while its guest waits.
    pub between_bytes_timeout: Duration,
    /// How long a connection waits for another request.
    pub idle_time: Duration,
    /// Bytes of a response's body, at most.
    pub response_body: u64,
    /// The kinds of sockets that guests may open.
    pub sockets: SocketKinds,
    /// Names that are not looked up, and their addresses. The addresses are checked like others.
    pub hosts: BTreeMap<String, Vec<IpAddr>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connections: 16,
            open_sockets: 64,
            lookups: 8,
            addresses: 8,
            dns_timeout: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(5),
            first_byte_timeout: Duration::from_secs(10),
            between_bytes_timeout: Duration::from_secs(10),
            idle_time: Duration::from_secs(10),
            response_body: 64 << 20,
            sockets: SocketKinds::default(),
            hosts: BTreeMap::new(),
        }
    }
}

/// Hears of what was refused, and of limits that were hit.
type Observer = Box<dyn Fn(&Denial) + Send + Sync>;

/// The network use of one application.
pub struct Outbound {
    rules: Rules,
    settings: Settings,
    resolver: Resolver,
    pool: Arc<Pool>,
    tls: Tls,
    observer: Observer,
}

impl Outbound {
    /// What an application may do, within `settings` and within what the process shares.
    /// `observer` is called for each denial, and must not block.
    ///
    /// # Errors
    ///
    /// rustls has no use for its provider, which cannot happen.
    pub fn new(
        rules: Rules,
        settings: Settings,
        roots: &Roots,
        process: &Arc<ProcessConnections>,
        observer: impl Fn(&Denial) + Send + Sync + 'static,
    ) -> Result<Arc<Self>, rustls::Error> {
        let resolver = Resolver::new(
            process.lookups(),
            settings.lookups,
            settings.dns_timeout,
            settings.addresses,
            settings.hosts.clone(),
        );
        let pool = Pool::new(
            Arc::clone(process),
            settings.connections,
            settings.open_sockets,
            settings.idle_time,
        );
        Ok(Arc::new(Self {
            tls: Tls::new(roots)?,
            observer: Box::new(observer),
            rules,
            settings,
            resolver,
            pool,
        }))
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    fn tls(&self) -> &Tls {
        &self.tls
    }

    pub(crate) fn report(&self, denial: &Denial) {
        (self.observer)(denial);
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Outbound");
        text.field("rules", &self.rules)
            .field("settings", &self.settings);
        text.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
