//! The metrics of `edgec serve` as a gate: whether the host serves the release, how many requests
//! fail, and how long they take.

use std::time::Duration;

use super::prometheus::Sample;
use super::{Probe, Reading, Subject};
use crate::config::{MetricsConfig, Url};
use crate::http;

/// The longest metrics, in bytes (16 MiB).
const MAX_LEN: usize = 16 << 20;

/// Reads the metrics of the host that serves an application.
pub struct MetricsProbe {
    config: MetricsConfig,
    label: String,
    fetch: Box<Fetch>,
    /// Whether the host has answered since just before the admission. A host that never did may not
    /// have started yet, and silence says nothing about the release.
    has_answered: bool,
    /// Before the release was admitted.
    before: Option<Sample>,
    /// When the host began to serve the release.
    begin: Option<Sample>,
}

type Fetch = dyn Fn() -> Result<String, String> + Send;

impl MetricsProbe {
    /// The metrics at `url`. `label` is the application, as the host names it.
    #[must_use]
    pub fn new(config: &MetricsConfig, url: &Url, label: &str, timeout: Duration) -> Self {
        let url = url.or_path("/metrics");
        let fetch = move || {
            let body = http::get(&url, MAX_LEN, timeout);
            let body = body.map_err(|error| edgec_verifier::error_chain(&error))?;
            String::from_utf8(body).map_err(|_| format!("{url} did not answer with metrics"))
        };
        Self::by(config, label, fetch)
    }

    /// Metrics from elsewhere.
    pub(crate) fn by(
        config: &MetricsConfig,
        label: &str,
        fetch: impl Fn() -> Result<String, String> + Send + 'static,
    ) -> Self {
        Self {
            config: config.clone(),
            label: label.to_owned(),
            fetch: Box::new(fetch),
            has_answered: false,
            before: None,
            begin: None,
        }
    }

    fn sample(&self) -> Result<Sample, String> {
        Ok(Sample::read(&(self.fetch)()?, &self.label))
    }
}

impl Probe for MetricsProbe {
    fn before(&mut self) -> bool {
        self.before = self.sample().ok();
        self.has_answered = self.before.is_some();
        self.begin = None;
        self.has_answered
    }

    fn read(&mut self, subject: &Subject) -> Reading {
        let sample = match self.sample() {
            Ok(sample) => sample,
            Err(error) if self.has_answered => return Reading::Bad(error),
            Err(error) => {
                return Reading::Silent(format!("the host does not answer ({error})"));
            }
        };
        self.has_answered = true;
        match sample.version {
            Some(version) if version == subject.version => {}
            Some(version) => {
                return Reading::NotYet(format!("the host still serves version {version}"));
            }
            None => {
                let label = &self.label;
                return Reading::NotYet(format!("the host does not serve `{label}`"));
            }
        }
        let since = self.begin.as_ref().and_then(|begin| sample.since(begin));
        let Some(since) = since else {
            // The first look, or the host has started anew.
            self.begin = Some(sample);
            return Reading::Good(Some(few(0)));
        };
        self.judged(&since)
    }
}

impl MetricsProbe {
    /// What the requests since the release is served say.
    fn judged(&self, since: &Sample) -> Reading {
        let requests = since.requests();
        if requests < self.config.min_requests {
            return Reading::Good(Some(few(requests)));
        }
        let failed = since.failed();
        #[expect(clippy::cast_precision_loss, reason = "a share of many")]
        let share = failed as f64 / requests.max(1) as f64;
        let most = self.config.max_error_share.get();
        if share > most {
            return Reading::Bad(format!(
                "{failed} of {requests} requests failed, more than the share of {most} that may"
            ));
        }
        let before = self.before.as_ref();
        let before = before.filter(|it| it.requests() >= self.config.min_requests);
        let times = before.and_then(Sample::p99).zip(since.p99());
        if let (Some(ratio), Some((before, now))) = (self.config.max_p99_ratio, times)
            && now > before * ratio
        {
            let (now, before) = (now * 1000.0, before * 1000.0);
            return Reading::Bad(format!(
                "99 of 100 requests took up to {now:.1} ms, and before {before:.1} ms: more than \
                 {ratio} times as long"
            ));
        }
        Reading::Good(None)
    }
}

