//! The turns of programs that compute for long.
//!
//! A program that computes yields its thread at each tick. If many do, each of them runs for a tick
//! before a short request gets the thread, so the short request waits for all of them. So programs
//! that have computed for long take turns: at most as many of them are ready to run as there are
//! processors. A short request then waits for one tick, and no processor is idle.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::task::yield_now;

use crate::queue::Room;

/// A program that has computed for so long takes turns from then on.
pub(crate) const LONG: Duration = Duration::from_millis(20);

/// The turn of one instance.
#[derive(Debug)]
pub(crate) struct Turn {
    room: Room,
    held: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Turn {
    /// In a room with a place for each processor.
    pub(crate) fn new(room: &Room) -> Self {
        Self {
            room: room.clone(),
            held: Mutex::new(None),
        }
    }

    /// Ends the turn, if it is this instance's turn: its tick is over, or it waits.
    pub(crate) fn end(&self) {
        self.put(None);
    }

    /// Lets others run, and waits for the next turn.
    pub(crate) async fn next(self: Arc<Self>) {
        self.end();
        yield_now().await;
        let turn = self.room.later().await;
        self.put(turn);
    }

    fn put(&self, turn: Option<OwnedSemaphorePermit>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        *held = turn;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_turn_begins_when_another_ends() {
        let room = Room::new(1);
        let (one, two) = (Arc::new(Turn::new(&room)), Arc::new(Turn::new(&room)));
        Arc::clone(&one).next().await;
        assert_eq!(room.free(), 0);
        let next = tokio::spawn(Arc::clone(&two).next());
        for _ in 0..10 {
            yield_now().await;
        }
        assert!(!next.is_finished());
        one.end();
        next.await.unwrap();
        assert_eq!(room.free(), 0);
        // Dropping an instance ends its turn as well.
        drop(two);
        assert_eq!(room.free(), 1);
    }
}
