//! The gate: whether a release that was just admitted stays. A probe reads how it does, and
//! [`Watch`] decides from its readings.

mod command;
mod metrics;
pub(crate) mod prometheus;

use std::time::{Duration, Instant};

pub use self::command::CommandProbe;
pub use self::metrics::MetricsProbe;

/// What a probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reading {
    /// The release does well, as far as the probe sees. A note says what it did not see.
    Good(Option<String>),
    /// Nothing can be said: the host does not answer, and has not since just before the admission.
    Silent(String),
    /// The host answers, and does not serve the release yet.
    NotYet(String),
    /// The release does badly.
    Bad(String),
}

/// What the gate says about a release.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It is watched on.
    Again,
    /// It is watched on. The host has not answered in the time that it had, and did not answer
    /// before the release was taken either. So its silence says nothing about the release.
    NotJudged(String),
    /// It stays. A note says what was not judged.
    Passed(Option<String>),
    /// It is bad.
    Failed(String),
}

/// What is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subject {
    /// The application.
    pub name: String,
    /// Its channel.
    pub channel: Option<String>,
    /// Name and channel, as `edgec serve` writes them.
    pub label: String,
    /// The version.
    pub version: u64,
    /// The serial of the release.
    pub serial: u64,
    /// This host.
    pub host: String,
}

/// A way to see how a release does.
pub trait Probe: Send {
    /// Looks before the release is admitted, for a comparison. Returns whether the host answered.
    fn before(&mut self) -> bool {
        false
    }

    /// Looks how the release does. It returns within the time limit of a check.
    fn read(&mut self, subject: &Subject) -> Reading;
}

/// The rules of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rules {
    /// How long a release is watched.
    pub watched_for: Duration,
    /// How long the host may take until it answers, and serves the release.
    pub take: Duration,
    /// After how many bad readings in a row the release is bad.
    pub failures: u32,
}

impl Rules {
    /// Rules. `failures` is at least 1.
    #[must_use]
    pub fn new(watched_for: Duration, take: Duration, failures: u32) -> Self {
        Self {
            watched_for,
            take,
            failures: failures.max(1),
        }
    }
}

/// The watch over a release since it was admitted.
#[derive(Clone, Debug)]
pub struct Watch {
    rules: Rules,
    begun: Instant,
    /// Whether the host has answered, just before the admission or since.
    answered: bool,
    /// Since when the host serves the release, as far as the probe sees.
    served: Option<Instant>,
    failures: u32,
}

impl Watch {
    /// A watch that begins now, of a host that has `answered` before, or not. After a restart, a
    /// watch begins anew.
    #[must_use]
    pub fn new(rules: Rules, answered: bool, now: Instant) -> Self {
        Self {
            rules,
            begun: now,
            answered,
            served: None,
            failures: 0,
        }
    }

    /// Whether the host has answered, just before the admission or since.
    #[must_use]
    pub fn answered(&self) -> bool {
        self.answered
    }

    /// How long it has lasted.
    #[must_use]
    pub fn lasts(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.begun)
    }

    /// Takes a reading.
    pub fn take(&mut self, reading: Reading, now: Instant) -> Verdict {
        let since = |begin: Instant| now.saturating_duration_since(begin);
        // A bad reading may come from a command, while the host was silent.
        self.answered |= matches!(reading, Reading::Good(_) | Reading::NotYet(_));
        match reading {
            Reading::Silent(_) | Reading::NotYet(_) if since(self.begun) < self.rules.take => {
                Verdict::Again
            }
            Reading::Silent(why) if !self.answered => Verdict::NotJudged(why),
            Reading::Silent(why) | Reading::NotYet(why) => {
                Verdict::Failed(format!("{why} after {:?}", self.rules.take))
            }
            Reading::Bad(why) => {
                self.served.get_or_insert(now);
                self.failures = self.failures.saturating_add(1);
                match (self.failures >= self.rules.failures, self.failures) {
                    (true, 1) => Verdict::Failed(why),
                    (true, times) => Verdict::Failed(format!("{why} ({times} times in a row)")),
                    (false, _) => Verdict::Again,
                }
            }
            Reading::Good(note) => {
                let served = *self.served.get_or_insert(now);
                self.failures = 0;
                match since(served) >= self.rules.watched_for {
                    true => Verdict::Passed(note),
                    false => Verdict::Again,
                }
            }
        }
    }
}

/// Several probes as one: all must find the release good.
pub(crate) struct All(pub(crate) Vec<Box<dyn Probe>>);

impl Probe for All {
    fn before(&mut self) -> bool {
        // Each of them looks.
        self.0
            .iter_mut()
            .fold(false, |answered, probe| probe.before() | answered)
    }

