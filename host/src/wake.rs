//! Wakes the thread that refreshes before its time.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Wakes a thread that waits.
#[derive(Debug, Default)]
pub(crate) struct Wake {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Wake {
    /// Ends a wait: the present one, or the next one.
    pub(crate) fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Waits for a period, or less.
    pub(crate) fn wait(&self, period: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(rung, period, |rung| !*rung);
        let (mut rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_ends_one_wait() {
        let wake = Wake::default();
        wake.ring();
        // This would hang otherwise.
        wake.wait(Duration::from_secs(3600));
        wake.wait(Duration::ZERO);
        assert!(!*wake.rung.lock().unwrap());
    }
}
