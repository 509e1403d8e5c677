//! What is counted: for the host, and for each application. A request costs some additions to
//! numbers, without a lock and without an allocation.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use edgec_loader::{AcceptedSignature, LoadTimes};
use http::StatusCode;

use super::histogram::Histogram;
use super::requests::Refused;
use crate::{Limit, Outcome};

/// The most applications with metrics of their own. Each has some forty time series, which the
/// monitoring keeps for long. Those beyond share one name, [`OTHERS`].
const MAX_APPLICATIONS: usize = 500;

/// The name that applications beyond the maximum share. No application has it: names have no
/// parentheses.
const OTHERS: &str = "(others)";

/// The limits that may be hit at most. `Limit::ALL` is shorter.
const MAX_LIMITS: usize = 64;

/// How many outcomes there are, in the order of [`OUTCOMES`].
pub(super) const OUTCOMES: [&str; 7] = [
    "answered",
    "limited",
    "trapped",
    "unanswered",
    "withheld",
    "malformed",
    "gone",
];

/// The classes of status codes.
pub(super) const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Everything that is counted.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    pub(super) instantiation: Histogram,
    pub(super) load: Histogram,
    /// Lines of the log that found no place, because its reader is too slow.
    pub(super) log_lines_lost: Arc<AtomicU64>,
    /// Limits that clients hit which have no application yet.
    pub(super) limits: Hits,
    /// Requests without an application, in the order of [`Refused::COUNTED`].
    refused: [AtomicU64; Refused::COUNTED.len()],
    applications: Mutex<BTreeMap<String, Arc<Counted>>>,
}

/// What is counted about one application.
#[derive(Debug)]
pub struct Counted {
    name: String,
    pub(super) started: AtomicU64,
    pub(super) finished: [AtomicU64; OUTCOMES.len()],
    pub(super) classes: [AtomicU64; CLASSES.len()],
    pub(super) duration: Histogram,
    pub(super) limits: Hits,
    pub(super) loads: AtomicU64,
    /// By the name of the trap's code. Traps are rare, so a lock here delays no other request.
    traps: Mutex<BTreeMap<String, u64>>,
    version: Mutex<Option<InUse>>,
}

/// How often each limit was hit.
#[derive(Debug)]
pub(super) struct Hits([AtomicU64; MAX_LIMITS]);

/// The version of an application that is in use.
#[derive(Clone, Debug)]
pub(super) struct InUse {
    pub(super) version: u64,
    /// The names and ids of the keys that have signed it.
    pub(super) signers: Vec<(String, String)>,
    pub(super) times: LoadTimes,
}

impl Default for Hits {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; MAX_LIMITS])
    }
}

impl Hits {
    pub(super) fn add(&self, limit: Limit) {
        if let Some(counter) = self.0.get(usize::from(limit.number())) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Each limit, with how often it was hit.
    pub(super) fn all(&self) -> impl Iterator<Item = (Limit, u64)> {
        let counters = Limit::ALL.iter().zip(&self.0);
        counters.map(|(limit, counter)| (*limit, counter.load(Ordering::Relaxed)))
    }
}

impl Metrics {
    /// Counts a request without an application.
    pub(super) fn refused(&self, refused: Refused) {
        let place = Refused::COUNTED.iter().position(|it| *it == refused);
        if let Some(counter) = place.and_then(|place| self.refused.get(place)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Each reason to refuse a request, with how often that was done.
    pub(super) fn all_refused(&self) -> impl Iterator<Item = (Refused, u64)> {
        let counters = Refused::COUNTED.iter().zip(&self.refused);
        counters.map(|(refused, counter)| (*refused, counter.load(Ordering::Relaxed)))
    }

    /// The counters of an application. They are the same each time that it is named.
    pub(super) fn application(&self, name: &str) -> Arc<Counted> {
        let mut all = lock(&self.applications);
        if let Some(known) = all.get(name) {
            return Arc::clone(known);
        }
        // Those that nobody counts any more make room.
        if all.len() >= MAX_APPLICATIONS {
            all.retain(|_, it| Arc::strong_count(it) > 1);
        }
        let name = match all.len() {
            0..MAX_APPLICATIONS => name,
            _ => OTHERS,
        };
        let new = || Arc::new(Counted::new(name));
        Arc::clone(all.entry(name.to_owned()).or_insert_with(new))
    }

    /// All applications, by name. Those that nobody counts any more are gone: a configuration has
    /// removed them, and their last request has ended.
    pub(super) fn applications(&self) -> Vec<Arc<Counted>> {
        let mut all = lock(&self.applications);
        all.retain(|_, it| Arc::strong_count(it) > 1);
        all.values().cloned().collect()
    }

    /// Counts a load.
    pub(super) fn loaded(
        &self,
        application: &Counted,
        version: u64,
        signers: &[AcceptedSignature],
        times: LoadTimes,
    ) {
        let signers = signers.iter();
        let signers = signers.map(|it| (it.key_name.clone(), it.key_id.to_string()));
        let signers = signers.collect();
        self.in_use(
            application,
            InUse {
                version,
                signers,
                times,
            },
        );
    }

    /// Counts a load of what is in use from now on.
    pub(super) fn in_use(&self, application: &Counted, in_use: InUse) {
        let LoadTimes {
            read,
            verify,
            engine,
            ..
        } = in_use.times;
        let took = read.saturating_add(verify).saturating_add(engine);
        self.load.observe(took);
        application.loads.fetch_add(1, Ordering::Relaxed);
        *lock(&application.version) = Some(in_use);
    }
}

impl Counted {
    fn new(name: &str) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            name: name.to_owned(),
            started: zero(),
            finished: std::array::from_fn(|_| zero()),
            classes: std::array::from_fn(|_| zero()),
            duration: Histogram::default(),
            limits: Hits::default(),
            loads: zero(),
            traps: Mutex::default(),
            version: Mutex::default(),
        }
    }

