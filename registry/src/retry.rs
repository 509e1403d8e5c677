//! When a failed request is sent again.
//!
//! Source: "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015), "full jitter"; RFC 9110,
//! section 10.2.3, for `Retry-After`.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use crate::Retries;

/// How often a request failed, and how long to wait before the next attempt.
#[derive(Debug)]
pub(crate) struct Backoff {
    retries: Retries,
    failed: u32,
}

impl Backoff {
    pub(crate) fn new(retries: Retries) -> Self {
        Self { retries, failed: 0 }
    }

    /// How often the request was sent.
    pub(crate) fn attempts(&self) -> u32 {
        self.failed
    }

    /// Starts again: the last attempt came so far that the ones before it do not count.
    pub(crate) fn reset(&mut self) {
        self.failed = 0;
    }

    /// Counts a failure. Returns how long to wait before the next attempt, or `None` if there is
    /// none. `at_least` is the time that the registry asks for.
    pub(crate) fn wait(&mut self, at_least: Option<Duration>) -> Option<Duration> {
        self.failed = self.failed.saturating_add(1);
        let most = self.retries.longest.saturating_mul(6);
        if self.failed >= self.retries.attempts || at_least.is_some_and(|it| it > most) {
            return None;
        }
        let factor = 2_u32.saturating_pow(self.failed - 1);
        let longest = self.retries.first.saturating_mul(factor);
        let wait = longest.min(self.retries.longest).mul_f64(fraction());
        Some(at_least.unwrap_or_default().saturating_add(wait))
    }
}

/// A random number from 0 up to 1. Hosts must not repeat their requests together; nothing else
/// depends on it. The standard library seeds each `RandomState` anew.
fn fraction() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(random >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn times_double_up_to_the_longest_and_end() {
        let mut backoff = Backoff::new(Retries::new(6, SECOND, SECOND * 4));
        for most in [1, 2, 4, 4, 4] {
            assert!(backoff.wait(None).unwrap() <= SECOND * most);
        }
        assert_eq!(backoff.wait(None), None);
        assert_eq!(backoff.attempts(), 6);
        backoff.reset();
        assert!(backoff.wait(None).unwrap() <= SECOND);
    }

    #[test]
    fn the_time_that_the_registry_asks_for_is_kept() {
        let mut backoff = Backoff::new(Retries::new(9, SECOND, SECOND));
        let wait = backoff.wait(Some(SECOND * 6)).unwrap();
        assert!(wait >= SECOND * 6 && wait <= SECOND * 7, "{wait:?}");
        assert_eq!(backoff.wait(Some(SECOND * 7)), None);
    }

    #[test]
    fn hosts_do_not_wait_for_the_same_time() {
        let times: Vec<f64> = (0..20).map(|_| fraction()).collect();
        assert!(times.iter().all(|it| (0.0..=1.0).contains(it)));
        assert!(times.iter().any(|it| *it != times[0]));
    }
}
