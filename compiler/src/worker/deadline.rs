//! One deadline for all work on a program.
//!
//! A program goes through many processes: one for each stage, core module and target. With a time
//! limit for each of them, a program with many core modules could take a multiple of the limit. So
//! the deadline is fixed when the work on a program begins, and every process gets the remaining
//! time.

use std::fmt;
use std::time::{Duration, Instant};

/// The longest limit that counts: a hundred years. The system may not know a later time.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);

/// When the work must end, and when it began.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    begin: Instant,
    limit: Duration,
}

/// The time that was spent until a deadline passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// The time for all work with this deadline, which is at most the limit.
    pub all: Duration,
    /// The time for the stage that was stopped.
    pub stage: Duration,
}

impl Deadline {
    /// The deadline of work that begins now and may take this long; at most a hundred years.
    pub fn after(limit: Duration) -> Self {
        let begin = Instant::now();
        let limit = limit.min(LONGEST);
        Self { begin, limit }
    }

    /// The earlier one of this deadline and the deadline of work that begins now and may take this
    /// long.
    #[must_use]
    pub fn or_after(self, limit: Duration) -> Self {
        let other = Self::after(limit);
        match other.end() < self.end() {
            true => other,
            false => self,
        }
    }

    /// The time of the deadline.
    pub(crate) fn end(self) -> Instant {
        self.begin + self.limit
    }

    /// The time that was spent until it passed, if the last stage began at `stage`.
    pub(crate) fn spent(self, stage: Instant) -> Spent {
        let before = stage.saturating_duration_since(self.begin);
        Spent {
            all: self.limit,
            stage: self.limit.saturating_sub(before),
        }
    }
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (all, stage) = (seconds(self.all), seconds(self.stage));
        write!(f, "after {all} s")?;
        match all == stage {
            true => Ok(()),
            false => write!(f, " ({stage} s of them in this stage)"),
        }
    }
}

/// Seconds with one decimal, which is left out if it is 0.
fn seconds(time: Duration) -> String {
    let tenths = (time.as_millis() + 50) / 100;
    match tenths % 10 {
        0 => (tenths / 10).to_string(),
        tenth => format!("{}.{tenth}", tenths / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_that_was_spent_names_the_stage() {
        let spent = |all, stage| {
            let (all, stage) = (Duration::from_millis(all), Duration::from_millis(stage));
            Spent { all, stage }.to_string()
        };
        assert_eq!(spent(10_000, 10_000), "after 10 s");
        assert_eq!(spent(10_000, 9_960), "after 10 s");
        assert_eq!(
            spent(10_000, 2_340),
            "after 10 s (2.3 s of them in this stage)"
        );
        assert_eq!(spent(10_000, 0), "after 10 s (0 s of them in this stage)");
    }

    #[test]
    fn a_stage_gets_what_is_left() {
        let begin = Instant::now();
        let limit = Duration::from_secs(10);
        let deadline = Deadline { begin, limit };
        assert_eq!(deadline.end(), begin + limit);
        let spent = deadline.spent(begin + Duration::from_secs(7));
        assert_eq!((spent.all, spent.stage), (limit, Duration::from_secs(3)));
        // A stage that begins after the deadline gets no time.
        let spent = deadline.spent(begin + Duration::from_secs(11));
        assert_eq!(spent.stage, Duration::ZERO);
        // The time is never counted twice.
        let spent = deadline.spent(begin);
        assert_eq!(spent.stage, limit);
    }

    #[test]
    fn the_earlier_of_two_counts() {
        let long = Deadline::after(Duration::from_secs(600));
        let short = long.or_after(Duration::from_secs(1));
        assert_eq!(short.limit, Duration::from_secs(1));
        let same = short.or_after(Duration::from_secs(600));
        assert_eq!(same.end(), short.end());
    }

    #[test]
    fn no_limit_is_too_long() {
        for limit in [Duration::from_secs(u64::MAX), Duration::MAX] {
            let deadline = Deadline::after(limit);
            assert_eq!(deadline.or_after(limit).end(), deadline.end());
            assert!(deadline.end() > Instant::now());
            assert!(deadline.spent(Instant::now()).stage <= LONGEST);
        }
    }
}