fn few(requests: u64) -> String {
    format!("only {requests} requests came, too few to judge")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::config::{Period, Share};

    fn config() -> MetricsConfig {
        MetricsConfig {
            url: None,
            max_error_share: Share::new(0.05).unwrap(),
            min_requests: 50,
            max_p99_ratio: Some(2.0),
            take: Period::secs(1),
        }
    }

    fn text(version: u64, fast: u64, slow: u64, trapped: u64) -> String {
        let all = fast + slow + trapped;
        let bucket = "edgec_request_duration_seconds_bucket{application=\"shop\",le=";
        format!(
            "edgec_application_version{{application=\"shop\"}} {version}\n\
             edgec_requests_total{{application=\"shop\",outcome=\"answered\"}} {}\n\
             edgec_requests_total{{application=\"shop\",outcome=\"trapped\"}} {trapped}\n\
             {bucket}\"0.01\"}} {}\n{bucket}\"0.1\"}} {all}\n{bucket}\"+Inf\"}} {all}\n",
            fast + slow,
            fast + trapped,
        )
    }

    fn subject() -> Subject {
        Subject {
            name: "shop".to_owned(),
            channel: None,
            label: "shop".to_owned(),
            version: 2,
            serial: 2,
            host: "pop-1".to_owned(),
        }
    }

    /// What a probe says to these metrics, of which the first are those before the admission.
    fn readings(pages: &[Result<String, String>]) -> Vec<Reading> {
        let shown = Arc::new(Mutex::new(pages[0].clone()));
        let shows = Arc::clone(&shown);
        let mut probe = MetricsProbe::by(&config(), "shop", move || shows.lock().unwrap().clone());
        probe.before();
        let mut readings = Vec::new();
        for page in &pages[1..] {
            shown.lock().unwrap().clone_from(page);
            readings.push(probe.read(&subject()));
        }
        readings
    }

    #[test]
    fn a_host_takes_the_release_first() {
        let pages = [
            Ok(text(1, 100, 0, 0)),
            Ok(text(1, 110, 0, 0)),
            Ok(String::new()),
            Ok(text(2, 120, 0, 0)),
            Ok(text(2, 130, 0, 5)),
            Ok(text(2, 200, 0, 2)),
        ];
        let says = readings(&pages);
        let not_yet = |says: &str| Reading::NotYet(says.to_owned());
        assert_eq!(says[0], not_yet("the host still serves version 1"));
        assert_eq!(says[1], not_yet("the host does not serve `shop`"));
        assert_eq!(says[2], Reading::Good(Some(few(0))));
        // 5 of 15 failed, but that is too few to say anything.
        assert_eq!(says[3], Reading::Good(Some(few(15))));
        assert_eq!(says[4], Reading::Good(None));
    }

    #[test]
    fn failures_and_times_are_bad() {
        let begin = Ok(text(2, 100, 0, 0));
        let bad = |page: String| {
            let before = Ok(text(1, 100, 0, 0));
            readings(&[before, begin.clone(), Ok(page)]).pop().unwrap()
        };
        let failed = bad(text(2, 190, 0, 10));
        let says = "10 of 100 requests failed, more than the share of 0.05 that may";
        assert_eq!(failed, Reading::Bad(says.to_owned()));
        let Reading::Bad(slow) = bad(text(2, 150, 50, 0)) else {
            panic!("it is slow");
        };
        assert!(slow.contains("more than 2 times as long"), "{slow}");
        assert_eq!(bad(text(2, 200, 0, 0)), Reading::Good(None));
        // The host has started anew, and counts from 0.
        assert_eq!(bad(text(2, 50, 0, 9)), Reading::Good(Some(few(0))));
        let gone = bad_after(Ok(text(1, 100, 0, 0)));
        assert_eq!(gone, [Reading::Bad("it is not there".to_owned())]);
    }

    /// What a probe says to a host that does not answer after this.
    fn bad_after(before: Result<String, String>) -> Vec<Reading> {
        readings(&[before, Err("it is not there".to_owned())])
    }

    #[test]
    fn a_host_that_has_not_started_is_silent() {
        let silent = Reading::Silent("the host does not answer (it is not there)".to_owned());
        assert_eq!(bad_after(Err(String::new()))[0], silent);
        // The process began anew while it watched, so nothing was seen before.
        let mut probe = MetricsProbe::by(&config(), "shop", || Err("it is not there".to_owned()));
        assert!(!probe.before());
        assert_eq!(probe.read(&subject()), silent);
        // It starts, and from then on it must answer.
        let away = || Err("it is not there".to_owned());
        let pages = [away(), away(), Ok(text(2, 0, 0, 0)), away()];
        let bad = Reading::Bad("it is not there".to_owned());
        assert_eq!(readings(&pages), [silent, Reading::Good(Some(few(0))), bad]);
    }
}
