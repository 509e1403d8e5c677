//! The store of a new instance, with its limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use edgec_loader::wasmtime::{Engine, Error, Store, UpdateDeadline};

use crate::Limit;
use crate::LimitHit;
use crate::application::Application;
use crate::config::count;
use crate::guest::GuestState;
use crate::hit::Hit;
use crate::meter::Meter;
use crate::pools::TICK;
use crate::turn::Turn;

/// An instance that counts ticks has computed for long after so many.
const LONG: u64 = 3;

/// How an instance's processor time is known.
pub(super) enum Processor {
    /// Measured around each poll of the task that runs it.
    Metered(Arc<Meter>),
    /// Counted in ticks at which it ran, against a budget that grows with its requests.
    Counted(Arc<Budget>),
}

/// The processor time of an instance that several requests may use.
#[derive(Debug, Default)]
pub(super) struct Budget {
    /// Ticks so far.
    ticks: AtomicU64,
    /// Ticks, at most.
    most: AtomicU64,
    /// Ticks when the last request began.
    renewed: AtomicU64,
}

impl Budget {
    /// Gives a new request its time. A program in a loop takes no further request.
    pub(super) fn renew(&self, time: Duration) {
        let ticks = time.as_nanos().div_ceil(TICK.as_nanos());
        let ticks = u64::try_from(ticks).unwrap_or(u64::MAX);
        let now = self.ticks.load(Ordering::Relaxed);
        self.renewed.store(now, Ordering::Relaxed);
        self.most
            .store(now.saturating_add(ticks), Ordering::Relaxed);
    }

    /// Counts a tick.
    fn tick(&self) -> Next {
        let before = self.ticks.fetch_add(1, Ordering::Relaxed);
        let most = self.most.load(Ordering::Relaxed);
        let since = before.saturating_sub(self.renewed.load(Ordering::Relaxed));
        if before >= most {
            Next::End
        } else if since >= LONG {
            Next::Line
        } else {
            Next::Yield
        }
    }
}

/// What comes next for an instance at a tick.
enum Next {
    /// It goes on: most requests are short, and end sooner than others that would run before them.
    /// Their pages are in the processor's caches, and few slots are in use. The turn of a long one
    /// is not over at each tick.
    Continue,
    /// Others run, and then it goes on. Then the limit of wall time can end it as well.
    Yield,
    /// It stands in line with others that have computed for long.
    Line,
    /// It has used its processor time.
    End,
}

impl Processor {
    fn next(&self, most: Duration, turn: &Turn) -> Next {
        match self {
            Self::Metered(meter) => match meter.tick() {
                used if used > most => Next::End,
                used if used < TICK => Next::Continue,
                // The next poll waits for the turn.
                _ if turn.tick() => Next::Yield,
                _ => Next::Continue,
            },
            Self::Counted(budget) => budget.tick(),
        }
    }
}

/// A store for a new instance of an application.
pub(super) fn store(
    engine: &Engine,
    application: &Arc<Application>,
    hit: &Arc<Hit>,
    processor: Processor,
    turn: &Arc<Turn>,
) -> Store<GuestState> {
    let limits = application.limits();
    let mut store = Store::new(engine, GuestState::new(application, hit));
    store.limiter(|state| state.limiter());
    store.set_hostcall_fuel(limits.hostcall_bytes.as_usize());
    store.set_max_component_handles(count(limits.handles));
    store.set_epoch_deadline(1);
    let (most, hit) = (limits.cpu_time.get(), Arc::clone(hit));
    let turn = Arc::clone(turn);
    store.epoch_deadline_callback(move |_| match processor.next(most, &turn) {
        Next::Continue => Ok(UpdateDeadline::Continue(1)),
        Next::Yield => Ok(UpdateDeadline::Yield(1)),
        Next::Line => {
            let next = Box::pin(Arc::clone(&turn).next());
            Ok(UpdateDeadline::YieldCustom(1, next))
        }
        Next::End => {
            hit.set(Limit::CpuTime);
            Err(Error::new(LimitHit(Limit::CpuTime)))
        }
    });
    store
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_lasts_for_its_ticks() {
        let budget = Budget::default();
        budget.renew(TICK * 2);
        let is_over = |()| matches!(budget.tick(), Next::End);
        assert_eq!([(); 3].map(is_over), [false, false, true]);
        budget.renew(TICK);
        assert_eq!([(); 2].map(is_over), [false, true]);
    }
}
