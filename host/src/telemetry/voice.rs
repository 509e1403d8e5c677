//! How much an application may write to the log in a second, in bytes of the log. A program must
//! not fill the disk of its host, also with many requests.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

/// What an application has said.
#[derive(Debug)]
pub(crate) struct Voice {
    /// Bytes in a second, at most.
    most: u64,
    now: Mutex<Second>,
}

#[derive(Debug)]
struct Second {
    begin: Instant,
    /// The bytes that were written.
    bytes: u64,
    left_out: u64,
}

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is written. So many before it were left out.
    Written(u64),
    /// It is left out, the first one of its second.
    First,
    /// It is left out like others before it.
    Further,
}

impl Voice {
    pub(crate) fn new(most: u64) -> Self {
        let begin = Instant::now();
        Self {
            most,
            now: Mutex::new(Second {
                begin,
                bytes: 0,
                left_out: 0,
            }),
        }
    }

    /// Whether a line of so many bytes is written.
    pub(super) fn take(&self, bytes: usize) -> Turn {
        self.take_at(bytes, Instant::now())
    }

    fn take_at(&self, bytes: usize, now: Instant) -> Turn {
        let mut second = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = 0;
        if now.saturating_duration_since(second.begin) >= SECOND {
            before = second.left_out;
            *second = Second {
                begin: now,
                bytes: 0,
                left_out: 0,
            };
        }
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let sum = second.bytes.saturating_add(bytes);
        if second.left_out == 0 && sum <= self.most {
            second.bytes = sum;
            return Turn::Written(before);
        }
        // What was not told yet is told with the next number.
        let first = second.left_out == 0;
        second.left_out = second.left_out.saturating_add(before).saturating_add(1);
        if first { Turn::First } else { Turn::Further }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_room_for_so_many_bytes() {
        let voice = Voice::new(100);
        let begin = Instant::now();
        let at = |bytes, seconds| voice.take_at(bytes, begin + Duration::from_secs(seconds));
        assert_eq!(at(60, 0), Turn::Written(0));
        assert_eq!(at(41, 0), Turn::First);
        // Also a short one: the log has no gaps that nobody sees.
        assert_eq!(at(1, 0), Turn::Further);
        assert_eq!(at(100, 2), Turn::Written(2));
        assert_eq!(at(1, 2), Turn::First);
        // A line that is too long for any second is left out for ever.
        assert_eq!(at(101, 4), Turn::First);
        assert_eq!(at(1, 6), Turn::Written(2));
        assert_eq!(at(1, 6), Turn::Written(0));
    }
}
