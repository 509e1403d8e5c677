//! How much processor time a program has used.
//!
//! The engine lets a program yield at each tick of its epoch, but a tick says nothing about the
//! time in which the program only waited. So the time is measured around each poll. Up to the first
//! tick, it is measured without a system call, because most requests end earlier. From then on, the
//! clock of the thread measures it, which stands still while others have the processor. A program
//! that is interrupted by others is measured so from its beginning.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::turn::{Length, Turn};

/// What a program has used at its first tick, at most. It cannot have computed for longer without
/// one, so more means that it waited for a processor.
const BEFORE: u64 = 5_000_000;

/// The processor time of the program of one instance.
#[derive(Debug)]
pub(crate) struct Meter {
    begin: Instant,
    /// The time of all finished polls, in nanoseconds.
    used: AtomicU64,
    /// When the present poll began, in nanoseconds: since `begin`, or of the thread's clock.
    since: AtomicU64,
    /// Whether there was a tick, so that the thread's clock measures.
    ticked: AtomicBool,
}

impl Meter {
    /// Of a program that is expected to be of this length.
    pub(crate) fn new(length: Length) -> Self {
        Self {
            begin: Instant::now(),
            used: AtomicU64::new(0),
            since: AtomicU64::new(0),
            ticked: AtomicBool::new(length != Length::Short),
        }
    }

    /// The time so far. Only during a poll.
    pub(crate) fn so_far(&self) -> Duration {
        let used = self.used.load(Ordering::Relaxed);
        Duration::from_nanos(used.saturating_add(self.present()))
    }

    /// The time so far, at a tick. Only during a poll.
    pub(crate) fn tick(&self) -> Duration {
        if !self.ticked.load(Ordering::Relaxed) {
            self.poll_ends();
            self.used.fetch_min(BEFORE, Ordering::Relaxed);
            self.ticked.store(true, Ordering::Relaxed);
            self.poll_begins();
        }
        self.so_far()
    }

    fn now(&self) -> u64 {
        let now = match self.ticked.load(Ordering::Relaxed) {
            true => clock_gettime(ClockId::ThreadCPUTime)
                .try_into()
                .unwrap_or(Duration::ZERO),
            false => self.begin.elapsed(),
        };
        u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
    }

    /// The time of the present poll.
    fn present(&self) -> u64 {
        self.now()
            .saturating_sub(self.since.load(Ordering::Relaxed))
    }

    fn poll_begins(&self) {
        self.since.store(self.now(), Ordering::Relaxed);
    }

    fn poll_ends(&self) {
        self.used.fetch_add(self.present(), Ordering::Relaxed);
    }
}

/// A future that is polled when it is its turn, and whose polls are measured. While it waits, it is
/// not its turn.
pub(crate) struct Metered<F> {
    future: Pin<Box<F>>,
    meter: Arc<Meter>,
    turn: Arc<Turn>,
    /// The place in line.
    line: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<F> Metered<F> {
    pub(crate) fn new(meter: Arc<Meter>, turn: Arc<Turn>, future: F) -> Self {
        Self {
            future: Box::pin(future),
            meter,
            turn,
            line: None,
        }
    }

    /// How long the program is, as far as that is known.
    pub(crate) fn length(&self) -> Length {
        self.turn.length()
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.line.is_none() && self.turn.now() {
            return Poll::Ready(());
        }
        let turn = &self.turn;
        let line = self
            .line
            .get_or_insert_with(|| Box::pin(Arc::clone(turn).later()));
        ready!(line.as_mut().poll(cx));
        self.line = None;
        Poll::Ready(())
    }
}

impl<F: Future> Future for Metered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        ready!(self.poll_turn(cx));
        self.meter.poll_begins();
        let polled = self.future.as_mut().poll(cx);
        self.meter.poll_ends();
        self.turn.end();
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_waits_for_a_processor_uses_none() {
        let meter = Meter::new(Length::Short);
        meter.poll_begins();
        std::thread::sleep(Duration::from_millis(50));
        assert!(meter.tick() <= Duration::from_millis(10 + 20));
        std::thread::sleep(Duration::from_millis(50));
        assert!(meter.tick() <= Duration::from_millis(10 + 20));
        meter.poll_ends();
    }

    #[test]
    fn all_polls_count() {
        let meter = Meter::new(Length::Short);
        meter.tick();
        let mut before = Duration::ZERO;
        for _ in 0..3 {
            meter.poll_begins();
            while meter.tick() < before + Duration::from_millis(5) {
                std::hint::spin_loop();
            }
            before = meter.tick();
            meter.poll_ends();
        }
        assert!(before >= Duration::from_millis(15), "{before:?}");
    }

    #[test]
    fn what_may_be_interrupted_is_measured_without_its_interruptions() {
        let meter = Meter::new(Length::Medium);
        meter.poll_begins();
        std::thread::sleep(Duration::from_millis(200));
        assert!(meter.so_far() < Duration::from_millis(100));
        meter.poll_ends();
    }
}
