//! Which places did not answer lately. Applications share them: a dead mirror costs the time of one
//! failed request, and not that of one for each look.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::backoff;

/// The hosts of places that did not answer.
pub(crate) struct Silent {
    /// How long a host counts as silent after its first failure, and at most.
    times: (Duration, Duration),
    hosts: Mutex<HashMap<String, Failures>>,
}

/// The failures of a host since its last answer.
struct Failures {
    count: u32,
    until: Instant,
}

impl Silent {
    /// A host counts as silent for `first` after its first failure. The time doubles with each
    /// failure after that one, up to `longest`.
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self {
            times: (first, longest),
            hosts: Mutex::default(),
        }
    }

    /// The same places. Those that did not answer lately come last: they are asked only if all
    /// others fail.
    pub(crate) fn last(&self, places: Vec<String>, now: Instant) -> Vec<String> {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let is_silent = |place: &String| {
            let failures = hosts.get(host(place));
            failures.is_some_and(|it| now < it.until)
        };
        let (silent, mut order): (Vec<_>, Vec<_>) = places.into_iter().partition(is_silent);
        order.extend(silent);
        order
    }

    /// A place did not answer.
    pub(crate) fn failed(&self, place: &str, now: Instant) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let failures = hosts.entry(host(place).to_owned()).or_insert(Failures {
            count: 0,
            until: now,
        });
        let (first, longest) = self.times;
        let time = backoff::next(first, longest, failures.count, 0.0, 0.0);
        failures.count = failures.count.saturating_add(1);
        failures.until = now.checked_add(time).unwrap_or(now);
    }

    /// A place answered.
    pub(crate) fn answered(&self, place: &str) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.remove(host(place));
    }
}

/// The host of a place, with its port; a folder is its own.
fn host(place: &str) -> &str {
    match place.starts_with("oci-layout:") {
        true => place,
        false => place.split('/').next().unwrap_or(place),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_place_comes_last_until_its_time_is_over() {
        let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3600));
        let silent = Silent::new(minute, hour);
        let now = Instant::now();
        let places = || {
            ["cache:5000/shop:v1", "registry/shop:v1"]
                .map(str::to_owned)
                .to_vec()
        };
        let first = |now| silent.last(places(), now).remove(0);
        assert_eq!(first(now), "cache:5000/shop:v1");
        // For all repositories of the host.
        silent.failed("cache:5000/blog:v1", now);
        assert_eq!(first(now), "registry/shop:v1");
        assert_eq!(first(now + minute), "cache:5000/shop:v1");
        // Longer after the next failure.
        silent.failed("cache:5000/shop:v1", now + minute);
        assert_eq!(first(now + 2 * minute), "registry/shop:v1");
        assert_eq!(first(now + 3 * minute), "cache:5000/shop:v1");
        silent.answered("cache:5000/shop:v1");
        silent.failed("cache:5000/shop:v1", now);
        assert_eq!(first(now + minute), "cache:5000/shop:v1");
        // No place is left out.
        silent.failed("registry/shop:v1", now);
        silent.failed("cache:5000/shop:v1", now);
        assert_eq!(silent.last(places(), now), places());
    }
}
