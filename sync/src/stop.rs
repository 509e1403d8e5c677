//! Tells threads to end, between two steps.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A word that ends work.
#[derive(Debug, Default)]
pub struct Stop {
    told: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Ends the work.
    pub fn tell(&self) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Whether the work should end.
    #[must_use]
    pub fn is_told(&self) -> bool {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a time, or for the end of the work. Returns whether the work should end.
    pub fn wait(&self, time: Duration) -> bool {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(told, time, |told| !*told);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}
