//! The connections of one application: how many it may have, and those that wait for the next
//! request. A connection is never used by another application. Also how many sockets its programs
//! may have, whether they are connected or not: each takes a file descriptor of the process.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::connect::{Connection, Destination, Places};
use super::denial::Denial;

/// How long a connection is given to become ready again after a response has ended. It is not
/// ready while the request's body is still being sent.
const SETTLE: Duration = Duration::from_secs(1);

/// What all applications of a process share.
#[derive(Debug)]
pub struct ProcessConnections {
    places: Arc<Semaphore>,
    sockets: Arc<Semaphore>,
    lookups: Arc<Semaphore>,
    /// Requests that wait for a place.
    waiting: AtomicUsize,
    pools: Mutex<Vec<Weak<Pool>>>,
}

impl ProcessConnections {
    /// At most this many connections, sockets of programs, and name lookups at a time, in all
    /// applications together.
    #[must_use]
    pub fn new(connections: usize, sockets: usize, lookups: usize) -> Arc<Self> {
        Arc::new(Self {
            places: semaphore(connections),
            sockets: semaphore(sockets),
            lookups: semaphore(lookups),
            waiting: AtomicUsize::new(0),
            pools: Mutex::new(Vec::new()),
        })
    }

    pub(super) fn lookups(&self) -> Arc<Semaphore> {
        Arc::clone(&self.lookups)
    }

    /// Connections that could be opened now.
    #[must_use]
    pub fn free(&self) -> usize {
        self.places.available_permits()
    }

    /// Closes a connection that waits for a request, in whichever application. Returns whether
    /// there was one.
    fn close_idle(&self) -> bool {
        let mut pools = lock(&self.pools);
        pools.retain(|pool| pool.strong_count() > 0);
        let pools: Vec<Arc<Pool>> = pools.iter().filter_map(Weak::upgrade).collect();
        pools.iter().any(|pool| pool.close_idle())
    }
}

/// The connections of one application.
#[derive(Debug)]
pub(crate) struct Pool {
    process: Arc<ProcessConnections>,
    places: Arc<Semaphore>,
    sockets: Arc<Semaphore>,
    /// Requests that wait for a place of the application.
    waiting: AtomicUsize,
    /// The oldest first.
    idle: Mutex<Vec<Idle>>,
    idle_time: Duration,
    /// Whether a task closes connections that have waited for too long.
    is_swept: AtomicBool,
}

#[derive(Debug)]
struct Idle {
    destination: Destination,
    connection: Connection,
    since: Instant,
}

impl Pool {
    pub(crate) fn new(
        process: Arc<ProcessConnections>,
        connections: usize,
        sockets: usize,
        idle_time: Duration,
    ) -> Arc<Self> {
        let pool = Arc::new(Self {
            places: semaphore(connections),
            sockets: semaphore(sockets),
            waiting: AtomicUsize::new(0),
            idle: Mutex::new(Vec::new()),
            idle_time,
            is_swept: AtomicBool::new(false),
            process: Arc::clone(&process),
        });
        lock(&process.pools).push(Arc::downgrade(&pool));
        pool
    }

    /// A connection that waits for a request to this destination: the one that was used last.
    pub(crate) fn take(&self, destination: &Destination) -> Option<Connection> {
        let mut idle = self.swept();
        let at = idle
            .iter()
            .rposition(|idle| idle.destination == *destination)?;
        Some(idle.remove(at).connection)
    }

