//! What the programs of an application usually are, and whether it has the host for itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{Length, Turn};

/// What the programs of an application usually are. Those that usually compute for long do so from
/// their beginning. Otherwise the first tick of each endless loop would delay short requests.
#[derive(Debug, Default)]
pub(crate) struct Habit {
    /// Long computations in a row.
    long: AtomicU32,
    /// The processor time of a request in microseconds: a moving average.
    usual: AtomicU32,
    /// Whether that is a large part of a tick.
    is_medium: AtomicBool,
}

/// Whether several applications are asked at this time. One that is alone delays no other, and
/// lower priority would only delay its own requests behind other processes.
#[derive(Debug)]
pub(super) struct Company {
    begin: Instant,
    /// The application that was asked last, by the address of its habit.
    last: AtomicUsize,
    /// When another one was asked than before: in milliseconds since the beginning, plus one. 0 is
    /// never.
    changed: AtomicU64,
}

/// For so long, an application is in company after another one was asked, in milliseconds.
const IN_COMPANY: u64 = 1000;

impl Default for Company {
    fn default() -> Self {
        Self {
            begin: Instant::now(),
            last: AtomicUsize::new(0),
            changed: AtomicU64::new(0),
        }
    }
}

impl Company {
    /// An application is asked. Returns whether it has company.
    pub(super) fn asked(&self, habit: &Arc<Habit>) -> bool {
        let now = u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.asked_at(Arc::as_ptr(habit).addr(), now)
    }

    fn asked_at(&self, application: usize, now: u64) -> bool {
        let before = self.last.swap(application, Ordering::Relaxed);
        if before != application && before != 0 {
            self.changed.store(now.saturating_add(1), Ordering::Relaxed);
        }
        let changed = self.changed.load(Ordering::Relaxed);
        changed != 0 && now < changed.saturating_add(IN_COMPANY)
    }
}

/// After so many long computations in a row, the next one is expected to be long.
pub(super) const USUAL: u32 = 3;
/// The average from which a program is a medium one, in microseconds.
const MEDIUM: u32 = 500;
/// The average below which it is a short one again.
const SHORT: u32 = 250;
/// What a request counts in the average, at most: a tick. More can be a time in which the program
/// waited for a processor.
const MOST: u32 = 2000;
/// The part of one request in the average.
const PART: u32 = 8;

impl Habit {
    pub(super) fn length(&self, has_company: bool) -> Length {
        if self.long.load(Ordering::Relaxed) >= USUAL {
            Length::Long
        } else if has_company && self.is_medium.load(Ordering::Relaxed) {
            Length::Medium
        } else {
            Length::Short
        }
    }

    pub(super) fn long(&self) {
        let order = Ordering::Relaxed;
        let more = |now: u32| (now < USUAL).then_some(now + 1);
        let _ = self.long.fetch_update(order, order, more);
    }

    /// A program has ended, in this turn, and has used so much processor time.
    pub(crate) fn ended(&self, turn: &Turn, used: Duration) {
        if !turn.was_long() {
            self.long.store(0, Ordering::Relaxed);
        }
        let used = u32::try_from(used.as_micros()).map_or(MOST, |used| used.min(MOST));
        // Of two that end at one moment, one may be lost.
        let before = self.usual.load(Ordering::Relaxed);
        let usual = before - before / PART + used / PART;
        self.usual.store(usual, Ordering::Relaxed);
        if usual >= MEDIUM {
            self.is_medium.store(true, Ordering::Relaxed);
        } else if usual < SHORT {
            self.is_medium.store(false, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_is_in_company_for_a_while() {
        let company = Company::default();
        for (application, now, expected) in [
            (1, 0, false),
            (1, 5, false),
            (2, 10, true),
            (2, 1009, true),
            (2, 1010, true),
            (2, 1011, false),
            (1, 5000, true),
        ] {
            assert_eq!(company.asked_at(application, now), expected, "{now}");
        }
    }
}
