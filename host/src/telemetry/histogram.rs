//! Histograms that are counted without a lock.
//!
//! Source: <https://prometheus.io/docs/concepts/metric_types/#histogram>.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper bounds of the buckets, in microseconds. They cover a page of a warm program (tens of
/// microseconds) up to the longest request (a minute). Every three of them are a factor of ten, so
/// an estimate from a bucket is at most 2.5 times the true value.
pub(super) const BOUNDS: [u64; 19] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 60_000_000,
];

/// The same bounds in seconds, as they stand in `le`.
pub(super) const LABELS: [&str; BOUNDS.len()] = [
    "0.00005", "0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05",
    "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "25", "60",
];

/// How many durations lie in which range.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    /// Each bucket alone; the last one has what exceeds all bounds.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    /// The sum of all durations, in nanoseconds: enough for five hundred years.
    sum: AtomicU64,
}

/// The state of a histogram at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// For each bound, how many durations are at most as long.
    pub(super) up_to: [u64; BOUNDS.len()],
    /// How many durations there are.
    pub(super) count: u64,
    /// Their sum in nanoseconds.
    pub(super) sum: u64,
}

impl Histogram {
    /// Counts a duration: two additions, without a lock.
    pub(super) fn observe(&self, took: Duration) {
        let micros = took.as_nanos().div_ceil(1000);
        let at = BOUNDS.partition_point(|bound| u128::from(*bound) < micros);
        if let Some(bucket) = self.buckets.get(at) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.sum.fetch_add(nanos, Ordering::Relaxed);
    }

    /// The state now. Durations that are counted meanwhile may be in it or not; the buckets always
    /// agree with the count.
    pub(super) fn seen(&self) -> Seen {
        let mut seen = Seen {
            sum: self.sum.load(Ordering::Relaxed),
            ..Seen::default()
        };
        let mut buckets = self.buckets.iter();
        for up_to in &mut seen.up_to {
            let own = buckets.next().map_or(0, |it| it.load(Ordering::Relaxed));
            seen.count += own;
            *up_to = seen.count;
        }
        seen.count += buckets.map(|it| it.load(Ordering::Relaxed)).sum::<u64>();
        seen
    }
}

impl Seen {
    /// The number of the bucket in which a quantile lies, from 0 (the shortest) to 1. `None` if
    /// nothing was counted.
    fn bucket(&self, quantile: f64) -> Option<usize> {
        if self.count == 0 {
            return None;
        }
        let rank = (self.count as f64 * quantile).max(1.0);
        Some(self.up_to.partition_point(|up_to| (*up_to as f64) < rank))
    }

    /// The bound below which this part of all durations lies, as text: `≤ 2.5 ms`.
    pub(super) fn quantile(&self, quantile: f64) -> Option<String> {
        Some(range(self.bucket(quantile)?))
    }

    /// The range of each bucket, with how many durations lie in it.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (String, u64)> {
        let up_to = self.up_to.into_iter().chain([self.count]);
        let before = [0].into_iter().chain(self.up_to);
        let own = up_to.zip(before);
        let own = own.map(|(up_to, before)| up_to.saturating_sub(before));
        own.enumerate().map(|(bucket, own)| (range(bucket), own))
    }
}

/// The durations in a bucket beyond the one before it, as text: `≤ 2.5 ms`.
fn range(bucket: usize) -> String {
    match BOUNDS.get(bucket) {
        Some(bound) => format!("≤ {}", duration(*bound)),
        None => "> 60 s".to_owned(),
    }
}

/// Microseconds in a suitable unit.
fn duration(micros: u64) -> String {
    match micros {
        0..1000 => format!("{micros} µs"),
        1000..1_000_000 => format!("{} ms", micros as f64 / 1e3),
        _ => format!("{} s", micros as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_the_bounds_in_seconds() {
        for (bound, label) in BOUNDS.iter().zip(LABELS) {
            let seconds: f64 = label.parse().unwrap();
            assert!((seconds * 1e6 - *bound as f64).abs() < 1e-6, "{label}");
        }
        assert!(BOUNDS.is_sorted());
    }

    #[test]
    fn a_duration_lies_in_its_bucket() {
        let histogram = Histogram::default();
        for micros in [0, 50, 51, 2_500, 60_000_000, 60_000_001, u64::MAX / 1000] {
            histogram.observe(Duration::from_micros(micros));
        }
        histogram.observe(Duration::from_nanos(50_001));
        let seen = histogram.seen();
        assert_eq!(seen.count, 8);
        assert_eq!(seen.up_to[..3], [2, 4, 4]);
        assert_eq!(seen.up_to[BOUNDS.len() - 1], 6);
    }

    #[test]
    fn quantiles_are_bounds() {
        let histogram = Histogram::default();
        assert_eq!(histogram.seen().quantile(0.5), None);
        for _ in 0..99 {
            histogram.observe(Duration::from_micros(700));
        }
        histogram.observe(Duration::from_secs(90));
        let seen = histogram.seen();
        assert_eq!(seen.quantile(0.5).as_deref(), Some("≤ 1 ms"));
        assert_eq!(seen.quantile(0.99).as_deref(), Some("≤ 1 ms"));
        assert_eq!(seen.quantile(1.0).as_deref(), Some("> 60 s"));
        let units = [40, 2_500, 2_500_000].map(duration);
        assert_eq!(units, ["40 µs", "2.5 ms", "2.5 s"]);
    }
}
