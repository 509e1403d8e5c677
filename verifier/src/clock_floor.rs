//! A floor for the clock: a time that has certainly passed.
//!
//! A host whose clock is set back would accept what has expired. So a host remembers the latest
//! time at which a statement that it accepted was issued. Only statements that are not ahead of the
//! host's own clock raise it: otherwise one wrong statement would stop the host.

use std::time::Duration;

use edgec_artifact::UnixTime;
use serde::{Deserialize, Serialize};

/// How much the clocks of a host and of a signer may differ.
pub const CLOCK_SKEW: Duration = Duration::from_secs(300);

/// A time that has passed, as a host knows it, and the last reset that it has followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct ClockFloor {
    /// It is later than this.
    pub time: UnixTime,
    /// The number of the last reset by a root.
    #[serde(default)]
    pub reset: u64,
}

/// A root's order to set the floor of the clock again, for hosts on which it is too high.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClockReset {
    /// Grows with each reset. A host follows each number once.
    pub number: u64,
    /// The new floor.
    pub to: UnixTime,
}

/// A clock that shows a time that has certainly passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the clock says {now}, and this host knows that {floor} has passed")]
#[non_exhaustive]
pub struct ClockBehind {
    /// What the clock says.
    pub now: UnixTime,
    /// The floor.
    pub floor: UnixTime,
}

impl Default for ClockFloor {
    fn default() -> Self {
        Self {
            time: UnixTime::EPOCH,
            reset: 0,
        }
    }
}

impl ClockFloor {
    /// Whether a clock that says `now` can be right.
    ///
    /// # Errors
    ///
    /// [`ClockBehind`] if it is behind the floor by more than [`CLOCK_SKEW`].
    pub fn check(&self, now: UnixTime) -> Result<(), ClockBehind> {
        match is_ahead(self.time, now) {
            true => Err(ClockBehind {
                now,
                floor: self.time,
            }),
            false => Ok(()),
        }
    }

    /// Raises the floor to a time at which a statement was issued that was accepted at `now`, and
    /// not above `now`: what is issued later may not have passed. A time that is ahead of `now` by
    /// more than [`CLOCK_SKEW`] changes nothing. Returns whether the floor has changed.
    pub fn raise(&mut self, issued: UnixTime, now: UnixTime) -> bool {
        let passed = issued.min(now);
        let rises = passed > self.time && !is_ahead(issued, now);
        if rises {
            self.time = passed;
        }
        rises
    }

    /// Follows a root's order, unless it was followed before. Returns whether the floor has
    /// changed.
    pub fn follow(&mut self, reset: ClockReset) -> bool {
        let is_new = reset.number > self.reset;
        if is_new {
            *self = Self {
                time: reset.to,
                reset: reset.number,
            };
        }
        is_new
    }
}

/// Whether a time is ahead of a clock by more than clocks may differ.
pub(crate) fn is_ahead(time: UnixTime, now: UnixTime) -> bool {
    now.checked_add(CLOCK_SKEW)
        .is_some_and(|latest| time > latest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_floor_rises_only_to_times_that_have_come() {
        let at = UnixTime::from_seconds;
        let mut floor = ClockFloor::default();
        assert!(floor.raise(at(1000), at(1000)));
        assert!(!floor.raise(at(900), at(1000)), "it does not fall");
        assert!(!floor.raise(at(2000), at(1000)), "not to later times");
        assert!(floor.raise(at(1400), at(1300)), "clocks differ");
        assert_eq!(floor.time, at(1300), "1400 has not come yet");
        assert_eq!(floor.check(at(1000)), Ok(()));
        let behind = floor.check(at(999)).unwrap_err();
        assert_eq!((behind.now, behind.floor), (at(999), at(1300)));
    }

    #[test]
    fn a_reset_counts_once() {
        let at = UnixTime::from_seconds;
        let mut floor = ClockFloor::default();
        floor.raise(at(1000), at(1000));
        let reset = ClockReset {
            number: 1,
            to: at(10),
        };
        assert!(floor.follow(reset));
        floor.raise(at(50), at(50));
        assert!(!floor.follow(reset));
        assert_eq!(floor.time, at(50));
    }
}
