//! What `edgec serve` counts about one application, from its metrics in the text format of
//! Prometheus.

use std::collections::BTreeMap;

/// What was counted about an application since its host started.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// The version that the host serves.
    pub version: Option<u64>,
    /// Requests that ended, by outcome.
    pub outcomes: BTreeMap<String, u64>,
    /// Requests that ended with a status of 500 or more.
    pub server_errors: u64,
    /// How many requests took at most so long (in seconds). The last bucket has no bound.
    pub buckets: Vec<(f64, u64)>,
}

impl Sample {
    /// Reads what the metrics say about the application with this label.
    pub fn read(text: &str, label: &str) -> Self {
        let mut sample = Self::default();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        for (name, labels, value) in lines.filter_map(metric) {
            let of = |name: &str| labels.iter().find(|(label, _)| *label == name);
            if of("application").is_none_or(|(_, value)| value != label) {
                continue;
            }
            let of = |name: &str| of(name).map(|(_, value)| value.as_str());
            let count = value.parse::<u64>().ok();
            match (name, count) {
                ("edgec_application_version", count) => sample.version = count,
                ("edgec_requests_total", Some(count)) => {
                    let outcome = of("outcome").unwrap_or_default().to_owned();
                    sample.outcomes.insert(outcome, count);
                }
                ("edgec_responses_total", Some(count)) if of("class") == Some("5xx") => {
                    sample.server_errors = count;
                }
                ("edgec_request_duration_seconds_bucket", Some(count)) => {
                    let bound = of("le").and_then(|bound| match bound {
                        "+Inf" => Some(f64::INFINITY),
                        bound => bound.parse::<f64>().ok().filter(is_time),
                    });
                    sample.buckets.extend(bound.map(|bound| (bound, count)));
                }
                _ => {}
            }
        }
        sample
            .buckets
            .sort_by(|one, other| one.0.total_cmp(&other.0));
        // Of lines that say the same, the last one holds, as with other counts.
        sample.buckets.dedup_by(|later, kept| {
            let is_same = later.0.total_cmp(&kept.0).is_eq();
            if is_same {
                kept.1 = later.1;
            }
            is_same
        });
        sample
    }

    /// How many requests ended.
    pub fn requests(&self) -> u64 {
        self.outcomes
            .values()
            .fold(0, |sum, it| sum.saturating_add(*it))
    }

    /// How many requests the program or the host failed: a client that went away, or whose request
    /// was malformed, says nothing about a release.
    pub fn failed(&self) -> u64 {
        let of = |name: &str| self.outcomes.get(name).copied().unwrap_or_default();
        let bad = of("trapped")
            .saturating_add(of("unanswered"))
            .saturating_add(of("withheld"));
        // A trap is answered with a status of 500, and would count twice.
        bad.max(self.server_errors)
    }

    /// What was counted since `before`. `None`: the host has started anew since.
    pub fn since(&self, before: &Self) -> Option<Self> {
        let mut outcomes = BTreeMap::new();
        for (name, count) in &self.outcomes {
            let earlier = before.outcomes.get(name).copied().unwrap_or_default();
            outcomes.insert(name.clone(), count.checked_sub(earlier)?);
        }
        let mut buckets = Vec::new();
        for (bound, count) in &self.buckets {
            let earlier = before
                .buckets
                .iter()
                .find(|it| it.0.total_cmp(bound).is_eq());
            let earlier = earlier.map_or(0, |it| it.1);
            buckets.push((*bound, count.checked_sub(earlier)?));
        }
        Some(Self {
            version: self.version,
            outcomes,
            server_errors: self.server_errors.checked_sub(before.server_errors)?,
            buckets,
        })
    }

