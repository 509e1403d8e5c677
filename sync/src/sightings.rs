//! The statuses of the watched hosts, which all applications share. Each host is asked at most once
//! in a while, whatever the number of applications that want to know.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config::WatchConfig;
use crate::state::ReleaseId;
use crate::watch::{self, Answer, Sighting};

/// How many hosts are asked at one time.
const AT_A_TIME: usize = 16;

/// The statuses of the watched hosts.
pub(crate) struct Sightings {
    period: Duration,
    hosts: Mutex<HashMap<String, Arc<Mutex<Option<Asked>>>>>,
}

/// What a host said, and when.
struct Asked {
    at: Instant,
    answer: Result<Answer, String>,
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
    /// silent does not make others wait.
    pub(crate) fn refresh(&self, hosts: &[WatchConfig]) {
        let next = AtomicUsize::new(0);
        let ask = || {
            while let Some(host) = hosts.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.with_answer(host, |_| ());
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

    /// What a host says about a release of an application.
    pub(crate) fn about(
        &self,
        host: &WatchConfig,
        name: &str,
        channel: Option<&str>,
        release: &ReleaseId,
    ) -> Sighting {
        self.with_answer(host, |answer| match answer {
            Ok(answer) => answer.about(name, channel, release),
            Err(error) => Sighting::Silent(error.clone()),
        })
    }

    /// Does something with the answer of a host, which is asked if its last one is no longer good.
    fn with_answer<T>(
        &self,
        host: &WatchConfig,
        work: impl FnOnce(&Result<Answer, String>) -> T,
    ) -> T {
        let slot = {
            let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(hosts.entry(host.host.clone()).or_default())
        };
        // A slow host delays only those who want to know about it.
        let mut asked = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = asked.take().filter(|it| it.at.elapsed() < self.period);
        let fresh = fresh.unwrap_or_else(|| Asked {
            answer: watch::ask(host),
            at: Instant::now(),
        });
        let done = work(&fresh.answer);
        *asked = Some(fresh);
        done
    }
}
