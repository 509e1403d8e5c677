//! The system's clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970; none where the clock stands before that: it was never set.
pub(crate) fn now() -> Option<u64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.ok().map(|since| since.as_secs())
}
