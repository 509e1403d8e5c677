//! The door of a host: a request enters if it may run now. If not, it waits in a bounded queue for
//! a bounded time, or is refused at once.
//!
//! The engine's handler has a queue without a bound, so requests wait here, before anything of them
//! is read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::Limit;
use crate::config::count;

/// Permits of one kind.
#[derive(Clone, Debug)]
pub(crate) struct Room(Arc<Semaphore>);

impl Room {
    /// Room for so many at one time.
    pub(crate) fn new(most: u32) -> Self {
        let most = count(most).min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Semaphore::new(most)))
    }

    pub(crate) fn now(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).try_acquire_owned().ok()
    }

    /// Waits for a permit. The semaphore is never closed.
    pub(crate) async fn later(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).acquire_owned().await.ok()
    }

    /// The permits that are free.
    pub(crate) fn free(&self) -> usize {
        self.0.available_permits()
    }
}

/// The rooms that a request needs.
#[derive(Clone, Copy)]
pub(crate) struct Rooms<'r> {
    /// All of them, in this order: those of its application.
    pub(crate) own: &'r [&'r Room],
    /// And either this one, in which its application is alone, or all that are shared.
    pub(crate) reserve: &'r Room,
    /// Those that applications share, in this order.
    pub(crate) shared: &'r [&'r Room],
}

impl Rooms<'_> {
    /// The permits, if all rooms have one now.
    fn now(&self, held: &mut Held) -> bool {
        let mut places = held.iter_mut();
        let mut enter = |room: &Room| {
            let Some(permit) = room.now() else {
                return false;
            };
            let place = places.next();
            place.is_some_and(|place| place.replace(permit).is_none())
        };
        self.own.iter().all(|room| enter(room))
            && (enter(self.reserve) || self.shared.iter().all(|room| enter(room)))
    }

    /// Waits until all rooms have a permit.
    async fn later(&self, held: &mut Held) {
        let mut permits = Vec::with_capacity(MOST);
        for room in self.own {
            permits.push(room.later().await);
        }
        let shared = async {
            let mut permits = Vec::with_capacity(MOST);
            for room in self.shared {
                permits.push(room.later().await);
            }
            permits
        };
        tokio::select! {
            biased;
            reserve = self.reserve.later() => permits.push(reserve),
            shared = shared => permits.extend(shared),
        }
        for (place, permit) in held.iter_mut().zip(permits) {
            *place = permit;
        }
    }
}

/// Permits, each of another room.
type Held = [Option<OwnedSemaphorePermit>; MOST];

/// What a request holds while it runs. Dropping it lets others in.
#[derive(Debug)]
pub(crate) struct Permits {
    _held: Held,
}

/// The rooms of a request, at most.
const MOST: usize = 4;

/// Requests that wait. Each application has one with a bound of its own, and the host has one.
#[derive(Debug)]
pub(crate) struct Waiting {
    now: AtomicUsize,
    most: usize,
    full: Limit,
}

impl Waiting {
    /// A queue for so many. `full` is the limit that is hit if it is full.
    pub(crate) fn new(most: u32, full: Limit) -> Self {
        Self {
            now: AtomicUsize::new(0),
            most: count(most),
            full,
        }
    }

    /// How many wait.
    pub(crate) fn depth(&self) -> usize {
        self.now.load(Ordering::Relaxed)
    }

    fn join(&self) -> Result<Place<'_>, Limit> {
        let order = Ordering::Relaxed;
        let more = |now: usize| (now < self.most).then_some(now + 1);
        match self.now.fetch_update(order, order, more) {
            Ok(_) => Ok(Place(self)),
            Err(_) => Err(self.full),
        }
    }
}

