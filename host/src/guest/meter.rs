//! How long a program has held a thread.
//!
//! The engine lets a program yield at each tick of its epoch, but a tick says nothing about the
//! time in which the program only waited. So the time is measured around each poll.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::turn::Turn;

/// The time for which the program of one instance has held a thread.
#[derive(Debug)]
pub(crate) struct Meter {
    begin: Instant,
    /// The time of all finished polls, in nanoseconds.
    used: AtomicU64,
    /// When the present poll began, in nanoseconds since `begin`.
    since: AtomicU64,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            begin: Instant::now(),
            used: AtomicU64::new(0),
            since: AtomicU64::new(0),
        }
    }
}

impl Meter {
    fn now(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The time so far. Only during a poll.
    pub(crate) fn used(&self) -> Duration {
        let present = self
            .now()
            .saturating_sub(self.since.load(Ordering::Relaxed));
        Duration::from_nanos(self.used.load(Ordering::Relaxed).saturating_add(present))
    }

    fn poll_begins(&self) {
        self.since.store(self.now(), Ordering::Relaxed);
    }

    fn poll_ends(&self) {
        let present = self
            .now()
            .saturating_sub(self.since.load(Ordering::Relaxed));
        self.used.fetch_add(present, Ordering::Relaxed);
    }
}

/// A future whose polls are measured. While it waits, it is not its turn.
pub(crate) struct Metered<F> {
    future: Pin<Box<F>>,
    meter: Arc<Meter>,
    turn: Arc<Turn>,
}

impl<F> Metered<F> {
    pub(crate) fn new(meter: Arc<Meter>, turn: Arc<Turn>, future: F) -> Self {
        Self {
            future: Box::pin(future),
            meter,
            turn,
        }
    }
}

impl<F: Future> Future for Metered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.meter.poll_begins();
        let polled = self.future.as_mut().poll(cx);
        self.meter.poll_ends();
        self.turn.end();
        polled
    }
}