    /// Places for a new connection. If all are taken, a connection that waits is closed, and this
    /// waits until `end` at most.
    pub(crate) async fn places(&self, end: Instant) -> Result<Places, Denial> {
        let _application = match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => place,
            Err(_) => {
                let _waits = Waits::new(&self.waiting);
                self.close_idle();
                acquire(&self.places, end)
                    .await
                    .ok_or(Denial::ApplicationConnections)?
            }
        };
        let _process = match Arc::clone(&self.process.places).try_acquire_owned() {
            Ok(place) => place,
            Err(_) => {
                let _waits = Waits::new(&self.process.waiting);
                self.process.close_idle();
                acquire(&self.process.places, end)
                    .await
                    .ok_or(Denial::HostConnections)?
            }
        };
        Ok(Places {
            _application,
            _process,
        })
    }

    /// Places, if they are free now. For sockets, whose check must not wait.
    pub(crate) fn try_places(&self) -> Result<Places, Denial> {
        let own = Arc::clone(&self.places).try_acquire_owned();
        let _application = own.map_err(|_| {
            // The next attempt may succeed.
            self.close_idle();
            Denial::ApplicationConnections
        })?;
        let process = Arc::clone(&self.process.places).try_acquire_owned();
        let _process = process.map_err(|_| {
            self.process.close_idle();
            Denial::HostConnections
        })?;
        Ok(Places {
            _application,
            _process,
        })
    }

    /// Places for a new socket of a program, if they are free now. They are held until the socket
    /// is closed.
    pub(crate) fn try_socket(&self) -> Result<Places, Denial> {
        let own = Arc::clone(&self.sockets).try_acquire_owned();
        let process = Arc::clone(&self.process.sockets).try_acquire_owned();
        Ok(Places {
            _application: own.map_err(|_| Denial::ApplicationSockets)?,
            _process: process.map_err(|_| Denial::HostSockets)?,
        })
    }

    /// Takes a connection whose response has ended, for the next request.
    pub(crate) fn give_back(self: &Arc<Self>, destination: Destination, connection: Connection) {
        let pool = Arc::downgrade(self);
        let mut connection = connection;
        // Without a runtime, which only a shutdown takes away, the connection is closed.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        runtime.spawn(async move {
            let ready = tokio::time::timeout(SETTLE, connection.sender.ready()).await;
            let Some(pool) = pool.upgrade().filter(|_| matches!(ready, Ok(Ok(())))) else {
                return;
            };
            // A request that waits needs the place more than the next one needs the connection.
            let waiting = |waiting: &AtomicUsize| waiting.load(Ordering::Relaxed) > 0;
            if waiting(&pool.waiting) || waiting(&pool.process.waiting) {
                return;
            }
            let is_swept = {
                let mut idle = pool.swept();
                idle.push(Idle {
                    destination,
                    connection,
                    since: Instant::now(),
                });
                pool.is_swept.swap(true, Ordering::Relaxed)
            };
            let weak = Arc::downgrade(&pool);
            drop(pool);
            if !is_swept {
                sweep(weak).await;
            }
        });
    }

    /// When the next connection has waited for too long. `None`: none waits, so nothing sweeps.
    fn next_sweep(&self) -> Option<Instant> {
        let idle = self.swept();
        let next = idle.first().map(|oldest| oldest.since + self.idle_time);
        // Under the lock, so that a task that adds a connection sees it.
        self.is_swept.store(next.is_some(), Ordering::Relaxed);
        next
    }

    /// The connections that wait, without those that the other side has closed or that have waited
    /// for too long.
    fn swept(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        let mut idle = lock(&self.idle);
        let now = Instant::now();
        idle.retain(|idle| {
            let waited = now.saturating_duration_since(idle.since);
            waited < self.idle_time && !idle.connection.sender.is_closed()
        });
        idle
    }

    /// Connections that wait.
    #[cfg(test)]
    pub(crate) fn idle(&self) -> usize {
        self.swept().len()
    }

    /// Closes the connection that has waited for the longest time.
    fn close_idle(&self) -> bool {
        let mut idle = self.swept();
        let some = !idle.is_empty();
        if some {
            idle.remove(0);
        }
        some
    }
}

/// Closes connections that have waited for too long, until none waits.
async fn sweep(pool: Weak<Pool>) {
    while let Some(next) = pool.upgrade().and_then(|pool| pool.next_sweep()) {
        tokio::time::sleep_until(next).await;
    }
}

/// Counts a request that waits.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn new(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn semaphore(permits: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)))
}

async fn acquire(places: &Arc<Semaphore>, end: Instant) -> Option<OwnedSemaphorePermit> {
    let place = Arc::clone(places).acquire_owned();
    tokio::time::timeout_at(end, place).await.ok()?.ok()
}

/// The value behind a lock. A panic while it was held leaves it as it was: every change of it is
/// one call.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The place of a connection is free again when it is gone, and not before.
    #[tokio::test]
    async fn places_are_counted_for_the_application_and_for_the_process() {
        let process = ProcessConnections::new(2, 2, 1);
        let first = Pool::new(Arc::clone(&process), 1, 1, Duration::from_secs(1));
        let second = Pool::new(Arc::clone(&process), 5, 5, Duration::from_secs(1));
        let held = first.places(Instant::now()).await.unwrap();
        let denial = first.places(Instant::now()).await.unwrap_err();
        assert!(matches!(denial, Denial::ApplicationConnections), "{denial}");
        let other = second.try_places().unwrap();
        let soon = Instant::now() + Duration::from_millis(1);
        let denial = second.places(soon).await.unwrap_err();
        assert!(matches!(denial, Denial::HostConnections), "{denial}");
        assert_eq!(process.free(), 0);
        drop(other);
        drop(held);
        assert_eq!(process.free(), 2);
        first.try_places().unwrap();
    }

    #[test]
    fn sockets_are_counted_for_the_application_and_for_the_process() {
        let process = ProcessConnections::new(9, 2, 1);
        let first = Pool::new(Arc::clone(&process), 9, 1, Duration::from_secs(1));
        let second = Pool::new(Arc::clone(&process), 9, 5, Duration::from_secs(1));
        let held = first.try_socket().unwrap();
        let denial = first.try_socket().unwrap_err();
        assert!(matches!(denial, Denial::ApplicationSockets), "{denial}");
        let other = second.try_socket().unwrap();
        let denial = second.try_socket().unwrap_err();
        assert!(matches!(denial, Denial::HostSockets), "{denial}");
        drop(held);
        second.try_socket().unwrap();
        drop(other);
        first.try_socket().unwrap();
    }
}