    /// The time in seconds within which 99 of 100 requests ended, as a straight line through its
    /// bucket. Of the last bucket, its lower bound. `None` without requests.
    pub fn p99(&self) -> Option<f64> {
        let all = self.buckets.last()?.1;
        if all == 0 {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let (wanted, count) = (all as f64 * 0.99, |count: u64| count as f64);
        let (mut low, mut below) = (0.0, 0);
        for (bound, counted) in &self.buckets {
            if count(*counted) >= wanted {
                let inside = count(counted.saturating_sub(below));
                return Some(match bound.is_finite() && inside > 0.0 {
                    true => low + (bound - low) * (wanted - count(below)) / inside,
                    false => low,
                });
            }
            (low, below) = (*bound, *counted);
        }
        Some(low)
    }
}

/// Whether a number of seconds can be how long something took.
fn is_time(seconds: &f64) -> bool {
    seconds.is_finite() && *seconds >= 0.0
}

/// The name, the labels with their values, and the value of a line.
type Metric<'a> = (&'a str, Vec<(&'a str, String)>, &'a str);

/// What a line says.
fn metric(line: &str) -> Option<Metric<'_>> {
    let Some((name, rest)) = line.split_once('{') else {
        let (name, value) = line.split_once(' ')?;
        return Some((name, Vec::new(), value.trim()));
    };
    let mut labels = Vec::new();
    let mut rest = rest;
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(value) = rest.strip_prefix('}') {
            return Some((name, labels, value.split_whitespace().next()?));
        }
        let (label, quoted) = rest.split_once("=\"")?;
        let (value, behind) = unquoted(quoted)?;
        labels.push((label, value));
        rest = behind;
    }
}

/// A value up to its closing quotation mark, and what stands behind that.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                c => value.push(c),
            },
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metrics_of_a_host_are_read() {
        let golden = include_str!("../../../host/src/telemetry/golden.prom");
        let sample = Sample::read(golden, "acme/shop");
        assert_eq!(sample.version, Some(7));
        assert_eq!((sample.requests(), sample.failed()), (1, 0));
        assert_eq!(sample.buckets.len(), 20);
        let p99 = sample.p99().unwrap();
        assert!((0.001..=0.0025).contains(&p99), "{p99}");
        // The label of this one needs escapes.
        assert_eq!(Sample::read(golden, "a\"\n\\").version, Some(7));
        assert_eq!(Sample::read(golden, "other"), Sample::default());
    }

    #[test]
    fn counters_are_compared() {
        let text = |answered: u64, trapped: u64| {
            format!(
                "edgec_requests_total{{application=\"a\",outcome=\"answered\"}} {answered}\n\
                 edgec_requests_total{{application=\"a\",outcome=\"trapped\"}} {trapped}\n\
                 edgec_requests_total{{application=\"b\",outcome=\"trapped\"}} 99\n\
                 edgec_responses_total{{application=\"a\",class=\"5xx\"}} {trapped}\n\
                 edgec_request_duration_seconds_bucket{{application=\"a\",le=\"0.1\"}} {answered}\n\
                 edgec_request_duration_seconds_bucket{{application=\"a\",le=\"+Inf\"}} {}\n",
                answered + trapped
            )
        };
        let (before, after) = (text(100, 0), text(190, 10));
        let (before, after) = (Sample::read(&before, "a"), Sample::read(&after, "a"));
        let since = after.since(&before).unwrap();
        assert_eq!((since.requests(), since.failed()), (100, 10));
        assert_eq!(since.p99(), Some(0.1));
        assert_eq!(before.since(&after), None);
        assert_eq!(before.since(&before).unwrap().p99(), None);
    }

    #[test]
    fn nonsense_is_left_out() {
        for line in [
            "x{",
            "x{a",
            "x{a=\"b",
            "x{a=\"\\",
            "x{a=\"b\"}",
            "",
            "x",
            "}",
        ] {
            assert_eq!(Sample::read(line, "a"), Sample::default(), "{line}");
        }
        let line = "edgec_application_version{application=\"a\"} -1";
        assert_eq!(Sample::read(line, "a").version, None);
        let line = "edgec_request_duration_seconds_bucket{application=\"a\",le=\"-1\"} 1";
        assert_eq!(Sample::read(line, "a").buckets, []);
        let twice = |count: u64| {
            format!("edgec_request_duration_seconds_bucket{{application=\"a\",le=\"1\"}} {count}\n")
        };
        let buckets = Sample::read(&(twice(2) + &twice(1)), "a").buckets;
        assert_eq!(buckets, [(1.0, 1)]);
    }
}
