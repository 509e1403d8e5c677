//! Which hosts of places answer. Applications share what is known: a registry that hangs costs the
//! time of one failed request, and not that of one for each application.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::backoff;
use crate::source::{Fault, Trouble};

/// The hosts of places.
pub(crate) struct Silent {
    /// How long a host that failed comes last, after its first failure, and at most.
    times: (Duration, Duration),
    /// How many requests may run at one time to hosts that are not known to answer.
    most_trials: usize,
    hosts: Mutex<Hosts>,
}

#[derive(Default)]
struct Hosts {
    by_name: HashMap<String, Host>,
    /// How many of them are tried.
    trials: usize,
}

/// What is known of a host.
#[derive(Default)]
struct Host {
    /// Whether it answered the last request, even with an error.
    answers: bool,
    /// Whether a request runs that finds out whether it answers.
    is_tried: bool,
    /// The failures in a row.
    failures: u32,
    /// Until then it comes last, and is not asked at all if it was silent.
    until: Option<Instant>,
    /// Its last failure, if that was no answer.
    silence: Option<Trouble>,
    /// The failure that was told last.
    told: String,
}

/// Whether a place may be asked.
pub(crate) enum Turn<'a> {
    /// It may. Dropping the trial ends it.
    Ask(Option<Trial<'a>>),
    /// It did not answer lately, with this failure, and is asked again at this time.
    Silent(Trouble, Instant),
    /// Another request finds out whether it answers.
    Busy,
}

/// A request to a host that is not known to answer.
pub(crate) struct Trial<'a> {
    silent: &'a Silent,
    place: String,
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        let mut hosts = self.silent.lock();
        hosts.trials = hosts.trials.saturating_sub(1);
        hosts.of(&self.place).is_tried = false;
    }
}

impl Hosts {
    /// The host of a place.
    fn of(&mut self, place: &str) -> &mut Host {
        self.by_name.entry(host(place).to_owned()).or_default()
    }
}

impl Silent {
    /// A host that failed comes last for `first`. The time doubles with each failure after that
    /// one, up to `longest`. Of `workers` threads, only a half waits for hosts that are not known
    /// to answer.
    pub(crate) fn new(first: Duration, longest: Duration, workers: usize) -> Self {
        Self {
            times: (first, longest),
            most_trials: (workers / 2).max(1),
            hosts: Mutex::default(),
        }
    }

    /// The same places. Those that failed lately come last.
    pub(crate) fn last(&self, places: Vec<String>, now: Instant) -> Vec<String> {
        let hosts = self.lock();
        let is_late = |place: &String| {
            let until = hosts.by_name.get(host(place)).and_then(|it| it.until);
            until.is_some_and(|until| now < until)
        };
        let (late, mut order): (Vec<_>, Vec<_>) = places.into_iter().partition(is_late);
        order.extend(late);
        order
    }