    fn read(&mut self, subject: &Subject) -> Reading {
        let mut together = Reading::Good(None);
        for probe in &mut self.0 {
            together = match (together, probe.read(subject)) {
                (bad @ Reading::Bad(_), _) | (_, bad @ Reading::Bad(_)) => bad,
                (silent @ Reading::Silent(_), _) | (_, silent @ Reading::Silent(_)) => silent,
                (not_yet @ Reading::NotYet(_), _) | (_, not_yet @ Reading::NotYet(_)) => not_yet,
                (Reading::Good(one), Reading::Good(other)) => Reading::Good(one.or(other)),
            };
        }
        together
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(begin: Instant, seconds: u64) -> Instant {
        begin + Duration::from_secs(seconds)
    }

    fn watch(begin: Instant) -> Watch {
        let rules = Rules::new(Duration::from_secs(60), Duration::from_secs(30), 3);
        Watch::new(rules, true, begin)
    }

    fn silent() -> Reading {
        Reading::Silent("the host does not answer".to_owned())
    }

    fn bad() -> Reading {
        Reading::Bad("exit code 1".to_owned())
    }

    fn not_yet() -> Reading {
        Reading::NotYet("the host does not serve it".to_owned())
    }

    #[test]
    fn a_release_passes_after_its_time() {
        let begin = Instant::now();
        let mut watch = watch(begin);
        assert_eq!(watch.take(not_yet(), at(begin, 10)), Verdict::Again);
        // The time counts from when the host serves it.
        assert_eq!(
            watch.take(Reading::Good(None), at(begin, 20)),
            Verdict::Again
        );
        assert_eq!(
            watch.take(Reading::Good(None), at(begin, 79)),
            Verdict::Again
        );
        let note = Some("few requests".to_owned());
        let last = watch.take(Reading::Good(note.clone()), at(begin, 80));
        assert_eq!(last, Verdict::Passed(note));
    }

    #[test]
    fn some_failures_in_a_row_are_too_many() {
        let begin = Instant::now();
        let mut watch = watch(begin);
        for second in 0..10 {
            assert_eq!(watch.take(bad(), at(begin, second)), Verdict::Again);
            assert_eq!(watch.take(bad(), at(begin, second)), Verdict::Again);
            assert_eq!(
                watch.take(Reading::Good(None), at(begin, second)),
                Verdict::Again
            );
        }
        assert_eq!(watch.take(bad(), at(begin, 20)), Verdict::Again);
        // The time is over, but the last reading is not good.
        assert_eq!(watch.take(bad(), at(begin, 90)), Verdict::Again);
        let failed = watch.take(bad(), at(begin, 91));
        let says = "exit code 1 (3 times in a row)".to_owned();
        assert_eq!(failed, Verdict::Failed(says));
    }

    #[test]
    fn a_host_that_does_not_take_the_release_refuses_it() {
        let begin = Instant::now();
        let mut watch = watch(begin);
        assert_eq!(watch.take(not_yet(), at(begin, 29)), Verdict::Again);
        let failed = watch.take(not_yet(), at(begin, 30));
        let says = "the host does not serve it after 30s".to_owned();
        assert_eq!(failed, Verdict::Failed(says));
        let rules = Rules::new(Duration::ZERO, Duration::ZERO, 0);
        let mut watch = Watch::new(rules, false, begin);
        assert_eq!(
            watch.take(bad(), begin),
            Verdict::Failed("exit code 1".to_owned())
        );
        let mut watch = Watch::new(rules, false, begin);
        assert_eq!(
            watch.take(Reading::Good(None), begin),
            Verdict::Passed(None)
        );
    }

    #[test]
    fn silence_counts_only_if_the_host_has_answered_before() {
        let begin = Instant::now();
        let says = "the host does not answer".to_owned();
        let rules = Rules::new(Duration::from_secs(60), Duration::from_secs(30), 1);
        let mut watch = Watch::new(rules, false, begin);
        assert_eq!(watch.take(silent(), at(begin, 29)), Verdict::Again);
        for second in [30, 1_000_000] {
            let verdict = watch.take(silent(), at(begin, second));
            assert_eq!(verdict, Verdict::NotJudged(says.clone()));
        }
        assert!(!watch.answered());
        // It is up at last: the time begins now.
        let good = watch.take(Reading::Good(None), at(begin, 1_000_001));
        assert_eq!(good, Verdict::Again);
        assert!(watch.answered());
        let good = watch.take(Reading::Good(None), at(begin, 1_000_061));
        assert_eq!(good, Verdict::Passed(None));
        // It has answered an earlier process.
        let mut watch = Watch::new(rules, true, begin);
        assert_eq!(watch.take(silent(), at(begin, 29)), Verdict::Again);
        let failed = watch.take(silent(), at(begin, 30));
        assert_eq!(failed, Verdict::Failed(format!("{says} after 30s")));
    }

    #[test]
    fn all_probes_must_agree() {
        struct Says(Reading);
        impl Probe for Says {
            fn read(&mut self, _: &Subject) -> Reading {
                self.0.clone()
            }
        }
        let subject = Subject {
            name: "shop".to_owned(),
            channel: None,
            label: "shop".to_owned(),
            version: 1,
            serial: 1,
            host: "pop-1".to_owned(),
        };
        let good = Reading::Good(None);
        for (one, other, together) in [
            (good.clone(), good.clone(), good.clone()),
            (good.clone(), bad(), bad()),
            (not_yet(), good.clone(), not_yet()),
            (bad(), not_yet(), bad()),
            (not_yet(), bad(), bad()),
            (silent(), good.clone(), silent()),
            (good.clone(), silent(), silent()),
            (silent(), bad(), bad()),
            (not_yet(), silent(), silent()),
        ] {
            let mut all = All(vec![Box::new(Says(one)), Box::new(Says(other))]);
            assert!(!all.before());
            assert_eq!(all.read(&subject), together);
        }
    }
}