    /// Its name in metrics.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn finished(&self, status: StatusCode, took: Duration, outcome: Outcome) {
        let place = OUTCOMES.iter().position(|name| *name == outcome.name());
        // An outcome without a place would leave the request among those that run.
        let counter = place.and_then(|place| self.finished.get(place));
        if let Some(counter) = counter.or(self.finished.first()) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        let class = usize::from(status.as_u16() / 100).checked_sub(1);
        if let Some(class) = class.and_then(|class| self.classes.get(class)) {
            class.fetch_add(1, Ordering::Relaxed);
        }
        self.duration.observe(took);
    }

    pub(super) fn trapped(&self, code: &str) {
        *lock(&self.traps).entry(code.to_owned()).or_default() += 1;
    }

    /// How many requests have ended in each way, in the order of [`OUTCOMES`].
    pub(crate) fn outcomes(&self) -> [u64; OUTCOMES.len()] {
        self.finished
            .each_ref()
            .map(|it| it.load(Ordering::Relaxed))
    }

    /// How many requests run now.
    pub(super) fn running(&self) -> u64 {
        // What ended is read first: it was started before.
        let ended = self.outcomes().into_iter().fold(0, u64::wrapping_add);
        self.started.load(Ordering::Relaxed).saturating_sub(ended)
    }

    pub(super) fn traps(&self) -> BTreeMap<String, u64> {
        lock(&self.traps).clone()
    }

    pub(super) fn version(&self) -> Option<InUse> {
        lock(&self.version).clone()
    }
}

/// A lock that a panic elsewhere leaves in use: every value behind it is whole at all times.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
impl InUse {
    /// A version that one key has signed.
    pub(super) fn sample() -> Self {
        Self {
            version: 7,
            signers: vec![("release".to_owned(), "b92005ed".repeat(8))],
            times: LoadTimes::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_and_limit_has_a_counter() {
        let outcomes = [
            Outcome::Answered,
            Outcome::Limited(Limit::Memory),
            Outcome::Trapped,
            Outcome::Unanswered,
            Outcome::Withheld,
            Outcome::Malformed,
            Outcome::Gone,
        ];
        assert_eq!(outcomes.map(Outcome::name), OUTCOMES);
        assert!(Limit::ALL.len() <= MAX_LIMITS);
        let hits = Hits::default();
        for limit in Limit::ALL {
            hits.add(*limit);
        }
        assert!(hits.all().all(|(_, count)| count == 1));
        assert_eq!(hits.all().count(), Limit::ALL.len());
    }

    #[test]
    fn requests_are_counted_from_their_start_to_their_end() {
        let metrics = Metrics::default();
        let shop = metrics.application("shop");
        shop.started.fetch_add(3, Ordering::Relaxed);
        let took = Duration::from_millis(1);
        shop.finished(StatusCode::OK, took, Outcome::Answered);
        shop.finished(StatusCode::BAD_GATEWAY, took, Outcome::Trapped);
        assert_eq!(shop.running(), 1);
        assert_eq!(shop.outcomes(), [1, 0, 1, 0, 0, 0, 0]);
        assert_eq!(shop.duration.seen().count, 2);
        assert!(Arc::ptr_eq(&shop, &metrics.application("shop")));
    }

    #[test]
    fn an_application_that_is_gone_has_no_series() {
        let metrics = Metrics::default();
        let names = || {
            let all = metrics.applications();
            all.iter()
                .map(|it| it.name().to_owned())
                .collect::<Vec<_>>()
        };
        let (shop, blog) = (metrics.application("shop"), metrics.application("blog"));
        // A request of it still runs.
        let running = Arc::clone(&shop);
        drop(shop);
        assert_eq!(names(), ["blog", "shop"]);
        running.started.fetch_add(1, Ordering::Relaxed);
        drop(running);
        assert_eq!(names(), ["blog"]);
        // One of this name that comes later begins at zero.
        assert_eq!(metrics.application("shop").running(), 0);
        drop(blog);
    }

    #[test]
    fn the_number_of_series_is_bounded() {
        let metrics = Metrics::default();
        let held: Vec<_> = (0..MAX_APPLICATIONS + 20)
            .map(|number| metrics.application(&number.to_string()))
            .collect();
        assert_eq!(metrics.applications().len(), MAX_APPLICATIONS + 1);
        assert_eq!(held.last().unwrap().name(), OTHERS);
        drop(held);
        let new = metrics.application("new");
        assert_eq!(new.name(), "new");
        assert_eq!(metrics.applications().len(), 1);
    }
}
