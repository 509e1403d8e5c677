//! The system's clock.

use edgec_verifier::{Clock as _, SystemClock, UnixTime};

/// The time now; `None` if the clock was never set.
pub(crate) fn now() -> Option<UnixTime> {
    SystemClock.now().ok()
}
