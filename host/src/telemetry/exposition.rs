//! Metrics as text for Prometheus.
//!
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>, text format 0.0.4.

use std::fmt::{self, Write as _};

use super::histogram::{LABELS, Seen};

/// The `Content-Type` of the text.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Text under construction.
#[derive(Default)]
pub(super) struct Exposition {
    text: String,
}

/// A kind of metric.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// A metric: its name, its kind and what it says.
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
}

/// The names and values of labels.
pub(super) type Labels<'l> = &'l [(&'static str, &'l str)];

impl Exposition {
    /// Begins a metric. Its samples follow.
    pub(super) fn family(&mut self, family: &Family) {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.write(format_args!(
            "# HELP {0} {1}\n# TYPE {0} {kind}\n",
            family.name, family.help
        ));
    }

    /// Adds a sample of a counter or a gauge.
    pub(super) fn sample(&mut self, family: &Family, labels: Labels<'_>, value: impl fmt::Display) {
        let labels = Braces(labels, None);
        self.write(format_args!("{}{labels} {value}\n", family.name));
    }

    /// Adds a histogram of durations, in seconds.
    pub(super) fn histogram(&mut self, family: &Family, labels: Labels<'_>, seen: &Seen) {
        let name = family.name;
        let buckets = LABELS.iter().zip(seen.up_to);
        for (le, count) in buckets.chain([(&"+Inf", seen.count)]) {
            let labels = Braces(labels, Some(le));
            self.write(format_args!("{name}_bucket{labels} {count}\n"));
        }
        let labels = Braces(labels, None);
        let sum = Seconds(seen.sum);
        let count = seen.count;
        self.write(format_args!(
            "{name}_sum{labels} {sum}\n{name}_count{labels} {count}\n"
        ));
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    fn write(&mut self, text: fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.text.write_fmt(text);
    }
}

/// Nanoseconds, shown as seconds.
pub(super) struct Seconds(pub(super) u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, rest) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        write!(f, "{seconds}.{rest:09}")
    }
}

/// Labels in braces, and the bound of a bucket.
struct Braces<'l>(Labels<'l>, Option<&'l str>);

impl fmt::Display for Braces<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = self.1.map(|bound| ("le", bound));
        let labels = self.0.iter().copied().chain(bound);
        let mut before = "{";
        for (name, value) in labels {
            write!(f, "{before}{name}=\"")?;
            for c in value.chars() {
                match c {
                    '\\' => f.write_str("\\\\")?,
                    '"' => f.write_str("\\\"")?,
                    '\n' => f.write_str("\\n")?,
                    // The format allows them, and a terminal that shows the text would obey them.
                    c if c.is_control() => f.write_char('\u{fffd}')?,
                    c => f.write_char(c)?,
                }
            }
            f.write_char('"')?;
            before = ",";
        }
        match before {
            "{" => Ok(()),
            _ => f.write_char('}'),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::histogram::Histogram;
    use super::*;

    #[test]
    fn values_of_labels_stay_in_their_quotes() {
        let family = Family {
            name: "a_total",
            kind: Kind::Counter,
            help: "A thing.",
        };
        let mut exposition = Exposition::default();
        exposition.family(&family);
        exposition.sample(&family, &[("name", "a\"} 1\n\\\u{1b}[2J")], 7);
        exposition.sample(&family, &[], 8);
        assert_eq!(
            exposition.into_text(),
            "# HELP a_total A thing.\n# TYPE a_total counter\n\
             a_total{name=\"a\\\"} 1\\n\\\\\u{fffd}[2J\"} 7\na_total 8\n"
        );
    }

    #[test]
    fn a_histogram_has_buckets_a_sum_and_a_count() {
        let histogram = Histogram::default();
        histogram.observe(Duration::from_millis(3));
        let family = Family {
            name: "a_seconds",
            kind: Kind::Histogram,
            help: "A time.",
        };
        let mut exposition = Exposition::default();
        exposition.histogram(&family, &[("application", "x")], &histogram.seen());
        let text = exposition.into_text();
        for line in [
            "a_seconds_bucket{application=\"x\",le=\"0.0025\"} 0\n",
            "a_seconds_bucket{application=\"x\",le=\"0.005\"} 1\n",
            "a_seconds_bucket{application=\"x\",le=\"+Inf\"} 1\n",
            "a_seconds_sum{application=\"x\"} 0.003000000\na_seconds_count{application=\"x\"} 1\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