/// A place in a queue. Dropping it leaves the queue, also if the client has gone.
struct Place<'q>(&'q Waiting);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Enters the rooms, at most four of them. Waits in both queues if one is full now.
pub(crate) async fn enter(
    rooms: Rooms<'_>,
    own: &Waiting,
    all: &Waiting,
    patience: Duration,
) -> Result<Permits, Limit> {
    let mut held = [const { None }; MOST];
    if rooms.now(&mut held) {
        return Ok(Permits { _held: held });
    }
    // A request that waits holds nothing, until it gets to its place in each room.
    held = [const { None }; MOST];
    let _own = own.join()?;
    let _all = all.join()?;
    match timeout(patience, rooms.later(&mut held)).await {
        Ok(()) => Ok(Permits { _held: held }),
        Err(_) => Err(Limit::QueueTime),
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::Pin;
    use std::task::Poll;

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    /// Whether an entry has to wait.
    async fn waits(mut entry: Pin<&mut impl Future>) -> bool {
        let polled = poll_fn(|cx| Poll::Ready(entry.as_mut().poll(cx)));
        polled.await.is_pending()
    }

    fn queues(own: u32, all: u32) -> (Waiting, Waiting) {
        let own = Waiting::new(own, Limit::ApplicationQueue);
        (own, Waiting::new(all, Limit::Queue))
    }

    #[tokio::test]
    async fn a_request_waits_until_another_leaves() {
        let (first, second) = (Room::new(1), Room::new(1));
        let (own, all) = queues(1, 1);
        let (rooms, full) = ([&first, &second], Room::new(0));
        let rooms = Rooms {
            own: &rooms,
            reserve: &full,
            shared: &[],
        };
        let permits = enter(rooms, &own, &all, LONG).await.unwrap();
        assert_eq!((first.free(), second.free()), (0, 0));
        let mut entry = Box::pin(enter(rooms, &own, &all, LONG));
        assert!(waits(entry.as_mut()).await);
        assert_eq!((own.depth(), all.depth()), (1, 1));
        drop(permits);
        let permits = entry.await.unwrap();
        assert_eq!((own.depth(), all.depth()), (0, 0));
        drop(permits);
        assert_eq!((first.free(), second.free()), (1, 1));
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once() {
        for (own, all, limit) in [(0, 1, Limit::ApplicationQueue), (1, 0, Limit::Queue)] {
            let (full, free) = (Room::new(0), Room::new(1));
            let (own, all) = queues(own, all);
            let rooms = Rooms {
                own: &[&free],
                reserve: &full,
                shared: &[&full],
            };
            assert_eq!(enter(rooms, &own, &all, LONG).await.unwrap_err(), limit);
            assert_eq!(free.free(), 1);
            // A refused request leaves no trace.
            assert_eq!((own.depth(), all.depth()), (0, 0));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends() {
        let (free, full) = (Room::new(1), Room::new(0));
        let (own, all) = queues(1, 1);
        let rooms = Rooms {
            own: &[&free],
            reserve: &full,
            shared: &[&full],
        };
        let outcome = enter(rooms, &own, &all, LONG).await;
        assert_eq!(outcome.unwrap_err(), Limit::QueueTime);
        assert_eq!((free.free(), own.depth(), all.depth()), (1, 0, 0));
    }

    #[tokio::test]
    async fn a_reserve_is_there_when_others_have_taken_what_is_shared() {
        let (own_room, reserve, first, second) =
            (Room::new(9), Room::new(1), Room::new(1), Room::new(1));
        let (own, all) = queues(1, 1);
        let (own_rooms, shared) = ([&own_room], [&first, &second]);
        let rooms = Rooms {
            own: &own_rooms,
            reserve: &reserve,
            shared: &shared,
        };
        let one = enter(rooms, &own, &all, LONG).await.unwrap();
        assert_eq!((reserve.free(), first.free()), (0, 1));
        let two = enter(rooms, &own, &all, LONG).await.unwrap();
        assert_eq!((reserve.free(), first.free(), second.free()), (0, 0, 0));
        // What becomes free first lets the next one in.
        let mut entry = Box::pin(enter(rooms, &own, &all, LONG));
        assert!(waits(entry.as_mut()).await);
        drop(one);
        let three = entry.await.unwrap();
        assert_eq!((reserve.free(), first.free(), own_room.free()), (0, 0, 7));
        drop((two, three));
        assert_eq!((reserve.free(), second.free(), own_room.free()), (1, 1, 9));
    }

    #[tokio::test]
    async fn a_client_that_goes_leaves_the_queue() {
        let room = Room::new(0);
        let (own, all) = queues(1, 1);
        let rooms = Rooms {
            own: &[&room],
            reserve: &room,
            shared: &[],
        };
        let mut entry = Box::pin(enter(rooms, &own, &all, LONG));
        assert!(waits(entry.as_mut()).await);
        drop(entry);
        assert_eq!((own.depth(), all.depth()), (0, 0));
    }
}
