//! When a reference is looked at again.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// The time until the next look, after so many failures in a row: the interval doubles with each of
/// them, up to `longest`. `jitter` is by which part of itself the time varies, and `chance`, from 0
/// up to 1, decides how much it does.
#[must_use]
pub(crate) fn next(
    interval: Duration,
    longest: Duration,
    failures: u32,
    jitter: f64,
    chance: f64,
) -> Duration {
    let doubled = interval.saturating_mul(1u32.checked_shl(failures.min(31)).unwrap_or(u32::MAX));
    let time = match failures {
        0 => interval,
        _ => doubled.min(longest.max(interval)),
    };
    time.mul_f64((1.0 + jitter * (2.0 * chance - 1.0)).max(0.0))
}

/// A random number from 0 up to (and without) 1: hosts must not ask together.
pub(crate) fn chance() -> f64 {
    let random = RandomState::new().hash_one(std::process::id());
    #[expect(
        clippy::cast_precision_loss,
        reason = "53 bits fit into a float without a loss"
    )]
    let chance = (random >> 11) as f64 / (1u64 << 53) as f64;
    chance
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_grows_to_its_limit() {
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        let at = |failures| next(second, minute, failures, 0.2, 0.5).as_secs();
        assert_eq!([0, 1, 2, 3, 6, 100].map(at), [1, 2, 4, 8, 60, 60]);
        // The limit is below the interval.
        assert_eq!(next(minute, second, 3, 0.0, 0.0), minute);
        let least = next(second, minute, 0, 0.2, 0.0);
        let most = next(second, minute, 0, 0.2, 1.0);
        assert_eq!((least.as_millis(), most.as_millis()), (800, 1200));
        assert!((0..100).all(|_| (0.0..1.0).contains(&chance())));
    }
}
