//! A Redis server, and the connections to it. Applications share them: what each may read and
//! write follows from the keys that `remote.rs` makes.
//!
//! A connection carries many operations at a time. One that breaks is replaced by the next
//! operation that needs it. While the server is away, operations fail at once, and one of them
//! tries to connect from time to time.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Client, ConnectionAddr, FromRedisValue, RedisError};
use tokio::time::Instant;

use super::KeyValueError;

/// How long operations fail at once after a connection was refused.
const PAUSE: Duration = Duration::from_millis(200);

/// An address that is not one of a Redis server. It may hold a password, so nothing quotes it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRedisUrl {
    /// It is not `redis://host:port/database` and not `unix:///path`.
    #[error("this is not the address of a Redis server, such as `redis://127.0.0.1:6379/0`")]
    Syntax,
    /// It asks for TLS.
    #[error(
        "TLS to Redis is not supported: use a Unix socket, a private network, or a proxy such as \
         stunnel"
    )]
    Tls,
}

/// Hears the server's address, and why it cannot be used.
type Observer = Box<dyn Fn(&str) + Send + Sync>;

/// The connections to one Redis server.
pub struct RedisServer {
    client: Client,
    slots: Vec<Slot>,
    next: AtomicUsize,
    observer: Observer,
}

/// A place for a connection.
#[derive(Default)]
struct Slot {
    state: Mutex<SlotState>,
    /// Held by the operation that connects.
    connecting: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct SlotState {
    connection: Option<MultiplexedConnection>,
    /// Counts connections, so that an operation forgets the one that it has used, and not a newer
    /// one.
    generation: u64,
    refused: Option<Instant>,
}

/// Whether an operation may be sent a second time after its connection broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It only reads.
    Harmless,
    /// The first attempt may have had its effect.
    Never,
}

impl RedisServer {
    /// The server at `url`, with at most this many connections, of which the first is opened by
    /// the first operation. `observer` hears the server's address, without a password, and why it
    /// cannot be used. It must not block.
    ///
    /// # Errors
    ///
    /// [`InvalidRedisUrl`].
    pub fn new(
        url: &str,
        connections: usize,
        observer: impl Fn(&str) + Send + Sync + 'static,
    ) -> Result<Self, InvalidRedisUrl> {
        let client = Client::open(url).map_err(|_| {
            let tls = url.starts_with("rediss:") || url.starts_with("valkeys:");
            if tls {
                InvalidRedisUrl::Tls
            } else {
                InvalidRedisUrl::Syntax
            }
        })?;
        if let ConnectionAddr::TcpTls { .. } = client.get_connection_info().addr() {
            return Err(InvalidRedisUrl::Tls);
        }
        let slots = std::iter::repeat_with(Slot::default);
        Ok(Self {
            client,
            slots: slots.take(connections.max(1)).collect(),
            next: AtomicUsize::new(0),
            observer: Box::new(observer),
        })
    }

    /// Runs an operation within `timeout`.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        operation: &impl Operation,
        timeout: Duration,
        repeat: Repeat,
    ) -> Result<T, KeyValueError> {
        let end = Instant::now() + timeout;
        let index = self.next.fetch_add(1, Ordering::Relaxed) % self.slots.len().max(1);
        let Some(slot) = self.slots.get(index) else {
            return Err(KeyValueError::Unavailable);
        };
        let mut repeat = repeat;
        loop {
            let (mut connection, generation) = self.connection(slot, end).await?;
            let sent = tokio::time::timeout_at(end, operation.query(&mut connection)).await;
            let error = match sent {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(error)) => error,
                Err(_) => {
                    // The server may be stuck. The next operation finds out with a new connection.
                    slot.forget(generation);
                    return Err(KeyValueError::Timeout);
                }
            };
            let broken = error.is_connection_dropped() || error.is_io_error();
            if broken || error.is_unrecoverable_error() {
                slot.forget(generation);
            }
            if broken && repeat == Repeat::Harmless {
                repeat = Repeat::Never;
                continue;
            }
            self.report(&error);
            return Err(KeyValueError::Unavailable);
        }
    }

    /// The slot's connection, or a new one.
    async fn connection(
        &self,
        slot: &Slot,
        end: Instant,
    ) -> Result<(MultiplexedConnection, u64), KeyValueError> {
        if let Some(found) = slot.current() {
            return Ok(found);
        }
        let connect = async {
            let _turn = slot.connecting.lock().await;
            // Another operation may have connected, or failed to, in the meantime.
            if let Some(found) = slot.current() {
                return Ok(found);
            }
            if slot.state().refused.is_some_and(|at| at.elapsed() < PAUSE) {
                return Err(KeyValueError::Unavailable);
            }
            let left = end.saturating_duration_since(Instant::now());
            let config = AsyncConnectionConfig::new();
            let config = config
                .set_connection_timeout(Some(left))
                .set_response_timeout(None);
            let connected = self
                .client
                .get_multiplexed_async_connection_with_config(&config)
                .await;
            let mut state = slot.state();
            match connected {
                Ok(connection) => {
                    state.generation = state.generation.wrapping_add(1);
                    state.connection = Some(connection.clone());
                    state.refused = None;
                    Ok((connection, state.generation))
                }
                Err(error) => {
                    state.refused = Some(Instant::now());
                    drop(state);
                    self.report(&error);
                    Err(KeyValueError::Unavailable)
                }
            }
        };
        match tokio::time::timeout_at(end, connect).await {
            Ok(connected) => connected,
            Err(_) => Err(KeyValueError::Timeout),
        }
    }

    fn report(&self, error: &RedisError) {
        let address = self.client.get_connection_info().addr();
        (self.observer)(&format!("{address}: {error}"));
    }
}

