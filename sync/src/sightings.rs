//! The statuses of the watched hosts, which all applications share. Each host is asked at most once
//! in a while, whatever the number of applications that want to know. One that answers slowly is
//! asked less often.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config::WatchConfig;
use crate::state::ReleaseId;
use crate::watch::{self, Answer, Sighting};

/// How many hosts are asked at one time.
const AT_A_TIME: usize = 16;
/// A host that takes longer than this is slow.
const SLOW: Duration = Duration::from_secs(1);
/// A slow host is left alone for this many times its delay beyond [`SLOW`], whether it answered or
/// not. So it takes a small part of the time.
const REST: u32 = 10;

/// The statuses of the watched hosts.
pub(crate) struct Sightings {
    period: Duration,
    hosts: Mutex<HashMap<String, Arc<Mutex<Option<Asked>>>>>,
}

/// What a host said.
pub(crate) struct Said(Result<Answer, String>);

impl Said {
    /// What it says about a release of an application.
    pub(crate) fn about(&self, name: &str, channel: Option<&str>, release: &ReleaseId) -> Sighting {
        match &self.0 {
            Ok(answer) => answer.about(name, channel, release),
            Err(error) => Sighting::Silent(error.clone()),
        }
    }
}

/// When a host was asked, and what it said.
struct Asked {
    at: Instant,
    took: Duration,
    said: Arc<Said>,
}

impl Asked {
    fn is_good(&self, period: Duration, since: Instant) -> bool {
        let period = period.max(self.took.saturating_sub(SLOW).saturating_mul(REST));
        self.at >= since || self.at.elapsed() < period
    }
}

impl Sightings {
    /// Asks each host at most once in a `period`.
    pub(crate) fn new(period: Duration) -> Self {
        Self {
            period,
            hosts: Mutex::default(),
        }
    }

    /// Asks all of these hosts whose last answer is no longer good, several at a time: one that is
    /// silent does not make others wait. An answer that came after `since` is good.
    pub(crate) fn refresh(&self, hosts: &[WatchConfig], since: Instant) {
        let next = AtomicUsize::new(0);
        let ask = || {
            while let Some(host) = hosts.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.answer(host, since);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..hosts.len().min(AT_A_TIME) {
                // Without a thread, the host is asked when its answer is needed.
                let _ = std::thread::Builder::new().spawn_scoped(scope, ask);
            }
        });
    }

    /// How long an answer is good for.
    pub(crate) fn period(&self) -> Duration {
        self.period
    }

    /// The answer of a host, which is asked if its last one is no longer good.
    pub(crate) fn answer(&self, host: &WatchConfig, since: Instant) -> Arc<Said> {
        let slot = {
            let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(hosts.entry(host.host.clone()).or_default())
        };
        // A slow host delays only those who want to know about it.
        let mut asked = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asked) = asked.as_ref().filter(|it| it.is_good(self.period, since)) {
            return Arc::clone(&asked.said);
        }
        let begin = Instant::now();
        let said = Arc::new(Said(watch::ask(host)));
        let at = Instant::now();
        *asked = Some(Asked {
            at,
            took: at.duration_since(begin),
            said: Arc::clone(&said),
        });
        said
    }
}