    /// Whether a place may be asked now.
    pub(crate) fn turn(&self, place: &str, now: Instant) -> Turn<'_> {
        let mut hosts = self.lock();
        let has_room = hosts.trials < self.most_trials;
        let host = hosts.of(place);
        if host.answers {
            return Turn::Ask(None);
        }
        if let (Some(silence), Some(until)) = (&host.silence, host.until)
            && now < until
        {
            return Turn::Silent(silence.clone(), until);
        }
        if host.is_tried || !has_room {
            return Turn::Busy;
        }
        host.is_tried = true;
        hosts.trials = hosts.trials.saturating_add(1);
        Turn::Ask(Some(Trial {
            silent: self,
            place: place.to_owned(),
        }))
    }

    /// Whether a place that was [`Turn::Busy`] may still be so.
    pub(crate) fn is_busy(&self, place: &str) -> bool {
        let mut hosts = self.lock();
        let has_room = hosts.trials < self.most_trials;
        let host = hosts.of(place);
        !host.answers && (host.is_tried || !has_room)
    }

    /// A place failed.
    pub(crate) fn failed(&self, place: &str, trouble: &Trouble, now: Instant) {
        let mut hosts = self.lock();
        let host = hosts.of(place);
        host.answers = !trouble.is_silence;
        host.silence = trouble.is_silence.then(|| trouble.clone());
        // What was refused is sound, or its publisher has to mend it: the host is as good as ever.
        if trouble.fault == Fault::Environment {
            let (first, longest) = self.times;
            let time = backoff::next(first, longest, host.failures, 0.0, 0.0);
            host.failures = host.failures.saturating_add(1);
            host.until = now.checked_add(time);
        }
    }

    /// A place answered.
    pub(crate) fn answered(&self, place: &str) {
        let mut hosts = self.lock();
        let host = hosts.of(place);
        *host = Host {
            answers: true,
            is_tried: host.is_tried,
            ..Host::default()
        };
    }

    /// Whether this failure of a place was not the last one that was told of its host.
    pub(crate) fn is_news(&self, place: &str, trouble: &Trouble) -> bool {
        let mut hosts = self.lock();
        let host = hosts.of(place);
        let is_news = host.told != trouble.code;
        trouble.code.clone_into(&mut host.told);
        is_news
    }

    fn lock(&self) -> MutexGuard<'_, Hosts> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
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

    const MINUTE: Duration = Duration::from_secs(60);

    fn silent() -> Silent {
        Silent::new(MINUTE, 60 * MINUTE, 4)
    }

    fn silence() -> Trouble {
        Trouble::silence("io", "it hangs")
    }

    #[test]
    fn a_place_that_failed_comes_last_until_its_time_is_over() {
        let silent = silent();
        let now = Instant::now();
        let places = || {
            ["cache:5000/shop:v1", "registry/shop:v1"]
                .map(str::to_owned)
                .to_vec()
        };
        let first = |now| silent.last(places(), now).remove(0);
        assert_eq!(first(now), "cache:5000/shop:v1");
        // For all repositories of the host.
        silent.failed("cache:5000/blog:v1", &silence(), now);
        assert_eq!(first(now), "registry/shop:v1");
        assert_eq!(first(now + MINUTE), "cache:5000/shop:v1");
        // Longer after the next failure.
        silent.failed("cache:5000/shop:v1", &silence(), now + MINUTE);
        assert_eq!(first(now + 2 * MINUTE), "registry/shop:v1");
        assert_eq!(first(now + 3 * MINUTE), "cache:5000/shop:v1");
        silent.answered("cache:5000/shop:v1");
        silent.failed("cache:5000/shop:v1", &silence(), now);
        assert_eq!(first(now + MINUTE), "cache:5000/shop:v1");
        // No place is left out.
        silent.failed("registry/shop:v1", &silence(), now);
        silent.failed("cache:5000/shop:v1", &silence(), now);
        assert_eq!(silent.last(places(), now), places());
        // What its publisher has to mend says nothing about the host.
        silent.answered("cache:5000/shop:v1");
        let refused = Trouble::refused("sync-release", "it is refused");
        silent.failed("cache:5000/shop:v1", &refused, now);
        assert_eq!(first(now), "cache:5000/shop:v1");
    }

    #[test]
    fn one_request_finds_out_whether_a_host_answers() {
        let silent = silent();
        let now = Instant::now();
        let trial = silent.turn("a.b/shop:v1", now);
        assert!(matches!(trial, Turn::Ask(Some(_))));
        assert!(matches!(silent.turn("a.b/blog:v1", now), Turn::Busy));
        assert!(silent.is_busy("a.b/blog:v1"));
        // It was silent. Nobody asks it until its time is over.
        silent.failed("a.b/shop:v1", &silence(), now);
        drop(trial);
        assert!(!silent.is_busy("a.b/blog:v1"));
        let Turn::Silent(trouble, until) = silent.turn("a.b/blog:v1", now) else {
            panic!("it is asked");
        };
        assert_eq!((trouble, until), (silence(), now + MINUTE));
        let later = now + MINUTE;
        let trial = silent.turn("a.b/blog:v1", later);
        assert!(matches!(trial, Turn::Ask(Some(_))));
        assert!(matches!(silent.turn("a.b/shop:v1", later), Turn::Busy));
        // It answers, if only with an error.
        let denied = Trouble::environment("registry-denied", "it is denied");
        silent.failed("a.b/blog:v1", &denied, later);
        drop(trial);
        for _ in 0..9 {
            assert!(matches!(silent.turn("a.b/shop:v1", later), Turn::Ask(None)));
        }
    }

    #[test]
    fn some_threads_are_left_for_hosts_that_answer() {
        let silent = silent();
        let now = Instant::now();
        let first = silent.turn("a.b/x", now);
        let second = silent.turn("c.d/x", now);
        assert!(matches!(second, Turn::Ask(Some(_))));
        assert!(matches!(silent.turn("e.f/x", now), Turn::Busy));
        assert!(silent.is_busy("e.f/x"));
        silent.answered("c.d/x");
        assert!(matches!(silent.turn("c.d/x", now), Turn::Ask(None)));
        drop(first);
        assert!(!silent.is_busy("e.f/x"));
        assert!(matches!(silent.turn("e.f/x", now), Turn::Ask(Some(_))));
    }

    #[test]
    fn a_failure_is_told_once() {
        let silent = silent();
        let denied = Trouble::environment("registry-denied", "it is denied");
        assert!(silent.is_news("a.b/x", &silence()));
        assert!(!silent.is_news("a.b/y", &silence()));
        assert!(silent.is_news("a.b/x", &denied));
        silent.answered("a.b/x");
        assert!(silent.is_news("a.b/x", &denied));
    }
}