impl fmt::Debug for RedisServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the address, which may hold a password.
        f.debug_struct("RedisServer")
            .field("connections", &self.slots.len())
            .finish()
    }
}

impl Slot {
    fn state(&self) -> MutexGuard<'_, SlotState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn current(&self) -> Option<(MultiplexedConnection, u64)> {
        let state = self.state();
        Some((state.connection.clone()?, state.generation))
    }

    fn forget(&self, generation: u64) {
        let mut state = self.state();
        if state.generation == generation {
            state.connection = None;
        }
    }
}

/// A command, or several in one round trip.
pub(super) trait Operation: Sync {
    /// Sends it, and reads the answer.
    fn query<T: FromRedisValue>(
        &self,
        connection: &mut (impl ConnectionLike + Send),
    ) -> impl Future<Output = Result<T, RedisError>> + Send;
}

impl Operation for redis::Cmd {
    async fn query<T: FromRedisValue>(
        &self,
        connection: &mut (impl ConnectionLike + Send),
    ) -> Result<T, RedisError> {
        self.query_async(connection).await
    }
}

impl Operation for redis::Pipeline {
    async fn query<T: FromRedisValue>(
        &self,
        connection: &mut (impl ConnectionLike + Send),
    ) -> Result<T, RedisError> {
        self.query_async(connection).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_and_not_shown() {
        let server = |url: &str| RedisServer::new(url, 2, |_| {});
        server("redis://:secret@127.0.0.1:6379/3").unwrap();
        server("unix:///run/redis.sock").unwrap();
        for url in ["", "127.0.0.1:6379", "http://127.0.0.1", "redis://h:port"] {
            let error = server(url).unwrap_err();
            assert!(matches!(error, InvalidRedisUrl::Syntax), "{url}: {error}");
        }
        for url in ["rediss://:secret@127.0.0.1", "valkeys://127.0.0.1"] {
            let error = server(url).unwrap_err();
            assert!(matches!(error, InvalidRedisUrl::Tls), "{url}: {error}");
        }
        let text = format!("{:?}", server("redis://:secret@127.0.0.1").unwrap());
        assert!(!text.contains("secret"), "{text}");
    }

    /// Nobody listens on the port of a listener that is gone.
    #[tokio::test]
    async fn a_server_that_is_away_is_an_error_and_is_reported() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        drop(listener);
        let (sender, reasons) = std::sync::mpsc::channel();
        let sender = Mutex::new(sender);
        let server = RedisServer::new(&url, 1, move |reason| {
            let _ = sender.lock().unwrap().send(reason.to_owned());
        });
        let server = server.unwrap();
        let ping = redis::cmd("PING");
        for _ in 0..2 {
            let timeout = Duration::from_secs(10);
            let answer = server.run::<String>(&ping, timeout, Repeat::Harmless).await;
            assert_eq!(answer, Err(KeyValueError::Unavailable));
        }
        // The second operation did not try to connect.
        assert_eq!(reasons.try_iter().count(), 1);
    }

    /// A server that accepts and says nothing.
    #[tokio::test]
    async fn a_silent_server_is_a_timeout() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let server = RedisServer::new(&url, 1, |_| {}).unwrap();
        let ping = redis::cmd("PING");
        let timeout = Duration::from_millis(50);
        let answer = server.run::<String>(&ping, timeout, Repeat::Harmless).await;
        let away = [KeyValueError::Timeout, KeyValueError::Unavailable];
        assert!(away.contains(&answer.unwrap_err()));
    }
}
